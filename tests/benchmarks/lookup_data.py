"""Moments and rows of features, generated in Spark, and the look-ups that a user would write without this framework."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pandas as pd
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from sparkml_ops.features import ViewRows
from sparkml_ops.features.entity_hash import ENTITY_HASH, GROUP_BYTES, hash_column
from sparkml_ops.lake import Lake, grouping_rows, has_plain_files, read_table, replace_table

TTL = timedelta(days=30)
BUSY_KEY, BUSY_SHARE = 7, 0.3
_SECONDS = 365 * 24 * 3600
_BUCKETS = 16


def make_tables(lake: Lake, *, rows: int, columns: int, busy: bool) -> None:
    """`features_v` and `spine`: one year, 100 rows and 40 moments for each key, or 30 % of all for one of them."""
    features = {f"f{number}": F.rand(100 + number) for number in range(columns)}
    timed = _draw(lake.spark, rows, keys=max(rows // 100, 1), busy=busy, seed=1)
    table = timed.select(
        "customer",
        F.col("at").alias("timestamp"),
        F.col("at").alias("_known_at"),
        *(v.alias(k) for k, v in features.items()),
    )
    # In the order in which a build leaves a `select` view.
    hash_ = hash_column(table.schema, ["customer"])
    laid = table.select("*", hash_).repartitionByRange("timestamp").sortWithinPartitions(ENTITY_HASH, "timestamp")
    with grouping_rows(lake, GROUP_BYTES):
        replace_table(lake, "features_v", laid, write_id="rows")
    moments = _draw(lake.spark, rows * 2 // 5, keys=max(rows // 100, 1), busy=busy, seed=2)
    replace_table(lake, "spine", moments.select("id", "customer", "at"), write_id="moments")


def _draw(spark: SparkSession, number: int, *, keys: int, busy: bool, seed: int) -> DataFrame:
    key = F.floor(F.rand(seed) * keys)
    if busy:
        key = F.when(F.rand(seed + 10) < BUSY_SHARE, F.lit(BUSY_KEY)).otherwise(key)
    micros = F.floor(F.rand(seed + 20) * (_SECONDS * 1_000_000)).cast("long") + F.lit(1_704_067_200_000_000)
    return spark.range(0, number, 1, 4).select(
        "id", key.cast("long").alias("customer"), F.timestamp_micros(micros).alias("at")
    )


def open_view(lake: Lake, *, table: str = "features_v", name: str = "v") -> ViewRows:
    """The view as the look-up takes it."""
    rows = read_table(lake, table)
    columns = tuple(
        column for column in rows.columns if column not in {"customer", "timestamp", "_known_at", ENTITY_HASH}
    )
    return ViewRows(name, ("customer",), columns, rows, TTL, has_plain_files=has_plain_files(lake, table))


Method = Callable[[DataFrame, DataFrame], DataFrame]


def merge_in_pandas(moments: DataFrame, rows: DataFrame) -> DataFrame:
    """Cogroup over hash buckets, `pandas.merge_asof` in each: the fastest of PERFORMANCE.md's ways in Spark."""
    bucket = F.pmod(F.xxhash64("customer"), F.lit(_BUCKETS)).alias("bucket")
    columns = [name for name in rows.columns if name.startswith("f")]

    def merge(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
        merged = pd.merge_asof(
            ours.sort_values("at"),
            theirs.sort_values("timestamp"),
            left_on="at",
            right_on="timestamp",
            by="customer",
            tolerance=pd.Timedelta(TTL),
        )
        return merged[["id", "customer", "at", *columns]]

    schema = ", ".join(["id long, customer long, at timestamp", *(f"{name} double" for name in columns)])
    theirs = rows.select(bucket, "customer", "timestamp", *columns)
    return (
        moments.select(bucket, "*")
        .groupBy("bucket")
        .cogroup(theirs.groupBy("bucket"))
        .applyInPandas(lambda one, two: merge(one.drop(columns="bucket"), two.drop(columns="bucket")), schema)
    )


def carry_in_window(moments: DataFrame, rows: DataFrame) -> DataFrame:
    """Union of both, sorted by time, the last row carried on."""
    columns = [name for name in rows.columns if name.startswith("f")]
    news = rows.select(
        "customer",
        F.col("timestamp").alias("time"),
        F.lit(0).alias("kind"),
        F.struct("timestamp", *columns).alias("row"),
    )
    asked = moments.select("customer", F.col("at").alias("time"), F.lit(1).alias("kind"), "id", "at")
    so_far = Window.partitionBy("customer").orderBy("time", "kind").rowsBetween(Window.unboundedPreceding, 0)
    carried = news.unionByName(asked, allowMissingColumns=True).withColumn(
        "last", F.last("row", ignorenulls=True).over(so_far)
    )
    is_young = F.col("last.timestamp") >= F.col("at") - F.expr("INTERVAL 30 DAYS")
    return carried.where("kind = 1").select(
        "id", "customer", "at", *(F.when(is_young, F.col(f"last.{name}")).alias(name) for name in columns)
    )


def join_by_inequality(moments: DataFrame, rows: DataFrame) -> DataFrame:
    """Join on the key and a range of time, keep the newest by `row_number`."""
    columns = [name for name in rows.columns if name.startswith("f")]
    joined = _join_range(moments, rows, "left")
    newest = Window.partitionBy("id").orderBy(F.col("timestamp").desc())
    numbered = joined.withColumn("place", F.row_number().over(newest)).where("place = 1")
    return numbered.select("id", "customer", "at", *columns)


def join_as_feast(moments: DataFrame, rows: DataFrame) -> DataFrame:
    """The steps of Feast's template for Spark, for one view with a column of creation.

    Moments get a text as their name and are made different; rows are joined by key and range of time; the last creation of each (moment,
    timestamp) is kept; `row_number` takes the latest; that is joined back to the rows, and these to the moments.
    """
    columns = [name for name in rows.columns if name.startswith("f")]
    name = F.concat(F.col("customer").cast("string"), F.col("at").cast("string")).alias("moment")
    named = moments.select("*", name)
    asked = named.select("customer", "at", "moment").distinct()
    base = _join_range(asked, rows, "inner").select(
        "moment", "timestamp", F.col("_known_at").alias("created"), *columns
    )
    created = base.groupBy("moment", "timestamp").agg(F.max("created").alias("created"))
    kept = base.join(created, ["moment", "timestamp", "created"])
    newest = Window.partitionBy("moment").orderBy(F.col("timestamp").desc(), F.col("created").desc())
    latest = kept.withColumn("place", F.row_number().over(newest)).where("place = 1")
    cleaned = base.join(latest.select("moment", "timestamp", "created"), ["moment", "timestamp", "created"])
    return named.join(cleaned.select("moment", *columns), "moment", "left").select("id", "customer", "at", *columns)


def _join_range(moments: DataFrame, rows: DataFrame, how: str) -> DataFrame:
    theirs = rows.withColumnRenamed("customer", "their_customer")
    is_seen = (F.col("customer") == F.col("their_customer")) & (F.col("timestamp") <= F.col("at"))
    return moments.join(theirs, is_seen & (F.col("timestamp") >= F.col("at") - F.expr("INTERVAL 30 DAYS")), how)


SPARK_METHODS: Mapping[str, Method] = {
    "merge_asof": merge_in_pandas,
    "window": carry_in_window,
    "row_number": join_by_inequality,
    "feast": join_as_feast,
}


def digest(joined: DataFrame) -> tuple[int, int]:
    """Rows, and a hash of them that no order changes."""
    columns = [name for name in joined.columns if name.startswith(("f", "v__f"))]
    hashes = F.xxhash64("id", "customer", "at", *columns).cast("decimal(38,0)")
    number, total = joined.agg(F.count("*"), F.sum(hashes)).collect()[0]
    return number, int(total)
