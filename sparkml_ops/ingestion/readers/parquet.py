"""Parquet: columns come typed, and are held against the contract like any other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import HEADER, RAW
from sparkml_ops.ingestion.files import literal_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source


def read_parquet(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read files by column name; the schemas of all files are merged."""
    del source  # Parquet needs no settings
    rows = spark.read.option("mergeSchema", "true").parquet(*(literal_path(path) for path in paths))
    return rows.select(
        "*",
        F.to_json(F.struct("*")).alias(RAW),
        F.lit(None).cast("string").alias(HEADER),
        F.lit(None).cast("string").alias("_malformed"),
        F.col("_metadata.file_path").alias("_source_file"),
    )
