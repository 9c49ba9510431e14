"""Parquet files of a table, read by the tasks themselves: it takes a tenth of the time of rows that go through the JVM."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from sparkml_ops.lake.location import Lake, local_root
from sparkml_ops.lake.transactions import has_transactions, start_transaction

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_BATCH_BYTES = 8 * 2**20  # of rows in memory, of which each value is taken to have 8 bytes


@dataclass(frozen=True)
class RowGroup:
    """A row group of a file, and the bounds of one of its columns, of whole numbers, where they were asked for; its nulls are not among them."""

    path: str
    number: int
    rows: int
    least: int = 0
    greatest: int = 0


def has_plain_files(lake: Lake, table: str) -> bool:
    """Whether a table's files hold its rows as they are, on this machine: no other columns, nothing deleted beside them."""
    if local_root(lake) is None or lake.database is not None or not has_transactions(lake):
        return False
    snapshot = start_transaction(lake, table).snapshot()
    return bool(snapshot.protocol().minReaderVersion() == 1 and snapshot.metadata().partitionColumns().isEmpty())


def list_paths(rows: "DataFrame") -> list[str]:
    """Paths of the files on this machine that a DataFrame reads, sorted; Delta tells them with a scheme, and otherwise as they are."""
    return sorted(re.sub("^file:/+", "/", name) for name in rows.inputFiles())


def list_row_groups(paths: Iterable[str]) -> list[RowGroup]:
    """The row groups of files."""
    import pyarrow.parquet as pq

    told = ((path, pq.read_metadata(path)) for path in paths)
    return [RowGroup(path, n, file.row_group(n).num_rows) for path, file in told for n in range(file.num_row_groups)]


def bound_row_groups(paths: Iterable[str], column: str) -> list[RowGroup] | None:
    """The row groups of files with the bounds of a column; None where a file does not tell them."""
    import pyarrow.parquet as pq

    groups = []
    for path in paths:
        told = pq.read_metadata(path)
        columns = [told.schema.column(at).path for at in range(told.num_columns)]
        at = columns.index(column) if column in columns else None
        for number in range(told.num_row_groups):
            group = told.row_group(number)
            bounds = None if at is None else group.column(at).statistics
            if bounds is None or not bounds.has_min_max:
                return None
            groups.append(RowGroup(path, number, group.num_rows, int(bounds.min), int(bounds.max)))
    return groups


def read_row_groups(groups: Iterable[RowGroup], schema: "pa.Schema") -> Iterator["pa.RecordBatch"]:
    """The rows of row groups, in the columns of the schema; a column that a file does not have yet is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = max(_BATCH_BYTES // (8 * len(schema)), 1024)
    for path, mine in groupby(groups, key=attrgetter("path")):
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            in_file = frozenset(file.schema_arrow.names)
            there = [name for name in schema.names if name in in_file]
            for batch in file.iter_batches(rows, [group.number for group in mine], there, use_threads=False):
                columns = [
                    batch[field.name].cast(field.type) if field.name in in_file else pa.nulls(len(batch), field.type)
                    for field in schema
                ]
                yield pa.record_batch(columns, schema)
