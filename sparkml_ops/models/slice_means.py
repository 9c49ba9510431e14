"""On which slices of the rows is the error of a regression, or of several classes, worse than on all others, beyond chance?

As `slice_figures.py` asks it, of figures that are made of a mean over rows: of squared errors, of log losses, of right answers.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.class_counts import describe_answer, tell_loss
from sparkml_ops.models.evaluation import draw_weights
from sparkml_ops.models.score_counts import find_block
from sparkml_ops.models.score_metrics import divide
from sparkml_ops.models.slice_figures import SLICE, SliceFigure, judge_each, measure_slice
from sparkml_ops.models.slices import list_slices, name_others

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CLASSES_SLICED_BY = ("log_loss", "accuracy")
"""Metrics that are means over rows; by the first of them where another is optimised, which a slice without some class has not."""
_RMSE = "rmse"


def judge_error_slices(
    scored: DataFrame, *, by: Sequence[str], prediction: str, block: str, least: tuple[int, int]
) -> list[SliceFigure]:
    """RMSE of one prediction column on each slice that is large enough, in one job; the rows have a `label`.

    Which values are slices, what they are held against and how chance is told is as in `judge_slices`.

    Args:
        scored: Rows that `evaluate_all` has found fit to be judged.
        by: Columns that slice.
        prediction: The column of predictions.
        block: What dependent rows have in common, as for `evaluate_all`.
        least: Rows that a slice needs, and the seed that fixes the resamples.

    Returns:
        The slices by column, the largest first.
    """
    error = F.col(f"`{prediction}`").cast("double") - F.col("label").cast("double")
    return _judge_means(scored, by, value=error**2, block=block, metric=_RMSE, least=least)


def judge_class_slices(
    scored: DataFrame, *, by: Sequence[str], prediction: str, block: str, metric: str, least: tuple[int, int]
) -> list[SliceFigure]:
    """As `judge_error_slices`, of a column of probabilities by class, by one of `CLASSES_SLICED_BY`."""
    told, label = F.struct(*describe_answer(F.col(prediction), F.col("label"))), F.col("label")
    values = {
        "log_loss": tell_loss(told["of_label"]),
        "accuracy": told["predicted"].eqNullSafe(label).cast("double"),
    }
    return _judge_means(scored, by, value=values[metric], block=block, metric=metric, least=least)


def _judge_means(
    scored: DataFrame, by: Sequence[str], *, value: Column, block: str, metric: str, least: tuple[int, int]
) -> list[SliceFigure]:
    minimum_rows, seed = least
    cells = _sum_cells(scored, by, value=value, block=block, minimum_rows=minimum_rows)
    blocks = np.unique(cells["block"].to_numpy())
    weights = draw_weights(len(blocks), seed=seed)

    def measure(parts: "Mapping[Any, pd.DataFrame]") -> list[SliceFigure]:
        summed = {key: _spread(part, blocks) for key, part in parts.items()}
        whole = np.sum(list(summed.values()), axis=0)
        return [
            _measure(key, (sums, whole - sums), metric=metric, weights=weights)
            for key, sums in summed.items()
            if sums[0].sum() >= minimum_rows
        ]

    return judge_each(cells, by, metric=metric, measure=measure)


def _sum_cells(scored: DataFrame, by: Sequence[str], *, value: Column, block: str, minimum_rows: int) -> "pd.DataFrame":
    """Rows and sums by slice and block; at most 31 x 64 for each column that slices."""
    long = scored.where(F.col("label").isNotNull()).select(
        find_block(scored, block).alias("block"), value.alias("summed"), F.explode(list_slices(by)).alias("slice")
    )
    return (
        name_others(long.select("block", "summed", "slice.*"), minimum_rows=minimum_rows)
        .groupBy(*SLICE, "block")
        .agg(F.count("*").alias("rows"), F.sum("summed").alias("summed"))
        .orderBy(*SLICE, "block")
        .toPandas()
    )


def _spread(cells: "pd.DataFrame", blocks: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Rows and sums by block, shape (2, blocks)."""
    sums = np.zeros((2, len(blocks)))
    sums[:, np.searchsorted(blocks, cells["block"].to_numpy())] = cells[["rows", "summed"]].to_numpy().T
    return sums


def _measure(
    key: Any, sums: "tuple[NDArray[np.float64], NDArray[np.float64]]", *, metric: str, weights: "NDArray[np.float64]"
) -> SliceFigure:
    """Of the sums of a slice and of all other rows, each of shape (2, blocks)."""

    def compute(drawn: "NDArray[np.float64]") -> "list[NDArray[np.float64]]":
        # What is left of all when a slice is taken away may be a rounding below zero.
        means = [divide(drawn @ np.maximum(summed, 0.0), drawn @ rows) for rows, summed in sums]
        return [np.sqrt(mean) for mean in means] if metric == _RMSE else means

    return measure_slice(key, sums[0][0], compute, weights=weights)
