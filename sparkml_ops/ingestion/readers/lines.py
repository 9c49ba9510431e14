"""Lines of text: what CSV and JSON lines are read from, so that nothing of a line is lost before it is judged."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import BLOCK, IS_ROW, POSITION, RAW
from sparkml_ops.ingestion.files import literal_path

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

NOT_TEXT = "row: is not UTF-8; `encoding` of the source names another"
BYTE_ORDER_MARK = "\ufeff"


def read_lines(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """All lines: `_raw`, `_is_text` (false where the bytes are not UTF-8), `_is_row` (false for a blank line), and where each stands.

    `_position` grows by one from line to line of a block, the part of a file that one task reads; `_block` is where that begins.
    """
    lines = spark.read.text([literal_path(path) for path in paths])
    text, is_text = _decode(source)
    lines = lines.select(
        text.alias(RAW),
        is_text.alias("_is_text"),
        F.col("_metadata.file_path").alias("_source_file"),
        F.col("_metadata.file_block_start").alias(BLOCK),
        F.monotonically_increasing_id().alias(POSITION),
    )
    return lines.withColumn(IS_ROW, F.trim(RAW) != "")


def _decode(source: "Source") -> tuple["Column", "Column"]:
    """Spark takes the bytes of a line for UTF-8 without looking."""
    if source.encoding != "utf-8":
        return F.decode(F.col("value").cast("binary"), source.encoding), F.lit(True)
    is_text = F.is_valid_utf8("value")
    return F.when(is_text, F.col("value")).otherwise(F.make_valid_utf8("value")), is_text
