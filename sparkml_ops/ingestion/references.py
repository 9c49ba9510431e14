"""References: a value that must be a value of another source's table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import VIOLATIONS, list_reasons, reference_reason
from sparkml_ops.ingestion.manifest import write_name
from sparkml_ops.lake import Lake, read_table, table_exists, version_beside

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source

Parents = Mapping[str, "DataFrame"]
"""The values that a column may have, one of each, by the column."""


def read_parents(lake: Lake, source: "Source", batch: Batch) -> tuple[Parents, dict[str, int]]:
    """The values that each column with `references` may have, and the versions of the tables that they were read from.

    A batch that was cut off after its first commit is held against the tables as they were then: what was mended since may judge its
    rows otherwise, and the rows that are in the table by now would no longer be those that it takes in.

    Raises:
        ContractError: a table that is referred to is not there yet.
    """
    parents: dict[str, DataFrame] = {}
    versions: dict[str, int] = {}
    for column, rule in source.columns.items():
        if rule.references is None:
            continue
        other, _, key = rule.references.partition(".")
        table = f"clean_{other}"
        if not table_exists(lake, table):
            raise ContractError(
                f"source {batch.source}: {column} refers to {rule.references}, and {table} is not there yet. Nothing was written. "
                f"Run `sparkml-ops ingest … --source {other}` first."
            )
        if table not in versions:
            begun = [f"deleted_{batch.source}", f"clean_{batch.source}"]
            versions[table] = version_beside(lake, table, of=begun, write_id=write_name(batch))
        rows = read_table(lake, table, version=versions[table])
        parents[column] = rows.select(F.col(key).alias(column)).where(F.col(column).isNotNull()).distinct()
    return parents, versions


def flag_orphans(judged: "DataFrame", source: "Source", parents: Parents) -> "DataFrame":
    """Add a violation to each row that refers to what is not there; rows are looked at whole only where there are any.

    Args:
        judged: rows with the columns of the contract and `_violations`.
        source: the contract.
        parents: what `read_parents` found.
    """
    for column, known in parents.items():
        there = judged.where(F.col(column).isNotNull()).select(column).distinct()
        orphans = there.join(known, column, "left_anti")
        if orphans.isEmpty():
            continue
        marked = judged.join(known.withColumn("_known", F.lit(True)), column, "left").select(*judged.columns, "_known")
        is_orphan = F.col(column).isNotNull() & F.col("_known").isNull()
        reason = list_reasons([F.when(is_orphan, F.lit(reference_reason(column, source.columns[column])))])
        judged = marked.withColumn(VIOLATIONS, F.concat(VIOLATIONS, reason)).drop("_known")
    return judged
