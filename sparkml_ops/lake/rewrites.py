"""Rows put into a table by writing anew the files that hold the rows they replace, and no others, in one commit.

It is what a merge does, for one who knows already which files these are: a merge has to find them, and then joins whole rows with whole
rows, where here the rows that stay are told by their keys alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.transactions import (
    delta_classes,
    from_seq,
    has_transactions,
    list_metrics,
    noting,
    read_files,
    start_transaction,
    to_seq,
)

_ASKS_FOR_MORE = ("delta.enableChangeDataFeed", "delta.enableRowTracking")
_ROWS_OF_A_FILE = 1_000_000
_MOST_AT_HAND = 2_000_000  # keys


@dataclass(frozen=True)
class Places:
    """Where the rows of some keys are.

    Attributes:
        keys: the columns that name a row; none of their values is null.
        version: of the table.
        files: the names of the files that hold such a row.
        rows: how many rows these are.
    """

    keys: Sequence[str]
    version: int
    files: Collection[str]
    rows: int


def put_into_files(lake: Lake, table: str, rows: DataFrame, *, places: Places, rows_put: int, note: str) -> bool:
    """Put rows in, and take out those of the same keys; False, and nothing done, where only a merge can.

    That is where the table has moved on since it was looked at, keeps a change feed or the
    identity of rows, stands in a catalog, or has other columns.

    Args:
        lake: where the table is.
        table: its name.
        rows: the new rows, one of each key.
        places: where the rows of these keys are.
        rows_put: how many new rows there are.
        note: marks the commit.
    """
    if lake.database is not None or not has_transactions(lake):
        return False
    transaction = start_transaction(lake, table)
    properties = from_seq(lake, transaction.metadata().configuration())
    touched = _find_files(lake, transaction, places.files)
    kept = read_files(lake, transaction, touched)
    is_same = transaction.snapshot().version() == places.version and len(touched) == len(places.files)
    asks_for_more = any(properties.get(name) == "true" for name in _ASKS_FOR_MORE)
    if not is_same or asks_for_more or set(kept.dtypes) != set(rows.dtypes):
        return False
    named = rows.select(*places.keys)
    others = kept.join(F.broadcast(named) if rows_put <= _MOST_AT_HAND else named, [*places.keys], "left_anti")
    new = others.select(*kept.columns).union(rows.select(*kept.columns).coalesce(-(-rows_put // _ROWS_OF_A_FILE)))
    with noting(lake, note):
        added = transaction.writeFiles(new._jdf)  # noqa: SLF001
        before = sum(int(file.numLogicalRecords().get()) for file in touched if file.numLogicalRecords().isDefined())
        figures = {
            "operationNumSourceRows": rows_put,
            "numTargetRowsCopied": max(before - places.rows, 0),
            "numTargetRowsInserted": rows_put - places.rows,
            "numTargetRowsUpdated": places.rows,
            "numTargetRowsDeleted": 0,
            "numTargetFilesRemoved": len(touched),
            "numTargetFilesAdded": added.size(),
        }
        transaction.registerSQLMetrics(lake.spark._jsparkSession, list_metrics(lake, figures))  # noqa: SLF001
        removed = to_seq(lake, [file.remove() for file in touched])
        transaction.commit(added.appendedAll(removed), _tell_merge(lake))
    return True


def _find_files(lake: Lake, transaction: Any, names: Collection[str]) -> list[Any]:
    """The files of these names. All are asked for, so that no other writer's commit can come between."""
    everything = to_seq(lake, [lake.spark._jvm.org.apache.spark.sql.catalyst.expressions.Literal.TrueLiteral()])  # type: ignore[union-attr]  # noqa: SLF001
    files = from_seq(lake, transaction.filterFiles(everything, True))  # with how many rows they have
    return [file for file in files if file.path().rpartition("/")[2] in names]


def _tell_merge(lake: Lake) -> Any:
    nothing, none = lake.spark._jvm.scala.Option.empty(), to_seq(lake, [])  # type: ignore[union-attr]  # noqa: SLF001
    return getattr(delta_classes(lake), "DeltaOperations$Merge")(nothing, nothing, nothing, nothing, none, none, none)
