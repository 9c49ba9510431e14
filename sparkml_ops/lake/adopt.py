"""Parquet files that are there become a table's by one commit, without their rows being read or written once more.

Delta has no public call for this. Its own commands commit files by an `OptimisticTransaction`, and so does this: conflicts,
checkpoints and history are Delta's, as ever. `can_adopt` says whether it can be done; where not, rows are written as usual.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark.sql.types import StructField, StructType

from sparkml_ops.lake.footers import Bounds, Footer
from sparkml_ops.lake.location import Lake, local_root
from sparkml_ops.lake.statistics import STATISTICS, choose_statistics
from sparkml_ops.lake.tables import CREATE_OPTIONS, read_table, table_exists
from sparkml_ops.lake.transactions import (
    delta_classes,
    has_transactions,
    list_metrics,
    start_transaction,
    to_action,
    to_seq,
)
from sparkml_ops.lake.upkeep import describe_detail

_INDEXED = 32  # columns with statistics where a table does not name them, as Delta has it
_LONGEST = 32  # characters of a bound
_MILLISECOND = timedelta(milliseconds=1)
_OURS = "delta.constraints.sparkml_ops_"
_ASKS_FOR_MORE = ("delta.constraints.", "delta.columnMapping.", "delta.universalFormat", "delta.enableIceberg")


def can_adopt(lake: Lake, table: str, columns: StructType) -> bool:
    """Whether files with these columns can become the table's.

    They can where the table is a folder on this machine (a file is moved, which elsewhere means that it is copied), has no check but
    our own, no partitions and no columns that Delta makes or renames, and where the columns are the same, if it is there.
    """
    if local_root(lake) is None or lake.database is not None or not has_transactions(lake):
        return False
    if not table_exists(lake, table):
        return True
    detail, there = describe_detail(lake, table), read_table(lake, table).schema
    asks_for_more = any(key.startswith(_ASKS_FOR_MORE) and not key.startswith(_OURS) for key in detail.properties)
    has_made_columns = any(key.startswith("delta.") for column in there for key in column.metadata)
    return not (asks_for_more or has_made_columns or detail.partitioned_by) and _plain(there) == _plain(columns)


def adopt_files(lake: Lake, table: str, footers: Sequence[Footer], columns: StructType, *, note: str) -> None:
    """Move the files into the table's folder and commit them, with `note` as `userMetadata`; makes the table if there is none.

    Args:
        lake: where the table is.
        table: its name.
        footers: the files; those that an earlier try has moved already are taken where they are.
        columns: the table's; what else is in the files stays unread.
        note: marks the commit.
    """
    root = local_root(lake)
    assert root is not None  # `can_adopt` holds
    folder = root / table
    is_new = not table_exists(lake, table)
    properties = CREATE_OPTIONS | choose_statistics(columns) if is_new else describe_detail(lake, table).properties
    shown = _list_indexed(columns, properties)
    folder.mkdir(parents=True, exist_ok=True)
    moved = [_move(footer.file, folder) for footer in footers]
    adds = [_describe_file(file, footer, shown) for file, footer in zip(moved, footers, strict=True)]
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # pyspark has no way to Delta's classes
    transaction = start_transaction(lake, table)
    if is_new:
        transaction.updateMetadata(to_action(lake, _describe_table(columns, properties)), False)
    metrics = {
        "numFiles": len(footers),
        "numOutputRows": sum(footer.rows for footer in footers),
        "numOutputBytes": sum(file.stat().st_size for file in moved),
    }
    transaction.registerSQLMetrics(lake.spark._jsparkSession, list_metrics(lake, metrics))  # noqa: SLF001
    nothing = jvm.scala.Option.empty()
    operation = getattr(delta_classes(lake), "DeltaOperations$Write")(
        jvm.org.apache.spark.sql.SaveMode.Append,
        jvm.scala.Option.apply(to_seq(lake, [])),
        nothing,
        jvm.scala.Option.apply(note),
        *[nothing] * 5,
    )
    transaction.commit(to_seq(lake, [to_action(lake, add) for add in adds]), operation)


def _plain(columns: StructType) -> list[tuple[str, str]]:
    return [(column.name, column.dataType.simpleString()) for column in columns]


def _move(file: Path, folder: Path) -> Path:
    target = folder / file.name
    if file.exists():
        shutil.move(file, target)
    return target


def _list_indexed(columns: StructType, properties: Mapping[str, str]) -> list[str]:
    named = properties.get(STATISTICS)
    if named is not None:
        return [one.strip().strip("`") for one in named.split(",")]
    return columns.names[:_INDEXED]


def _describe_table(columns: StructType, properties: Mapping[str, str]) -> dict[str, Any]:
    nullable = StructType([StructField(one.name, one.dataType, True, one.metadata) for one in columns])
    return {
        "metaData": {
            "id": str(uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": nullable.json(),
            "partitionColumns": [],
            "configuration": dict(properties),
            "createdTime": int(datetime.now(UTC).timestamp() * 1000),
        }
    }


def _describe_file(file: Path, footer: Footer, shown: Iterable[str]) -> dict[str, Any]:
    told = {name: footer.columns[name] for name in shown if name in footer.columns}
    statistics = {
        "numRecords": footer.rows,
        "minValues": {name: low for name, one in told.items() if (low := _tell_least(one)) is not None},
        "maxValues": {name: high for name, one in told.items() if (high := _tell_greatest(one)) is not None},
        "nullCount": {name: one.nulls for name, one in told.items()},
    }
    status = file.stat()
    return {
        "add": {
            "path": file.name,
            "partitionValues": {},
            "size": status.st_size,
            "modificationTime": int(status.st_mtime * 1000),
            "dataChange": True,
            "stats": json.dumps(statistics),
        }
    }


def _tell_least(bounds: Bounds) -> Any:
    """The lower bound as a table's log has it: of a long text its beginning, of an instant its millisecond."""
    least = bounds.least
    if isinstance(least, str):
        return least[:_LONGEST]
    return _tell_moment(least)


def _tell_greatest(bounds: Bounds) -> Any:
    greatest = bounds.greatest
    if isinstance(greatest, str):
        return greatest if len(greatest) <= _LONGEST else None  # its beginning is less than it
    if isinstance(greatest, datetime) and greatest.microsecond % 1000:
        is_last = greatest.replace(tzinfo=UTC) > datetime.max.replace(tzinfo=UTC) - _MILLISECOND
        return None if is_last else _tell_moment(greatest + _MILLISECOND)  # there is none after the last
    return _tell_moment(greatest)


def _tell_moment(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:  # a moment of no zone is written otherwise: better no bound than a wrong one
            return None
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
