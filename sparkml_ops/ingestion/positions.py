"""On which line of its file a row stands."""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.ingestion.contract import BLOCK, POSITION

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def number_lines(rows: "DataFrame", lines: "DataFrame", *, in_block: "Column | None" = None) -> "DataFrame":
    """Add `_line`, which counts from 1, as an editor does; for Parquet and for JSON with `multiline` it is the number of the row.

    A file is read in blocks, side by side, so a line is counted from the first of its block, after all lines of the blocks before.

    Args:
        rows: with `_source_file`, `_block`, `_position`.
        lines: all lines of the same reading, rows or not, with the same columns.
        in_block: aggregate that says how many lines a block has; by default all are in `lines`.
    """
    file = ["_source_file", BLOCK]
    blocks = lines.groupBy(*file).agg(
        F.min(POSITION).alias("_first"), (F.count("*") if in_block is None else in_block).alias("_lines")
    )
    earlier = Window.partitionBy("_source_file").orderBy(BLOCK).rowsBetween(Window.unboundedPreceding, -1)
    starts = blocks.select(
        *file, (F.coalesce(F.sum("_lines").over(earlier), F.lit(0)) - F.col("_first")).alias("_shift")
    )
    numbered = rows.join(starts, file).withColumn("_line", F.col(POSITION) + F.col("_shift") + 1)
    return numbered.drop("_shift")
