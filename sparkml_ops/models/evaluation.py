"""How good predictions are, and whether one model's are better than another's, each with its uncertainty.

The uncertainty comes from a block bootstrap (Künsch 1989; Davison and Hinkley 1997, chapter 8): whole days are drawn
with replacement, since rows of one day share their weather and their queues, and drawing single rows would make the
intervals too narrow. Intervals are the 2.5 % and 97.5 % quantiles of the resamples. With a handful of days they are too
narrow still; below `MINIMUM_BLOCKS` there are none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame

from sparkml_ops.models.score_counts import ScoreCounts, count_scores
from sparkml_ops.models.score_metrics import HIGHER_IS_BETTER, METRICS, compute_metrics, group_calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 500
MINIMUM_BLOCKS = 5  # four days can be drawn in 35 ways at most: no basis for a tail of 2.5 %


@dataclass(frozen=True)
class Figure:
    """A metric with its 95 % interval; None where it is not defined."""

    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class CalibrationGroup:
    """A tenth of the rows, alike in their prediction: the mean prediction beside the share of positives."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Evaluation:
    """The figures of one prediction column.

    Attributes:
        rows: Rows with a label.
        positives: Rows with label 1.
        blocks: Blocks that the intervals rest on.
        metrics: roc_auc, pr_auc, log_loss, brier and ece (expected calibration error).
        calibration: Groups of like predictions, lowest first.
        reason: Why figures or intervals are missing; None when all are there.
    """

    rows: int
    positives: int
    blocks: int
    metrics: Mapping[str, Figure]
    calibration: Sequence[CalibrationGroup]
    reason: str | None


@dataclass(frozen=True)
class Difference:
    """Candidate minus champion, on the same rows.

    Attributes:
        candidate: The candidate's metric.
        champion: The champion's metric.
        difference: Candidate minus champion.
        lower: Lower end of the difference's 95 % interval.
        upper: Upper end of it.
        confidence: Share of the resamples in which the candidate is better, equality counted half.
    """

    candidate: float | None
    champion: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    confidence: float | None


@dataclass(frozen=True)
class Comparison:
    """Two prediction columns on the same rows; `reason` says why figures are missing."""

    rows: int
    positives: int
    blocks: int
    metrics: Mapping[str, Difference]
    reason: str | None


def evaluate(scored: DataFrame, *, label: str, prediction: str, block: str | Column, seed: int) -> Evaluation:
    """Judge one prediction column; see `evaluate_all`."""
    return evaluate_all(scored, label=label, predictions=[prediction], block=block, seed=seed)[prediction]


def evaluate_all(
    scored: DataFrame, *, label: str, predictions: Sequence[str], block: str | Column, seed: int
) -> dict[str, Evaluation]:
    """Judge several prediction columns on the same rows, in one pass over them.

    Args:
        scored: Rows with a label of 0 or 1 (rows where it is null are left out) and probabilities.
        label: The label's column.
        predictions: The columns of probabilities.
        block: What dependent rows have in common: a date or timestamp means its day.
        seed: Fixes the resamples.

    Returns:
        The figures by prediction column. With a single class the ranking metrics are None, and the reason is given.

    Raises:
        ModelError: A prediction is missing or no probability, or a label is neither 0 nor 1.
    """
    counts = count_scores(scored, label=label, predictions=predictions, block=block)
    return {name: evaluate_counts(part, seed=seed) for name, part in zip(predictions, counts, strict=True)}


def compare(
    scored: DataFrame, *, label: str, candidate: str, champion: str, block: str | Column, seed: int
) -> Comparison:
    """Compare two prediction columns row by row: every resample draws the same days for both.

    What both models find hard on a bad day falls out of the difference, so that a small gain can be told from chance.
    """
    counts = count_scores(scored, label=label, predictions=[candidate, champion], block=block)
    return compare_counts(*counts, seed=seed)


def evaluate_counts(counts: ScoreCounts, *, seed: int) -> Evaluation:
    """Judge what `count_scores` has counted."""
    blocks = len(counts.rows)
    points = compute_metrics(counts, np.ones((1, blocks)))
    samples = compute_metrics(counts, draw_weights(blocks, seed=seed))
    return Evaluation(
        rows=int(counts.rows.sum()),
        positives=int(counts.positives.sum()),
        blocks=blocks,
        metrics={name: Figure(_number(points[name][0]), *find_interval(samples[name])) for name in METRICS},
        calibration=_list_calibration(counts),
        reason=_find_reason(counts),
    )


def compare_counts(candidate: ScoreCounts, champion: ScoreCounts, *, seed: int) -> Comparison:
    """Compare two columns that `count_scores` has counted together."""
    blocks = len(candidate.rows)
    once, weights = np.ones((1, blocks)), draw_weights(blocks, seed=seed)
    points = [compute_metrics(counts, once) for counts in (candidate, champion)]
    samples = [compute_metrics(counts, weights) for counts in (candidate, champion)]
    differences = {}
    for name in METRICS:
        sampled = samples[0][name] - samples[1][name]
        differences[name] = Difference(
            candidate=_number(points[0][name][0]),
            champion=_number(points[1][name][0]),
            difference=_number(points[0][name][0] - points[1][name][0]),
            lower=find_interval(sampled)[0],
            upper=find_interval(sampled)[1],
            confidence=_share_better(sampled if name in HIGHER_IS_BETTER else -sampled),
        )
    return Comparison(
        rows=int(candidate.rows.sum()),
        positives=int(candidate.positives.sum()),
        blocks=blocks,
        metrics=differences,
        reason=_find_reason(candidate),
    )


def draw_weights(blocks: int, *, seed: int) -> "NDArray[np.float64]":
    """How often each block is drawn in each resample, shape (resamples, blocks); no resamples with too few blocks."""
    if blocks < MINIMUM_BLOCKS:
        return np.empty((0, blocks))
    return (
        np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES).astype(np.float64)
    )


def find_interval(samples: "NDArray[np.float64]") -> tuple[float | None, float | None]:
    """The 2.5 % and 97.5 % quantiles of the resamples in which a figure is defined; None where it is in none."""
    defined = samples[np.isfinite(samples)]
    if not len(defined):
        return None, None
    lower, upper = np.quantile(defined, [0.025, 0.975])
    return float(lower), float(upper)


def _share_better(gains: "NDArray[np.float64]") -> float | None:
    defined = gains[np.isfinite(gains)]
    return float(np.mean((defined > 0) + 0.5 * (defined == 0))) if len(defined) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _find_reason(counts: ScoreCounts) -> str | None:
    rows, positives, blocks = int(counts.rows.sum()), int(counts.positives.sum()), len(counts.rows)
    if not rows:
        return "no row has a label"
    if positives in (0, rows):
        return f"all {rows} labels are {int(positives > 0)}: ranking metrics need both classes"
    if blocks < MINIMUM_BLOCKS:
        return f"no intervals: {blocks} blocks (days), at least {MINIMUM_BLOCKS} are needed"
    return None


def _list_calibration(counts: ScoreCounts) -> list[CalibrationGroup]:
    groups = group_calibration(counts)
    sums = [part.sum(axis=0) for part in (groups["rows"], groups["positives"], groups["probability"])]
    return [
        CalibrationGroup(rows=int(rows), predicted=float(probability / rows), observed=float(positives / rows))
        for rows, positives, probability in zip(*sums, strict=True)
        if rows
    ]
