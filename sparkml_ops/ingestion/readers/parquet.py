"""Parquet: columns come typed, and are held against the contract like any other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import BLOCK, HEADER, IS_ROW, POSITION, RAW, name_columns
from sparkml_ops.ingestion.files import literal_path, plain_path
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source


def read_parquet(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read files by column name; the schemas of all files are merged."""
    rows = spark.read.option("mergeSchema", "true").parquet(*(literal_path(path) for path in paths))
    names = name_columns(rows.columns, source, place=plain_path(paths[0]))
    columns = [F.col(quote_identifier(name)) for name in names]
    return rows.select(
        *columns,
        F.to_json(F.struct(*columns)).alias(RAW),
        F.lit(None).cast("string").alias(HEADER),
        F.lit(None).cast("string").alias("_malformed"),
        F.col("_metadata.file_path").alias("_source_file"),
        F.lit(True).alias(IS_ROW),
        F.lit(0).cast("bigint").alias(BLOCK),
        F.col("_metadata.row_index").alias(POSITION),
    )
