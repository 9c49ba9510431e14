"""On which slices of the rows is a model of several classes worse than on all others, beyond chance? As in `slice_figures`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.class_counts import describe_answer, tell_loss
from sparkml_ops.models.evaluation import draw_weights
from sparkml_ops.models.score_counts import find_block
from sparkml_ops.models.score_metrics import divide
from sparkml_ops.models.slice_figures import SliceFigure, correct_slices, measure_slice, name_others

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLICED_BY = ("log_loss", "accuracy")
"""Metrics that are means over rows; by the first of them where another is optimised, which a slice without some class has not."""
_SLICE = ["column", "is_others", "value"]


def judge_slices(
    scored: DataFrame, *, by: Sequence[str], prediction: str, block: str, metric: str, least: tuple[int, int]
) -> list[SliceFigure]:
    """Judge one column of probabilities by class on each slice that is large enough, in one job; the rows have a `label`.

    Args:
        scored: Rows that `evaluate_all` has found fit to be judged.
        by: Columns that slice.
        prediction: The column of maps of probabilities.
        block: What dependent rows have in common, as for `evaluate_all`.
        metric: One of `SLICED_BY`.
        least: Rows that a slice needs, and the seed that fixes the resamples.

    Returns:
        The slices by column, the largest first.
    """
    minimum_rows, seed = least
    sums = _sum_up(scored, by, prediction=prediction, block=block, least=minimum_rows)
    blocks = sorted({key[-1] for key in sums})
    weights = draw_weights(len(blocks), seed=seed)
    found: list[SliceFigure] = []
    for column in by:
        parts: dict[Any, NDArray[np.float64]] = {}
        for (name, is_others, value, at), figures in sums.items():
            if name == column:
                parts.setdefault((is_others, value), np.zeros((3, len(blocks))))[:, blocks.index(at)] = figures
        whole = np.sum(list(parts.values()), axis=0)
        measured = [
            _measure((column, *key), (part, whole - part), metric=metric, weights=weights)
            for key, part in parts.items()
            if part[0].sum() >= minimum_rows
        ]
        found += sorted(measured, key=lambda one: (one.is_others, -one.rows, one.value or ""))
    return correct_slices(found, metric=metric)


def _sum_up(
    scored: DataFrame, by: Sequence[str], *, prediction: str, block: str, least: int
) -> dict[tuple[str, bool, str | None, int], tuple[float, float, float]]:
    """Rows, sum of log loss and right answers by slice and block; at most 31 x 64 for each column that slices."""
    slices = F.array(
        *(F.struct(F.lit(name).alias("column"), F.col(f"`{name}`").cast("string").alias("value")) for name in by)
    )
    long = scored.where(F.col("label").isNotNull()).select(
        find_block(scored, block).alias("block"),
        "label",
        *describe_answer(F.col(prediction), F.col("label")),
        F.explode(slices).alias("slice"),
    )
    judged = long.select(
        "block",
        "slice.*",
        tell_loss().alias("loss"),
        F.col("predicted").eqNullSafe(F.col("label")).cast("double").alias("hit"),
    )
    summed = (
        name_others(judged, minimum_rows=least).groupBy(*_SLICE, "block").agg(F.count("*"), F.sum("loss"), F.sum("hit"))
    )
    return {tuple(row[:4]): tuple(map(float, row[4:])) for row in summed.orderBy(*_SLICE, "block").collect()}  # type: ignore[misc]


def _measure(
    key: Any, sums: "tuple[NDArray[np.float64], NDArray[np.float64]]", *, metric: str, weights: "NDArray[np.float64]"
) -> SliceFigure:
    """Of the sums of a slice and of all other rows, each of shape (3, blocks): rows, and those of `SLICED_BY`."""
    at = 1 + SLICED_BY.index(metric)

    def compute(drawn: "NDArray[np.float64]") -> "list[NDArray[np.float64]]":
        return [divide(drawn @ part[at], drawn @ part[0]) for part in sums]

    return measure_slice(key, sums[0][0], compute, weights=weights)
