"""Rows put into a table by writing anew the files that hold the rows they replace, and no others, in one commit.

It is what a merge does, for one who knows already which files these are: a merge has to find them, and then joins whole rows with whole
rows, where here the rows that stay are told by their keys alone. And it is what an overwrite of some rows does, by two jobs instead of three.
"""

from collections.abc import Collection, Iterable, Sequence
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
    touched = _find_files(lake, transaction, places.files)
    kept = read_files(lake, transaction, touched)
    is_same = transaction.snapshot().version() == places.version and len(touched) == len(places.files)
    if not is_same or _asks_for_more(lake, transaction) or set(kept.dtypes) != set(rows.dtypes):
        return False
    named = rows.select(*places.keys)
    others = kept.join(F.broadcast(named) if rows_put <= _MOST_AT_HAND else named, [*places.keys], "left_anti")
    new = others.select(*kept.columns).union(rows.select(*kept.columns).coalesce(-(-rows_put // _ROWS_OF_A_FILE)))
    with noting(lake, note):
        added = transaction.writeFiles(new._jdf)  # noqa: SLF001
        before = _count_rows(touched)
        figures = {
            "operationNumSourceRows": rows_put,
            "numTargetRowsCopied": max(before - places.rows, 0),
            "numTargetRowsInserted": rows_put - places.rows,
            "numTargetRowsUpdated": places.rows,
            "numTargetRowsDeleted": 0,
            "numTargetFilesRemoved": len(touched),
            "numTargetFilesAdded": added.size(),
        }
        _commit(lake, transaction, added, touched, figures=figures, operation=_tell_merge(lake))
    return True


@dataclass(frozen=True)
class Replaced:
    """The rows of a table of which a condition is true.

    Attributes:
        condition: SQL.
        version: of the table.
        files: those that hold such a row, as the log has them.
        rows: how many rows these are.
    """

    condition: str
    version: int
    files: Sequence[Any]
    rows: int


def find_replaced(lake: Lake, table: str, condition: str) -> Replaced | None:
    """Look for the rows that a condition is true of; None where Delta's own overwrite has to replace them.

    Reads the files that may hold one, by their statistics. It may run beside the job that makes the rows to put in their place.
    """
    if lake.database is not None or not has_transactions(lake):
        return None
    transaction = start_transaction(lake, table)
    if _asks_for_more(lake, transaction):
        return None
    within: Any = read_files(lake, transaction, []).filter(F.expr(condition))._jdf  # noqa: SLF001
    resolved = to_seq(lake, [within.queryExecution().analyzed().condition()])
    files = list(from_seq(lake, transaction.filterFiles(resolved, True)))
    there = read_files(lake, transaction, files).filter(F.expr(condition))
    by_file = {row[0]: row[1] for row in there.groupBy("_metadata.file_name").count().collect()}
    held = [file for file in files if _name_file(file) in by_file]
    if len(held) != len(by_file):  # two of one name, in folders
        return None
    return Replaced(condition, transaction.snapshot().version(), held, sum(by_file.values()))


def replace_in_files(lake: Lake, table: str, rows: DataFrame, *, replaced: Replaced, note: str) -> bool:
    """Put rows in the place of those that were found; False, and nothing done, where the table moved on since, or has other columns.

    Delta's own overwrite deletes, by a job of its own, and then appends. Here what stays of the files with such rows is written by the same
    job as the new rows.

    Args:
        lake: where the table is.
        table: its name.
        rows: the new rows; the write fails where the condition is not true of one.
        replaced: what they replace.
        note: marks the commit.
    """
    transaction = start_transaction(lake, table)
    transaction.readWholeTable()  # no other writer's commit can come between
    there, condition = read_files(lake, transaction, replaced.files), F.expr(replaced.condition)
    if transaction.snapshot().version() != replaced.version or there.dtypes != rows.dtypes:
        return False
    strange = F.raise_error(f"{table}: a row is not where {replaced.condition}")
    new = rows.filter(F.when(condition, F.lit(True)).otherwise(strange))
    kept = there.filter(~F.coalesce(condition, F.lit(False))).select(*rows.columns)
    with noting(lake, note):
        added = transaction.writeFiles(kept.union(new)._jdf)  # noqa: SLF001
        figures = {
            "numOutputRows": _count_rows(from_seq(lake, added)),
            "numCopiedRows": _count_rows(replaced.files) - replaced.rows,
            "numDeletedRows": replaced.rows,
            "numRemovedFiles": len(replaced.files),
            "numFiles": added.size(),
        }
        operation = _tell_overwrite(lake, replaced.condition, note)
        _commit(lake, transaction, added, replaced.files, figures=figures, operation=operation)
    return True


def _commit(  # what a commit consists of
    lake: Lake, transaction: Any, added: Any, touched: Iterable[Any], *, figures: dict[str, int], operation: Any
) -> None:
    """Put the added files in the place of the touched ones."""
    transaction.registerSQLMetrics(lake.spark._jsparkSession, list_metrics(lake, figures))  # noqa: SLF001
    removed = to_seq(lake, [file.remove() for file in touched])
    transaction.commit(added.appendedAll(removed), operation)


def _asks_for_more(lake: Lake, transaction: Any) -> bool:
    properties = from_seq(lake, transaction.metadata().configuration())
    return any(properties.get(name) == "true" for name in _ASKS_FOR_MORE)


def _count_rows(files: Iterable[Any]) -> int:
    return sum(int(file.numLogicalRecords().get()) for file in files if file.numLogicalRecords().isDefined())


def _find_files(lake: Lake, transaction: Any, names: Collection[str]) -> list[Any]:
    """The files of these names. All are asked for, so that no other writer's commit can come between."""
    everything = to_seq(lake, [lake.spark._jvm.org.apache.spark.sql.catalyst.expressions.Literal.TrueLiteral()])  # type: ignore[union-attr]  # noqa: SLF001
    files = from_seq(lake, transaction.filterFiles(everything, True))  # with how many rows they have
    return [file for file in files if _name_file(file) in names]


def _name_file(file: Any) -> str:
    return str(file.path().rpartition("/")[2])


def _tell_merge(lake: Lake) -> Any:
    nothing, none = lake.spark._jvm.scala.Option.empty(), to_seq(lake, [])  # type: ignore[union-attr]  # noqa: SLF001
    return getattr(delta_classes(lake), "DeltaOperations$Merge")(nothing, nothing, nothing, nothing, none, none, none)


def _tell_overwrite(lake: Lake, condition: str, note: str) -> Any:
    jvm: Any = lake.spark._jvm  # noqa: SLF001
    option, nothing = jvm.scala.Option.apply, jvm.scala.Option.empty()
    operation = getattr(delta_classes(lake), "DeltaOperations$Write")
    mode = jvm.org.apache.spark.sql.SaveMode.Overwrite
    return operation(mode, option(to_seq(lake, [])), option(condition), option(note), *[nothing] * 5)
