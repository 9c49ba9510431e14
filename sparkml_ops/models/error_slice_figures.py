"""On which slices of the rows is the error of a regression larger than on all others, beyond chance? As `slice_figures.py` asks it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.evaluation import draw_weights
from sparkml_ops.models.score_counts import find_block
from sparkml_ops.models.slice_figures import SliceFigure, correct_slices, measure_slice, name_others

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

METRIC = "rmse"
_SLICE = ["column", "is_others", "value"]


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
    minimum_rows, seed = least
    cells = _sum_cells(scored, by, prediction=prediction, block=block, minimum_rows=minimum_rows)
    blocks = np.unique(cells["block"].to_numpy())
    weights = draw_weights(len(blocks), seed=seed)
    found: list[SliceFigure] = []
    for column in by:
        mine = cells[cells["column"] == column]
        summed = {key: _spread(part, blocks) for key, part in mine.groupby(_SLICE, dropna=False, sort=False)}
        whole = np.sum(list(summed.values()), axis=0) if summed else np.zeros((2, len(blocks)))
        figures = [
            _measure(key, sums, whole - sums, weights=weights)
            for key, sums in summed.items()
            if sums[0].sum() >= minimum_rows
        ]
        found += sorted(figures, key=lambda one: (one.is_others, -one.rows, one.value or ""))
    return correct_slices(found, metric=METRIC)


def _sum_cells(
    scored: DataFrame, by: Sequence[str], *, prediction: str, block: str, minimum_rows: int
) -> "pd.DataFrame":
    """Rows and squared errors by slice and block; at most 31 x 64 for each column that slices."""
    slices = F.array(
        *(F.struct(F.lit(name).alias("column"), F.col(f"`{name}`").cast("string").alias("value")) for name in by)
    )
    error = F.col(f"`{prediction}`").cast("double") - F.col("label").cast("double")
    long = scored.where(F.col("label").isNotNull()).select(
        find_block(scored, block).alias("block"), (error**2).alias("squared"), F.explode(slices).alias("slice")
    )
    return (
        name_others(long.select("block", "squared", "slice.*"), minimum_rows=minimum_rows)
        .groupBy(*_SLICE, "block")
        .agg(F.count("*").alias("rows"), F.sum("squared").alias("squared"))
        .orderBy(*_SLICE, "block")
        .toPandas()
    )


def _spread(cells: "pd.DataFrame", blocks: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Rows and squared errors by block, shape (2, blocks)."""
    sums = np.zeros((2, len(blocks)))
    sums[:, np.searchsorted(blocks, cells["block"].to_numpy())] = cells[["rows", "squared"]].to_numpy().T
    return sums


def _measure(
    key: Any, inside: "NDArray[np.float64]", outside: "NDArray[np.float64]", *, weights: "NDArray[np.float64]"
) -> SliceFigure:
    def compute(drawn: "NDArray[np.float64]") -> "list[NDArray[np.float64]]":
        return [_find_rmse(drawn @ rows, drawn @ squared) for rows, squared in (inside, outside)]

    return measure_slice(key, inside[0], compute, weights=weights)


def _find_rmse(rows: "NDArray[np.float64]", squared: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Of shape (resamples,); NaN where no row was drawn. What is left of all when a slice is taken away may be a rounding below zero."""
    mean = np.full(len(rows), np.nan)
    np.divide(np.maximum(squared, 0.0), rows, out=mean, where=rows > 0)
    root: NDArray[np.float64] = np.sqrt(mean)
    return root
