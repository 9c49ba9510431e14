"""On which slices of the rows is a model worse than on all others, beyond chance?

The difference between a slice and all other rows has its error from the same block bootstrap as all figures: both sides
draw the same days. Its p-value is that of difference / error under Student's t with days - 1 degrees of freedom: 500
resamples alone cannot tell a p-value below 0.004, which a correction for a hundred slices needs (Efron and Tibshirani
1993, "An introduction to the bootstrap", chapters 6 and 12). Of many slices some look bad by chance. So the p-values are
corrected as Benjamini and Hochberg (1995, "Controlling the false discovery rate") do it: of the slices that are called
worse, one in twenty is expected to be called so wrongly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.tasks import HIGHER_IS_BETTER
from sparkml_ops.models.evaluation import MINIMUM_BLOCKS, Figure, draw_weights, find_interval
from sparkml_ops.models.score_counts import BINS, ScoreCounts, find_block, sum_scores
from sparkml_ops.models.score_metrics import compute_metrics
from sparkml_ops.models.slices import bin_slices, name_others

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FALSE_DISCOVERIES = 0.05  # of the slices that are called worse, as the share that may be called so wrongly
_COARSER = 4  # so many bins of a whole evaluation make one here: 512 for a slice, which has fewer rows
SLICE = ["column", "is_others", "value"]
_SUMS = ("rows", "positives", "probability", "log_loss", "squared_error")


@dataclass(frozen=True)
class SliceFigure:
    """A model on one slice, beside all rows that are not in it.

    Attributes:
        column: The column that slices.
        value: Its value, as text; None for a missing one, and for all others together.
        is_others: Whether it is all values together that are no slice of their own.
        rows: Rows with a label.
        positives: Rows with label 1; None of a regression and of several classes.
        figure: The metric.
        difference: The metric on the slice minus that on all other rows.
        p_value: Chance of a difference as large if there were none; None where it cannot be told.
        corrected: The same, corrected for the number of slices.
        is_worse: Whether the model is worse on the slice than on all other rows, beyond chance.
    """

    column: str
    value: str | None
    is_others: bool
    rows: int
    positives: int | None
    figure: Figure
    difference: Figure
    p_value: float | None = None
    corrected: float | None = None
    is_worse: bool = False

    @property
    def name(self) -> str:
        """How a person names the slice."""
        if self.is_others:
            return f"{self.column}: others"
        return f"{self.column} is missing" if self.value is None else f"{self.column}={self.value}"


def judge_slices(
    scored: DataFrame, *, by: Sequence[str], prediction: str, block: str, metric: str, least: tuple[int, int]
) -> list[SliceFigure]:
    """Judge one prediction column on each slice that is large enough, in one job; the rows have a `label`.

    A column's `MAX_VALUES` most frequent values with enough rows are slices of their own, all others one slice together.
    Slices with a single class are left out: most metrics are not defined there.

    Args:
        scored: Rows that `evaluate_all` has found fit to be judged.
        by: Columns that slice.
        prediction: The column of probabilities.
        block: What dependent rows have in common, as for `evaluate_all`.
        metric: Which metric.
        least: Rows that a slice needs, and the seed that fixes the resamples.

    Returns:
        The slices by column, the largest first.
    """
    minimum_rows, seed = least
    cells = _count_cells(scored, by, prediction=prediction, block=block, minimum_rows=minimum_rows)
    blocks = np.unique(cells["block"].to_numpy())
    weights = draw_weights(len(blocks), seed=seed)

    def measure(parts: "Mapping[Any, pd.DataFrame]") -> list[SliceFigure]:
        counted = {key: _spread(part, blocks) for key, part in parts.items()}
        whole = _add(list(counted.values()))
        return [
            _measure(key, counts, _take_away(whole, counts), metric=metric, weights=weights)
            for key, counts in counted.items()
            if _is_large_enough(counts, minimum_rows)
        ]

    return judge_each(cells, by, metric=metric, measure=measure)


def judge_each(
    cells: "pd.DataFrame",
    by: Sequence[str],
    *,
    metric: str,
    measure: "Callable[[Mapping[Any, pd.DataFrame]], list[SliceFigure]]",
) -> list[SliceFigure]:
    """The slices of each column, the largest first, with p-values corrected for how many there are in all.

    Args:
        cells: Figures by slice (`SLICE`) and block.
        by: Columns that slice.
        metric: Which way is worse.
        measure: The figures of one column's slices that are large enough, from their cells; at least one slice.
    """
    found: list[SliceFigure] = []
    for column in by:
        parts = dict(list(cells[cells["column"] == column].groupby(SLICE, dropna=False, sort=False)))
        figures = measure(parts) if parts else []
        found += sorted(figures, key=lambda one: (one.is_others, -one.rows, one.value or ""))
    return correct_slices(found, metric=metric)


def correct_slices(slices: Sequence[SliceFigure], *, metric: str) -> list[SliceFigure]:
    """The same slices with p-values corrected for how many there are, and which of them are worse."""
    from scipy.stats import false_discovery_control

    told = [one.p_value for one in slices if one.p_value is not None]
    corrected = iter(false_discovery_control(told, method="bh").tolist() if told else [])
    return [one if one.p_value is None else _decide(one, next(corrected), metric) for one in slices]


def _decide(one: SliceFigure, corrected: float, metric: str) -> SliceFigure:
    difference = one.difference.value or 0.0
    loses = difference < 0 if metric in HIGHER_IS_BETTER else difference > 0
    return replace(one, corrected=corrected, is_worse=loses and corrected < FALSE_DISCOVERIES)


def _count_cells(
    scored: DataFrame, by: Sequence[str], *, prediction: str, block: str, minimum_rows: int
) -> "pd.DataFrame":
    """Counts by slice, block and bin; at most 31 x 64 x 512 for each column that slices."""
    long = bin_slices(
        scored, by=by, label="label", predictions=[prediction], beside=[find_block(scored, block).alias("block")]
    )
    return (
        name_others(long, minimum_rows=minimum_rows)
        .groupBy(*SLICE, "block", F.floor(F.col("bin") / _COARSER).alias("bin"))
        .agg(*sum_scores())
        .orderBy(*SLICE, "block", "bin")
        .toPandas()
    )


def _spread(cells: "pd.DataFrame", blocks: "NDArray[np.int64]") -> ScoreCounts:
    at = (np.searchsorted(blocks, cells["block"].to_numpy()), cells["bin"].to_numpy().astype(np.int64))
    spread = {}
    for name in _SUMS:
        counts = np.zeros((len(blocks), BINS // _COARSER))
        counts[at] = cells[name].to_numpy()
        spread[name] = counts
    log_loss, squared_error = (spread[name].sum(axis=1) for name in ("log_loss", "squared_error"))
    return ScoreCounts(spread["rows"], spread["positives"], spread["probability"], log_loss, squared_error)


def _add(parts: Sequence[ScoreCounts]) -> ScoreCounts:
    return ScoreCounts(**{name: np.sum([getattr(one, name) for one in parts], axis=0) for name in _SUMS})


def _take_away(whole: ScoreCounts, part: ScoreCounts) -> ScoreCounts:
    return ScoreCounts(**{name: getattr(whole, name) - getattr(part, name) for name in _SUMS})


def _is_large_enough(counts: ScoreCounts, minimum_rows: int) -> bool:
    rows, positives = counts.rows.sum(), counts.positives.sum()
    return bool(rows >= minimum_rows and 0 < positives < rows)


def _measure(
    key: Any, inside: ScoreCounts, outside: ScoreCounts, *, metric: str, weights: "NDArray[np.float64]"
) -> SliceFigure:
    def compute(drawn: "NDArray[np.float64]") -> "list[NDArray[np.float64]]":
        return [compute_metrics(counts, drawn)[metric] for counts in (inside, outside)]

    found = measure_slice(key, inside.rows.sum(axis=1), compute, weights=weights)
    return replace(found, positives=int(inside.positives.sum()))


def measure_slice(
    key: Any,
    rows: "NDArray[np.float64]",
    compute: "Callable[[NDArray[np.float64]], Sequence[NDArray[np.float64]]]",
    *,
    weights: "NDArray[np.float64]",
) -> SliceFigure:
    """One slice beside all other rows.

    Args:
        key: Column, whether it is the others, and value.
        rows: Rows of the slice by block, shape (blocks,).
        compute: The figure on the slice and on all other rows, each of shape (resamples,), for weights of shape (resamples, blocks).
        weights: The resamples.
    """
    column, is_others, value = key
    days = int(np.count_nonzero(rows))
    points = [float(found[0]) for found in compute(np.ones((1, len(rows))))]
    samples = compute(weights if days >= MINIMUM_BLOCKS else weights[:0])
    gaps = samples[0] - samples[1]
    return SliceFigure(
        column=str(column),
        value=value if isinstance(value, str) else None,
        is_others=bool(is_others),
        rows=int(rows.sum()),
        positives=None,
        figure=Figure(_number(points[0]), *find_interval(samples[0])),
        difference=Figure(_number(points[0] - points[1]), *find_interval(gaps)),
        p_value=_find_p_value(points[0] - points[1], gaps, days),
    )


def _find_p_value(difference: float, gaps: "NDArray[np.float64]", days: int) -> float | None:
    from scipy.stats import t

    defined = gaps[np.isfinite(gaps)]
    if len(defined) < 2 or not np.isfinite(difference):  # noqa: PLR2004  # one resample has no spread
        return None
    error = float(np.std(defined, ddof=1))
    if error == 0:
        return 1.0 if difference == 0 else None
    return float(2 * t.sf(abs(difference) / error, days - 1))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
