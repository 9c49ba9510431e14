"""Scored rows -> counts by block and score bin: all that the statistics need, in a size that is bounded."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, TimestampType

from sparkml_ops.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 2048
LOGIT_LIMIT = 12.0  # probabilities beyond 6e-6 and its mirror share a bin with their neighbours
MAX_BLOCKS = 64
EPSILON = math.ulp(1.0)  # the clipping of scikit-learn's log_loss: a certain and wrong answer costs 36, not infinity


@dataclass(frozen=True)
class ScoreCounts:
    """Counts of one prediction column; the arrays have the shape (blocks, bins), or (blocks,) for the last two.

    Attributes:
        rows: Rows.
        positives: Rows with label 1.
        probability: Sum of the predictions.
        log_loss: Sum of `-y ln p - (1 - y) ln(1 - p)`.
        squared_error: Sum of `(p - y)²`.
    """

    rows: "NDArray[np.float64]"
    positives: "NDArray[np.float64]"
    probability: "NDArray[np.float64]"
    log_loss: "NDArray[np.float64]"
    squared_error: "NDArray[np.float64]"

    @property
    def negatives(self) -> "NDArray[np.float64]":
        """Rows with label 0."""
        return self.rows - self.positives


def count_scores(
    scored: DataFrame, *, label: str, predictions: Sequence[str], block: str | Column
) -> list[ScoreCounts]:
    """Count all prediction columns in one pass; rows without a label are left out.

    A block is a day when `block` is a date or a timestamp, and otherwise all rows with the same value. Blocks beyond
    `MAX_BLOCKS` are put together, so that at most 64 x 2048 counts per column reach the driver.

    Args:
        scored: Rows with a label of 0 or 1 and probabilities.
        label: The label's column.
        predictions: The columns of probabilities.
        block: What rows that depend on each other have in common, such as the day.

    Returns:
        The counts of each prediction column, in order; all have the same blocks.

    Raises:
        ModelError: A prediction is missing or no probability, or a label is neither 0 nor 1.
    """
    long = lengthen_scores(scored, label=F.col(label).cast("double"), predictions=predictions, block=block)
    cells = (
        long.groupBy("block", "model", find_bin(F.col("p"), F.col("label")).alias("bin"))
        .agg(*sum_scores())
        .orderBy("model", "block", "bin")  # sums on the driver are then always taken in the same order
        .toPandas()
    )
    _refuse_impossible(cells.loc[cells["bin"] < 0, ["model", "rows"]].to_numpy(), predictions)
    blocks = np.unique(cells["block"].to_numpy())
    values = {str(name): cells[name].to_numpy() for name in cells.columns}
    at_block = np.searchsorted(blocks, cells["block"].to_numpy())
    return [spread_counts(values, model, at_block, len(blocks)) for model in range(len(predictions))]


def lengthen_scores(
    scored: DataFrame, *, label: Column, predictions: Sequence[str], block: str | Column, kind: str = "double"
) -> DataFrame:
    """Each row with a label, once for each prediction column: `block`, `label`, `model` (position among the predictions) and `p`.

    Args:
        scored: Rows with predictions.
        label: What a row is known to be.
        predictions: Their columns.
        block: What dependent rows have in common.
        kind: SQL type of `p`.
    """
    judged = scored.where(label.isNotNull()).select(
        find_block(scored, block).alias("block"), label.alias("label"), *(f"`{name}`" for name in predictions)
    )
    models = [
        F.struct(F.lit(at).alias("model"), F.col(f"`{name}`").cast(kind).alias("p"))
        for at, name in enumerate(predictions)
    ]
    long = judged.select("block", "label", F.explode(F.array(*models)).alias("score"))
    return long.select("block", "label", "score.*")


def sum_scores() -> list[Column]:
    """What is counted of rows with a `label` and a probability `p`: the attributes of `ScoreCounts`."""
    p = F.greatest(F.least("p", F.lit(1 - EPSILON)), F.lit(EPSILON))
    return [
        F.count("*").alias("rows"),
        F.sum("label").alias("positives"),
        F.sum("p").alias("probability"),
        F.sum(-F.when(F.col("label") == 1, F.ln(p)).otherwise(F.ln(1 - p))).alias("log_loss"),
        F.sum((F.col("p") - F.col("label")) ** 2).alias("squared_error"),
    ]


def find_block(scored: DataFrame, block: str | Column) -> Column:
    """The number, below `MAX_BLOCKS`, of a row's block."""
    column = F.col(block) if isinstance(block, str) else block
    is_instant = isinstance(scored.select(column).schema[0].dataType, DateType | TimestampType)
    number = F.unix_date(column.cast("date")) if is_instant else F.xxhash64(column)
    return F.coalesce(F.pmod(number, F.lit(MAX_BLOCKS)), F.lit(0)).cast("int")


def find_bin(probability: Column, label: Column, bins: int = BINS) -> Column:
    """The bin of a probability on the scale of its log odds; -1 when it is none, or when the label is neither 0 nor 1.

    Bins of equal width in log odds keep the ranks of rare events apart, where bins of equal width in probability would
    put nearly all rows into the first.
    """
    clipped = F.greatest(F.least(probability, F.lit(1 - EPSILON)), F.lit(EPSILON))
    logit = F.greatest(F.least(F.ln(clipped / (1 - clipped)), F.lit(LOGIT_LIMIT)), F.lit(-LOGIT_LIMIT))
    at = F.floor((logit + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * bins).cast("int")
    possible = probability.isNotNull() & ~F.isnan(probability) & probability.between(0, 1) & label.isin(0.0, 1.0)
    return F.when(possible, F.least(at, F.lit(bins - 1))).otherwise(F.lit(-1))


def spread_counts(
    cells: "Mapping[str, NDArray[np.float64]]", model: int, at_block: "NDArray[np.intp]", blocks: int
) -> ScoreCounts:
    """The sums of one model of those by `block`, `model` and `bin`; `at_block` has the position of each one's block."""
    mine = cells["model"] == model
    at = (at_block[mine], cells["bin"][mine].astype(np.int64))

    def spread(name: str) -> "NDArray[np.float64]":
        counts = np.zeros((blocks, BINS))
        counts[at] = cells[name][mine]
        return counts

    return ScoreCounts(
        rows=spread("rows"),
        positives=spread("positives"),
        probability=spread("probability"),
        log_loss=spread("log_loss").sum(axis=1),
        squared_error=spread("squared_error").sum(axis=1),
    )


def _refuse_impossible(cells: "NDArray[np.float64]", predictions: Sequence[str]) -> None:
    if len(cells):
        found = ", ".join(f"{predictions[int(model)]}: {int(rows)}" for model, rows in cells)
        raise ModelError(
            "Rows cannot be judged: their prediction is missing or not between 0 and 1, or their label not 0 or 1. "
            f"Rows by prediction column: {found}. Score all rows, and give a label of 0 and 1."
        )
