"""Two regressions on each slice of the rows, so that a gain overall cannot hide a loss somewhere."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from sparkml_ops.errors import ModelError
from sparkml_ops.models.slices import SliceResult, list_slices, take_largest


def compare_slices(
    scored: DataFrame, *, by: Sequence[str], label: str, candidate: str, champion: str, minimum_rows: int = 1
) -> list[SliceResult]:
    """RMSE of two prediction columns on every slice, in one pass; at most `MAX_SLICES`, the largest first.

    The loss is the share by which the candidate's is higher, since a slice with large labels has large errors.

    Args:
        scored: Rows with a number as label (rows where it is null are left out) and two columns of predictions.
        by: Columns that slice.
        label: The label's column.
        candidate: The candidate's predictions.
        champion: The champion's predictions.
        minimum_rows: Smaller slices are left out.
    """
    long = (
        scored.where(F.col(label).isNotNull())
        .select(
            *((F.col(name).cast("double") - F.col(label).cast("double")).alias(alias) for name, alias in ((candidate, "one"), (champion, "other"))),
            F.explode(list_slices(by)).alias("slice"),
        )
        .select("one", "other", "slice.*")
    )  # fmt: skip
    finished = long.groupBy("column", "value").agg(
        F.count("*").alias("rows"),
        F.sqrt(F.avg(F.col("one") ** 2)).alias("candidate"),
        F.sqrt(F.avg(F.col("other") ** 2)).alias("champion"),
        F.count_if(F.isnull("one") | F.isnull("other") | F.isnan("one") | F.isnan("other")).alias("wrong"),
    )
    return [_read_slice(row) for row in take_largest(finished, minimum_rows)]


def _read_slice(row: Row) -> SliceResult:
    if row["wrong"]:
        raise ModelError(
            f"The slice {row['column']} = {row['value']} cannot be judged: {row['wrong']} predictions or labels are missing or not "
            "finite. Score all rows, and give a label that is a number."
        )
    candidate, champion = row["candidate"], row["champion"]
    # A champion without any error cannot be beaten, and any error is infinitely more.
    loss = candidate / champion - 1 if champion else 0.0 if not candidate else float("inf")
    return SliceResult(row["column"], row["value"], row["rows"], candidate, champion, loss)
