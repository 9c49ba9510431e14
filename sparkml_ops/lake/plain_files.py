"""Parquet files of a table, read by the tasks themselves: it takes a tenth of the time of rows that go through the JVM."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.lake.location import Lake, local_root
from sparkml_ops.lake.transactions import has_transactions, start_transaction

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_PART_BYTES = 32 * 2**20
_BATCH_BYTES = 8 * 2**20  # of rows in memory, of which each value is taken to have 8 bytes


@dataclass(frozen=True)
class FilePart:
    """Every `of`-th row group of a file, beginning with number `first`; the file has so many bytes."""

    path: str
    first: int
    of: int
    file_bytes: int


def has_plain_files(lake: Lake, table: str) -> bool:
    """Whether a table's files hold its rows as they are, on this machine: no other columns, nothing deleted beside them."""
    if local_root(lake) is None or lake.database is not None or not has_transactions(lake):
        return False
    snapshot = start_transaction(lake, table).snapshot()
    return bool(snapshot.protocol().minReaderVersion() == 1 and snapshot.metadata().partitionColumns().isEmpty())


def list_paths(rows: "DataFrame") -> list[str]:
    """Paths of the files on this machine that a DataFrame reads, sorted; Delta tells them with a scheme, and otherwise as they are."""
    return sorted(re.sub("^file:/+", "/", name) for name in rows.inputFiles())


def split_files(rows: "DataFrame") -> list[list[FilePart]]:
    """The files that a DataFrame reads, in parts of about 32 MB: small ones together, row groups of large ones apart."""
    import pyarrow.parquet as pq

    parts: list[list[FilePart]] = []
    held: list[FilePart] = []
    size = 0
    for path in list_paths(rows):
        length = os.stat(path).st_size  # noqa: PTH116  # ten thousand of them
        pieces = -(-length // _PART_BYTES)
        if pieces > 1:
            pieces = min(pieces, pq.read_metadata(path).num_row_groups)
            parts += [[FilePart(path, first, pieces, length)] for first in range(pieces)]
            continue
        held, size = [*held, FilePart(path, 0, 1, length)], size + length
        if size >= _PART_BYTES:
            parts, held, size = [*parts, held], [], 0
    return [*parts, held] if held else parts


def read_parts(parts: Sequence[FilePart], schema: "pa.Schema") -> Iterator["pa.RecordBatch"]:
    """The rows of some parts, in the columns of the schema; a column that a file does not have yet is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = max(_BATCH_BYTES // (8 * len(schema)), 1024)
    for part in parts:
        with pq.ParquetFile(part.path, coerce_int96_timestamp_unit="us") as file:
            groups = [*range(part.first, file.num_row_groups, part.of)]
            there = [name for name in schema.names if name in file.schema_arrow.names]
            for batch in file.iter_batches(rows, groups, there, use_threads=False):
                columns = [
                    batch[field.name].cast(field.type) if field.name in there else pa.nulls(len(batch), field.type)
                    for field in schema
                ]
                yield pa.record_batch(columns, schema)
