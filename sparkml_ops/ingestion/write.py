"""A batch's rows -> the clean and the quarantine table, each in one commit that is exactly once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.comments import comment_source
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import HEADER, RAW, VIOLATIONS
from sparkml_ops.ingestion.evolve import match_table
from sparkml_ops.ingestion.files import encoded_path
from sparkml_ops.ingestion.manifest import attempt_id, stamp_rows, write_name
from sparkml_ops.ingestion.merge import Taken, write_changes
from sparkml_ops.lake import (
    Commit,
    Lake,
    MergeRules,
    append_files,
    append_once,
    find_write,
    merge_rows,
    replace_slice,
    replace_table,
    table_exists,
    table_version,
)
from sparkml_ops.lake.describe import with_comments
from sparkml_ops.lake.statistics import hide_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from sparkml_ops.config.sources import Source
    from sparkml_ops.lake.footers import Footer


def write_clean(lake: Lake, source: "Source", batch: Batch, good: "DataFrame") -> Taken:
    """Write the rows that keep the contract as the batch's mode says."""
    good = _tell_meaning(source, good)
    if source.merge is not None:
        return write_changes(lake, source, batch, good)
    table, write_id = f"clean_{batch.source}", write_name(batch)
    rows = stamp_rows(good, batch)
    if batch.mode == "replace":
        return Taken(replace_table(lake, table, rows, write_id=write_id, never_null=source.key))
    rows = match_table(lake, source, table, rows)
    if batch.mode == "swap":
        where = {"_source_file": list_encoded(lake, batch)}
        return Taken(replace_slice(lake, table, rows, where=where, write_id=write_id))
    if batch.mode == "merge":
        return Taken(merge_rows(lake, table, rows, rules=MergeRules(source.key), write_id=write_id))
    return Taken(append_once(lake, table, rows, write_id=write_id))


def as_table(source: "Source", batch: Batch, rows: "DataFrame", *, kept: Sequence[str] = ()) -> "DataFrame":
    """Rows with the columns of the clean table, and behind them what else is kept."""
    return stamp_rows(_tell_meaning(source, rows), batch, kept=kept)


def write_files(lake: Lake, batch: Batch, footers: "Sequence[Footer]", columns: "StructType") -> Taken:
    """Add files that hold the rows that keep the contract, with the columns of the clean table."""
    return Taken(append_files(lake, f"clean_{batch.source}", footers, columns, write_id=write_name(batch)))


def _tell_meaning(source: "Source", rows: "DataFrame") -> "DataFrame":
    return hide_columns(with_comments(rows, comment_source(source)), source.personal_columns())


def write_quarantine(lake: Lake, batch: Batch, refused: "DataFrame", *, rows_refused: int) -> Commit:
    """Write the other rows as they came, with where they stood (`_line`) and why they were refused.

    Where there are none, and none of earlier batches to take away, the table is left alone.
    """
    table, write_id = f"quarantine_{batch.source}", attempt_id(batch)
    is_idle = not rows_refused and batch.mode in {"append", "merge"} and table_exists(lake, table)
    # A batch that was cut off after this write may judge its rows otherwise by now: what it wrote then still counts.
    if is_idle and find_write(lake, table, write_id) is None:
        return Commit(table, table_version(lake, table), 0, "committed")
    kept = refused.select(
        F.col(RAW).alias("raw"),
        F.col(HEADER).alias("header"),
        F.col(VIOLATIONS).alias("reasons"),
        F.col("_line").cast("bigint").alias("line"),
        "_source_file",
    )
    rows = hide_columns(stamp_rows(kept, batch), ["raw", "header"])  # nobody looks for a row by its text
    if batch.mode == "swap":
        return replace_slice(lake, table, rows, where={"_source_file": list_encoded(lake, batch)}, write_id=write_id)
    write = replace_table if batch.mode == "replace" else append_once
    return write(lake, table, rows, write_id=write_id)


def list_encoded(lake: Lake, batch: Batch) -> list[str]:
    """The batch's files as its rows tell them (`_source_file`)."""
    return [encoded_path(lake.spark, file.path) for file in batch.files]
