"""The most frequent values of text columns."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def find_levels(rows: DataFrame, columns: Sequence[str], *, most: int, at_least: int = 1) -> dict[str, tuple[str, ...]]:
    """The `most` most frequent values of each column, most frequent first, ties by the alphabet; one pass for all.

    Args:
        rows: The rows.
        columns: Text columns.
        most: How many values of each column.
        at_least: Rows that a value needs.
    """
    if not columns:
        return {}
    pairs = F.explode(F.array(*(F.struct(F.lit(n).alias("name"), F.col(f"`{n}`").alias("level")) for n in columns)))
    present = rows.select(pairs.alias("pair")).select("pair.*").where("level is not null")
    rank = F.row_number().over(Window.partitionBy("name").orderBy(F.desc("count"), "level"))
    ranked = present.groupBy("name", "level").count().where(F.col("count") >= at_least).withColumn("rank", rank)
    kept = ranked.where(F.col("rank") <= most).orderBy("name", "rank").collect()
    return {name: tuple(row["level"] for row in kept if row["name"] == name) for name in columns}
