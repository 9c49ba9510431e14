"""How good predictions are, and whether one model's are better than another's, each with its uncertainty.

The uncertainty comes from a block bootstrap (Künsch 1989; Davison and Hinkley 1997, chapter 8): whole days are drawn
with replacement, since rows of one day share their weather and their queues, and drawing single rows would make the
intervals too narrow. Intervals are the 2.5 % and 97.5 % quantiles of the resamples. With a handful of days they are too
narrow still; below `MINIMUM_BLOCKS` there are none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column, DataFrame

from sparkml_ops.models.tasks import CalibrationGroup, ConfusionCell, find_task, measure_gain

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
class Evaluation:
    """The figures of one prediction column.

    Attributes:
        rows: Rows with a label.
        positives: Rows with label 1; None where labels are no classes.
        blocks: Blocks that the intervals rest on.
        metrics: roc_auc, pr_auc, log_loss, brier and ece (expected calibration error); of a regression rmse, mae, r2, bias and mape;
            of several classes log_loss, accuracy, macro_f1, roc_auc, brier and ece.
        calibration: Groups of like predictions, lowest first.
        reason: Why figures or intervals are missing; None when all are there.
        labels: What else is told of the labels, by name.
        confusion: Rows by label and answer, of several classes.
    """

    rows: int
    positives: int | None
    blocks: int
    metrics: Mapping[str, Figure]
    calibration: Sequence[CalibrationGroup]
    reason: str | None
    labels: Mapping[str, float] = field(default_factory=dict)
    confusion: Sequence[ConfusionCell] = ()


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
    positives: int | None
    blocks: int
    metrics: Mapping[str, Difference]
    reason: str | None


def evaluate(
    scored: DataFrame, *, label: str, prediction: str, block: str | Column, seed: int, task: str = "binary"
) -> Evaluation:
    """Judge one prediction column; see `evaluate_all`."""
    found = evaluate_all(scored, label=label, predictions=[prediction], block=block, seed=seed, task=task)
    return found[prediction]


def evaluate_all(
    scored: DataFrame, *, label: str, predictions: Sequence[str], block: str | Column, seed: int, task: str = "binary"
) -> dict[str, Evaluation]:
    """Judge several prediction columns on the same rows, in one pass over them.

    Args:
        scored: Rows with a label (rows where it is null are left out): 0 or 1 and probabilities, numbers of a
            regression, or names of classes and maps of probabilities.
        label: The label's column.
        predictions: The columns of predictions.
        block: What dependent rows have in common: a date or timestamp means its day.
        seed: Fixes the resamples.
        task: What was predicted.

    Returns:
        The figures by prediction column. Those that the labels do not allow are None, and the reason is given.

    Raises:
        ModelError: A prediction is missing or impossible, or a label is none of the task.
    """
    counts = find_task(task).count_scores(scored, label=label, predictions=predictions, block=block)
    return {name: evaluate_counts(part, seed=seed, task=task) for name, part in zip(predictions, counts, strict=True)}


def compare(
    scored: DataFrame,
    *,
    label: str,
    pair: tuple[str, str],
    block: str | Column,
    seed: int,
    task: str = "binary",
) -> Comparison:
    """Compare two prediction columns, the candidate's and the champion's, row by row: every resample draws the same days for both.

    What both models find hard on a bad day falls out of the difference, so that a small gain can be told from chance.
    """
    counts = find_task(task).count_scores(scored, label=label, predictions=pair, block=block)
    return compare_counts(*counts, seed=seed, task=task)


def evaluate_counts(counts: Any, *, seed: int, task: str = "binary") -> Evaluation:
    """Judge what the task's `count_scores` has counted."""
    asked = find_task(task)
    blocks, labels = asked.count_blocks(counts), asked.describe_labels(counts)
    points = asked.compute_metrics(counts, np.ones((1, blocks)))
    samples = asked.compute_metrics(counts, draw_weights(blocks, seed=seed))
    return Evaluation(
        rows=int(labels["rows"]),
        positives=_count_positives(labels),
        blocks=blocks,
        metrics={name: Figure(_number(points[name][0]), *find_interval(samples[name])) for name in asked.METRICS},
        calibration=asked.list_calibration(counts),
        reason=asked.find_reason(counts) or _tell_few(blocks),
        labels=labels,
        confusion=asked.list_confusion(counts),
    )


def compare_counts(candidate: Any, champion: Any, *, seed: int, task: str = "binary") -> Comparison:
    """Compare two columns that the task's `count_scores` has counted together."""
    asked = find_task(task)
    blocks, labels = asked.count_blocks(candidate), asked.describe_labels(candidate)
    once, weights = np.ones((1, blocks)), draw_weights(blocks, seed=seed)
    points = [asked.compute_metrics(counts, once) for counts in (candidate, champion)]
    samples = [asked.compute_metrics(counts, weights) for counts in (candidate, champion)]
    differences = {}
    for name in asked.METRICS:
        lower, upper = find_interval(samples[0][name] - samples[1][name])
        differences[name] = Difference(
            candidate=_number(points[0][name][0]),
            champion=_number(points[1][name][0]),
            difference=_number(points[0][name][0] - points[1][name][0]),
            lower=lower,
            upper=upper,
            confidence=_share_better(measure_gain(name, samples[0][name], samples[1][name])),
        )
    return Comparison(
        rows=int(labels["rows"]),
        positives=_count_positives(labels),
        blocks=blocks,
        metrics=differences,
        reason=asked.find_reason(candidate) or _tell_few(blocks),
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


def _count_positives(labels: Mapping[str, float]) -> int | None:
    return int(labels["positives"]) if "positives" in labels else None


def _tell_few(blocks: int) -> str | None:
    if blocks < MINIMUM_BLOCKS:
        return f"no intervals: {blocks} blocks (days), at least {MINIMUM_BLOCKS} are needed"
    return None
