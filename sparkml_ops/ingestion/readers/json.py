"""JSON lines: one object per line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.files import literal_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source


def read_json(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read one object per line, every value as text; a line that is no object is kept in `_malformed`."""
    del source  # JSON needs no settings
    rows = (
        spark.read.option("primitivesAsString", "true")
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", "_malformed")
        .json([literal_path(path) for path in paths])
    )
    if "_malformed" not in rows.columns:
        rows = rows.withColumn("_malformed", F.lit(None).cast("string"))
    return rows.withColumn("_source_file", F.col("_metadata.file_path"))
