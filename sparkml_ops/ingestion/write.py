"""A batch's rows -> the clean and the quarantine table, each in one commit that is exactly once."""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import HEADER, RAW, VIOLATIONS
from sparkml_ops.ingestion.files import encoded_path
from sparkml_ops.ingestion.manifest import attempt_id, stamp_rows
from sparkml_ops.lake import Commit, Lake, MergeRules, append_once, merge_rows, replace_slice, replace_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source


def write_clean(lake: Lake, source: "Source", batch: Batch, good: "DataFrame") -> Commit:
    """Write the rows that keep the contract as the batch's mode says."""
    table, write_id = f"clean_{batch.source}", attempt_id(batch)
    rows = stamp_rows(good, batch)
    if batch.mode == "replace":
        return replace_table(lake, table, rows, write_id=write_id)
    if batch.mode == "swap":
        return replace_slice(lake, table, rows, where={"_source_file": list_encoded(lake, batch)}, write_id=write_id)
    if batch.mode == "merge":
        return merge_rows(lake, table, rows, rules=MergeRules(source.key), write_id=write_id)
    return append_once(lake, table, rows, write_id=write_id)


def write_quarantine(lake: Lake, batch: Batch, refused: "DataFrame") -> Commit:
    """Write the other rows as they came, with where they stood (`_line`) and why they were refused."""
    table, write_id = f"quarantine_{batch.source}", attempt_id(batch)
    kept = refused.select(
        F.col(RAW).alias("raw"),
        F.col(HEADER).alias("header"),
        F.col(VIOLATIONS).alias("reasons"),
        F.col("_line").cast("bigint").alias("line"),
        "_source_file",
    )
    rows = stamp_rows(kept, batch)
    if batch.mode == "swap":
        return replace_slice(lake, table, rows, where={"_source_file": list_encoded(lake, batch)}, write_id=write_id)
    write = replace_table if batch.mode == "replace" else append_once
    return write(lake, table, rows, write_id=write_id)


def list_encoded(lake: Lake, batch: Batch) -> list[str]:
    """The batch's files as its rows tell them (`_source_file`)."""
    return [encoded_path(lake.spark, file.path) for file in batch.files]
