"""How often rows of each group are taken for positive: all of them, and those that are."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.slices import list_slices, take_largest


@dataclass(frozen=True)
class GroupCounts:
    """Counted rows of one group.

    Attributes:
        column: The column that groups.
        value: Its value, as text; None for null.
        rows: Rows with a label.
        taken: Of these, rows whose probability reaches the threshold.
        positives: Rows with label 1.
        hits: Of these, rows whose probability reaches the threshold.
    """

    column: str
    value: str | None
    rows: int
    taken: int
    positives: int
    hits: int


def count_groups(
    scored: DataFrame, *, by: Sequence[str], label: str, prediction: str, threshold: float
) -> list[GroupCounts]:
    """Count the rows of every group in one pass: at most `slices.MAX_SLICES`, the largest first.

    Args:
        scored: Rows with a label of 0 or 1 (rows where it is null are left out) and probabilities.
        by: Columns that group; null is a group.
        label: The label's column.
        prediction: The column of probabilities.
        threshold: From which probability on a row is taken for positive.
    """
    is_taken, is_positive = F.col(prediction) >= threshold, F.col(label).cast("double") == 1
    long = scored.where(F.col(label).isNotNull()).select(
        is_taken.alias("taken"), is_positive.alias("positive"), F.explode(list_slices(by)).alias("slice")
    )
    counted = long.groupBy("slice.column", "slice.value").agg(
        F.count("*").alias("rows"),
        F.count_if("taken").alias("taken"),
        F.count_if("positive").alias("positives"),
        F.count_if(F.col("taken") & F.col("positive")).alias("hits"),
    )
    return [GroupCounts(**row.asDict()) for row in take_largest(counted, 1)]
