"""Two models on each slice of the rows, so that a gain overall cannot hide a loss somewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from sparkml_ops.errors import ModelError
from sparkml_ops.models.score_counts import find_bin

MAX_VALUES = 30  # of a column, its most frequent ones: each has 64 blocks of bins on the driver
MAX_SLICES = 1000  # the largest ones; a column with more values than this is a key, not a slice


@dataclass(frozen=True)
class SliceResult:
    """The figure of both models on one slice: ROC AUC, or of a regression RMSE.

    Attributes:
        column: The column that slices.
        value: Its value, as text; None for null.
        rows: Rows with a label.
        candidate: The candidate's figure; None when the slice has a single class.
        champion: The champion's.
        loss: Champion minus candidate, of RMSE the share by which it is higher: above zero where the candidate is worse.
    """

    column: str
    value: str | None
    rows: int
    candidate: float | None
    champion: float | None
    loss: float | None


def compare_slices(
    scored: DataFrame, *, by: Sequence[str], label: str, candidate: str, champion: str, minimum_rows: int = 1
) -> list[SliceResult]:
    """ROC AUC of two prediction columns on every slice, in one pass; ties within a score bin count half.

    Ranks are counted in Spark: only finished slices reach the driver, at most `MAX_SLICES` of them, largest first.

    Args:
        scored: Rows with a label of 0 or 1 (rows where it is null are left out) and two columns of probabilities.
        by: Columns that slice.
        label: The label's column.
        candidate: The candidate's predictions.
        champion: The champion's predictions.
        minimum_rows: Smaller slices are left out.
    """
    bins = bin_slices(scored, by=by, label=label, predictions=(candidate, champion)).groupBy(
        "column", "value", "model", "bin"
    )
    counted = bins.agg(F.count("*").alias("rows"), F.sum("label").alias("positives"))
    negatives = F.col("rows") - F.col("positives")
    lower_bins = (
        Window.partitionBy("column", "value", "model").orderBy("bin").rowsBetween(Window.unboundedPreceding, -1)
    )
    below = F.coalesce(F.sum(negatives).over(lower_bins), F.lit(0.0))
    ranked = counted.withColumn("wins", F.col("positives") * (below + negatives / 2))
    pairs = F.sum("positives") * F.sum(negatives)
    areas = ranked.groupBy("column", "value", "model").agg(
        F.sum("rows").alias("rows"),
        F.when(pairs > 0, F.sum("wins") / pairs).alias("area"),
        F.min("bin").alias("lowest_bin"),
    )
    finished = areas.groupBy("column", "value").agg(
        F.max("rows").alias("rows"),
        F.max(F.when(F.col("model") == 0, F.col("area"))).alias("candidate"),
        F.max(F.when(F.col("model") == 1, F.col("area"))).alias("champion"),
        F.min("lowest_bin").alias("lowest_bin"),
    )
    return [_read_slice(row) for row in take_largest(finished, minimum_rows)]


def list_slices(by: Sequence[str]) -> Column:
    """The slices that a row is in: an array of structs with `column` and `value` (text; null is a value)."""
    return F.array(
        *(F.struct(F.lit(name).alias("column"), F.col(f"`{name}`").cast("string").alias("value")) for name in by)
    )


def name_others(long: DataFrame, *, minimum_rows: int) -> DataFrame:
    """Rows with `column` and `value` of a slice -> the same with `is_others`, which all values have that are no slice of their own.

    Their value is then null.
    """
    frequent = Window.partitionBy("kept_column").orderBy(F.desc("count"), "kept_value")
    kept = (
        long.groupBy(F.col("column").alias("kept_column"), F.col("value").alias("kept_value"))
        .count()
        .where(F.col("count") >= minimum_rows)
        .withColumn("place", F.row_number().over(frequent))
        .where(F.col("place") <= MAX_VALUES)
    )
    is_kept = (F.col("column") == F.col("kept_column")) & F.col("value").eqNullSafe(F.col("kept_value"))
    return (
        long.join(F.broadcast(kept), is_kept, "left")
        .withColumn("is_others", F.col("kept_column").isNull())
        .withColumn("value", F.col("kept_value"))
        .drop("kept_column", "kept_value", "count", "place")
    )


def take_largest(finished: DataFrame, minimum_rows: int) -> list[Row]:
    """The slices with enough `rows`, at most `MAX_SLICES`, the largest first."""
    kept = finished.where(F.col("rows") >= minimum_rows).orderBy(F.desc("rows"), "column", "value").limit(MAX_SLICES)
    return kept.collect()


def bin_slices(
    scored: DataFrame, *, by: Sequence[str], label: str, predictions: Sequence[str], beside: Sequence[Column] = ()
) -> DataFrame:
    """Each row with a label, once for each slice that it is in and each prediction column.

    Args:
        scored: Rows with a label of 0 or 1 and probabilities.
        by: Columns that slice.
        label: The label's column.
        predictions: The columns of probabilities.
        beside: Columns to keep, named by an alias.

    Returns:
        `column` and `value` (text; null is a value) of the slice, `label`, `model` (position among the predictions), `p`,
        its `bin`, which is -1 where it cannot be judged, and the columns beside.
    """
    models = F.array(*(_pair(at, name) for at, name in enumerate(predictions)))
    labelled = scored.where(F.col(label).isNotNull()).select(
        *beside,
        F.col(label).cast("double").alias("label"),
        F.explode(list_slices(by)).alias("slice"),
        models.alias("models"),
    )
    kept = [name for name in labelled.columns if name not in {"slice", "models"}]
    long = labelled.select(*kept, "slice.*", F.explode("models").alias("score"))
    return long.select(*kept, "column", "value", "score.*", find_bin(F.col("score.p"), F.col("label")).alias("bin"))


def _pair(model: int, prediction: str) -> Column:
    return F.struct(F.lit(model).alias("model"), F.col(prediction).cast("double").alias("p"))


def _read_slice(row: Row) -> SliceResult:
    if row["lowest_bin"] < 0:
        raise ModelError(
            f"The slice {row['column']} = {row['value']} cannot be judged: predictions are missing or not between 0 "
            "and 1, or labels are neither 0 nor 1. Score all rows, and give a label of 0 and 1."
        )
    candidate, champion = row["candidate"], row["champion"]
    return SliceResult(
        column=row["column"],
        value=row["value"],
        rows=row["rows"],
        candidate=candidate,
        champion=champion,
        loss=None if candidate is None else champion - candidate,
    )
