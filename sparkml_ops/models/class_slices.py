"""Two models of several classes on each slice of the rows, so that a gain overall cannot hide a loss somewhere."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from sparkml_ops.errors import ModelError
from sparkml_ops.models.class_counts import describe_answer
from sparkml_ops.models.slices import SliceResult, list_slices, take_largest


def compare_slices(
    scored: DataFrame, *, by: Sequence[str], label: str, candidate: str, champion: str, minimum_rows: int = 1
) -> list[SliceResult]:
    """Accuracy of two prediction columns on every slice, in one pass; at most `MAX_SLICES`, the largest first.

    Args:
        scored: Rows with the name of a class as label (rows where it is null are left out) and two columns of probabilities by class.
        by: Columns that slice.
        label: The label's column.
        candidate: The candidate's predictions.
        champion: The champion's predictions.
        minimum_rows: Smaller slices are left out.
    """
    judged = scored.where(F.col(label).isNotNull()).select(
        *(_is_right(F.col(name), F.col(label).cast("string")).alias(told) for name, told in ((candidate, "one"), (champion, "other"))),
        F.explode(list_slices(by)).alias("slice"),
    )  # fmt: skip
    finished = judged.groupBy("slice.column", "slice.value").agg(
        F.count("*").alias("rows"),
        F.avg("one").alias("candidate"),
        F.avg("other").alias("champion"),
        F.count_if(F.isnull("one") | F.isnull("other")).alias("wrong"),
    )
    return [_read_slice(row) for row in take_largest(finished, minimum_rows)]


def _is_right(p: Column, label: Column) -> Column:
    """1 where the most probable class is the label, else 0; null where the probabilities cannot be."""
    told = F.struct(*describe_answer(p, label))
    return F.when(told["is_possible"], told["predicted"].eqNullSafe(label).cast("double"))


def _read_slice(row: Row) -> SliceResult:
    if row["wrong"]:
        raise ModelError(
            f"The slice {row['column']} = {row['value']} cannot be judged: the probabilities of {row['wrong']} rows are missing, below 0, or "
            "do not add up to 1. Score all rows with a model that gives a probability for each class."
        )
    candidate, champion = row["candidate"], row["champion"]
    return SliceResult(row["column"], row["value"], row["rows"], candidate, champion, champion - candidate)
