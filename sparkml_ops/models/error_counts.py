"""Scored rows of a regression -> sums by block: all that the statistics need, in a size that is bounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from sparkml_ops.errors import ModelError
from sparkml_ops.models.score_counts import find_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS = 10
_SUMS = ("rows", "label", "label_squared", "predicted", "error", "absolute", "squared", "relative", "not_zero")
_ACCURACY = 1000  # of the quantiles that part the predictions: a thousandth of the rows, where groups have a tenth


@dataclass(frozen=True)
class ErrorCounts:
    """Sums of one prediction column, of shape (blocks, groups): groups are tenths of like predictions, lowest first.

    Labels and predictions are taken from `centre`: sums of the squares of large numbers that hardly differ would have no digits left.

    Attributes:
        centre: A number near the labels' mean.
        rows: Rows.
        label: Sum of `y - centre`.
        label_squared: Sum of `(y - centre)²`.
        predicted: Sum of `p - centre`.
        error: Sum of `p - y`.
        absolute: Sum of `|p - y|`.
        squared: Sum of `(p - y)²`.
        relative: Sum of `|p - y| / |y|` over the rows whose label is not 0.
        not_zero: Rows whose label is not 0.
    """

    centre: float
    rows: "NDArray[np.float64]"
    label: "NDArray[np.float64]"
    label_squared: "NDArray[np.float64]"
    predicted: "NDArray[np.float64]"
    error: "NDArray[np.float64]"
    absolute: "NDArray[np.float64]"
    squared: "NDArray[np.float64]"
    relative: "NDArray[np.float64]"
    not_zero: "NDArray[np.float64]"


def count_scores(
    scored: DataFrame, *, label: str, predictions: Sequence[str], block: str | Column
) -> list[ErrorCounts]:
    """Sum up all prediction columns; rows without a label are left out, and blocks are those of `find_block`.

    The rows are computed once and looked at twice: for the centre of the labels and the tenths of the predictions, then for the sums.
    At most 64 x 10 sums per column reach the driver.

    Args:
        scored: Rows with a number as label, and predictions.
        label: The label's column.
        predictions: The columns of predictions.
        block: What rows that depend on each other have in common, such as the day.

    Returns:
        The sums of each prediction column, in order; all have the same blocks.

    Raises:
        ModelError: A prediction is missing or not finite, or a label is not finite.
    """
    names = [f"p{at}" for at in range(len(predictions))]
    judged = (
        scored.where(F.col(label).isNotNull())
        .select(
            find_block(scored, block).alias("block"),
            F.col(label).cast("double").alias("y"),
            *(F.col(f"`{name}`").cast("double").alias(alias) for name, alias in zip(predictions, names, strict=True)),
        )
        .persist()
    )
    try:
        look = _look_at(judged, names)
        _refuse_impossible(look, predictions)
        cells = _sum_up(judged, look, names)
    finally:
        judged.unpersist()
    blocks = np.unique(cells["block"])
    at_block = np.searchsorted(blocks, cells["block"])
    return [_spread(cells, model, at_block, (len(blocks), look["centre"])) for model in range(len(predictions))]


def count_arrays(
    labels: "NDArray[np.float64]", answers: "NDArray[np.float64]", blocks: "NDArray[np.int64]"
) -> ErrorCounts:
    """The same of arrays in memory.

    Args:
        labels: Numbers, shape (rows,).
        answers: Predictions, shape (rows,).
        blocks: The block of each row, from 0 on without gaps, shape (rows,).
    """
    shape = (int(blocks.max(initial=-1)) + 1, GROUPS)
    centre = float(np.mean(labels)) if len(labels) else 0.0
    edges = np.quantile(answers, np.arange(1, GROUPS) / GROUPS) if len(answers) else np.zeros(GROUPS - 1)
    at = blocks * GROUPS + np.searchsorted(edges, answers, side="left")
    error, not_zero = answers - labels, labels != 0
    relative = np.divide(np.abs(error), np.abs(labels), out=np.zeros(len(labels)), where=not_zero)
    values = {
        "rows": np.ones(len(labels)),
        "label": labels - centre,
        "label_squared": (labels - centre) ** 2,
        "predicted": answers - centre,
        "error": error,
        "absolute": np.abs(error),
        "squared": error**2,
        "relative": relative,
        "not_zero": not_zero.astype(np.float64),
    }
    sums = {
        name: np.bincount(at, weights=value, minlength=shape[0] * GROUPS).reshape(shape).astype(np.float64)
        for name, value in values.items()
    }
    return ErrorCounts(centre, **sums)


def _look_at(judged: DataFrame, names: Sequence[str]) -> Row:
    """The labels' mean, how many rows cannot be judged, and the edges between tenths of each prediction column."""
    shares = F.array(*(F.lit(at / GROUPS) for at in range(1, GROUPS)))
    found = judged.agg(
        F.coalesce(F.avg(F.when(_is_finite("y"), F.col("y"))), F.lit(0.0)).alias("centre"),
        *(F.count_if(~(_is_finite(name) & _is_finite("y"))).alias(f"wrong_{name}") for name in names),
        *(F.percentile_approx(name, shares, F.lit(_ACCURACY)).alias(f"edges_{name}") for name in names),
    ).collect()
    return found[0]


def _sum_up(judged: DataFrame, look: Row, names: Sequence[str]) -> dict[str, "NDArray[np.float64]"]:
    """The sums, one for each block, model and group, by name."""
    models = [
        F.struct(F.lit(at).alias("model"), F.col(name).alias("p"), _find_group(name, look[f"edges_{name}"]).alias("at"))
        for at, name in enumerate(names)
    ]
    long = judged.select("block", "y", F.explode(F.array(*models)).alias("score")).select("block", "y", "score.*")
    y, p, centre = F.col("y"), F.col("p"), F.lit(look["centre"])
    error = p - y
    values = {
        "rows": F.lit(1.0),
        "label": y - centre,
        "label_squared": (y - centre) ** 2,
        "predicted": p - centre,
        "error": error,
        "absolute": F.abs(error),
        "squared": error**2,
        "relative": F.when(y != 0, F.abs(error) / F.abs(y)).otherwise(0.0),
        "not_zero": (y != 0).cast("double"),
    }
    cells = (
        long.groupBy("block", "model", "at")
        .agg(*(F.sum(values[name]).alias(name) for name in _SUMS))
        .orderBy("model", "block", "at")  # sums on the driver are then always taken in the same order
        .toPandas()
    )
    return {str(name): cells[name].to_numpy() for name in cells.columns}


def _find_group(name: str, edges: Sequence[float] | None) -> Column:
    above = [(F.col(name) > edge).cast("int") for edge in edges or ()]
    return sum(above, F.lit(0))


def _is_finite(name: str) -> Column:
    value = F.col(name)
    return value.isNotNull() & ~F.isnan(value) & (F.abs(value) != float("inf"))


def _spread(
    cells: dict[str, "NDArray[np.float64]"], model: int, at_block: "NDArray[np.intp]", size: tuple[int, float]
) -> ErrorCounts:
    mine, (blocks, centre) = cells["model"] == model, size
    at = (at_block[mine], cells["at"][mine].astype(np.int64))

    def spread(name: str) -> "NDArray[np.float64]":
        sums = np.zeros((blocks, GROUPS))
        sums[at] = cells[name][mine]
        return sums

    return ErrorCounts(centre, **{name: spread(name) for name in _SUMS})


def _refuse_impossible(look: Row, predictions: Sequence[str]) -> None:
    wrong = {name: look[f"wrong_p{at}"] for at, name in enumerate(predictions) if look[f"wrong_p{at}"]}
    if wrong:
        found = ", ".join(f"{name}: {rows}" for name, rows in wrong.items())
        raise ModelError(
            "Rows cannot be judged: their prediction is missing or not finite, or their label not finite. "
            f"Rows by prediction column: {found}. Score all rows, and give a label that is a number."
        )
