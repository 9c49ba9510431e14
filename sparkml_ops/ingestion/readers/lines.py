"""Rows of text: what CSV and JSON are read from, so that nothing of a row is lost before it is judged."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import BLOCK, IS_ROW, POSITION, RAW
from sparkml_ops.ingestion.damage import READ_OPTIONS, Glance
from sparkml_ops.ingestion.files import literal_path
from sparkml_ops.ingestion.readers.records import read_records
from sparkml_ops.ingestion.readers.splitters import NOT_TEXT

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

# windows-1252 is iso-8859-1 with other characters from 0x80 to 0x9f, five of which are none.
_OF_WINDOWS = {byte: bytes([byte]).decode("cp1252", errors="ignore") for byte in range(0x80, 0xA0)}
_LATIN = "".join(chr(byte) for byte, sign in _OF_WINDOWS.items() if sign)
_NO_SIGN = "".join(chr(byte) for byte, sign in _OF_WINDOWS.items() if not sign)


def read_lines(spark: "SparkSession", source: "Source", files: Sequence[Glance]) -> "DataFrame":
    """All rows: `_raw`, `_fault` (why it is none, else null), `_is_row` (false for a blank line), and where each stands.

    `_position` grows from row to row of a block, the part of a file that one task reads; `_block` is where that begins. It counts
    lines, or the values of JSON that is not in lines.
    """
    if source.multiline or source.encoding == "utf-16":
        return read_records(spark, source, files)
    return decode_lines(read_text(spark, files).withColumn(POSITION, F.monotonically_increasing_id()), source)


def read_text(spark: "SparkSession", files: Sequence[Glance]) -> "DataFrame":
    """Lines as they came (`value`), each with the file and the block that it stands in."""
    return (
        spark.read.options(**READ_OPTIONS)
        .text([literal_path(file.path) for file in files])
        .select(
            "value",
            F.col("_metadata.file_path").alias("_source_file"),
            F.col("_metadata.file_block_start").alias(BLOCK),
        )
    )


def decode_lines(lines: "DataFrame", source: "Source") -> "DataFrame":
    """Lines as they came (`value`) -> `_raw`, `_fault` and `_is_row`; other columns stay."""
    text, is_text = _decode(source)
    others = [name for name in lines.columns if name != "value"]
    decoded = lines.select(text.alias(RAW), F.when(~is_text, NOT_TEXT).alias("_fault"), *others)
    return decoded.withColumn(IS_ROW, F.trim(RAW) != "")


def _decode(source: "Source") -> tuple["Column", "Column"]:
    """Spark takes the bytes of a line for UTF-8 without looking."""
    if source.encoding == "utf-8":
        is_text = F.is_valid_utf8("value")
        return F.when(is_text, F.col("value")).otherwise(F.make_valid_utf8("value")), is_text
    text = F.decode(F.col("value").cast("binary"), "iso-8859-1")
    if source.encoding == "iso-8859-1":
        return text, F.lit(True)
    is_text = ~F.regexp_like(text, F.lit(f"[{_NO_SIGN}]"))
    signs = "".join(_OF_WINDOWS.values())
    return F.translate(text, _LATIN + _NO_SIGN, signs + "\ufffd" * len(_NO_SIGN)), is_text
