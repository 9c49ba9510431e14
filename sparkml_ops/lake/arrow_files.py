"""Parquet files that a table could have, written by Arrow, which takes half the time of Spark's own writer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_ops.lake.location import Lake

ASCENDS_BY = "sparkml_ops.ascends_by"
"""In a file's own notes: a column of which each value is greater than the one before."""
_GROUP_BYTES = 64_000_000
"""Of the values of a row group, in memory."""
_CODECS = {"snappy", "zstd", "gzip", "none"}


@dataclass
class ArrowFile:
    """A file into which rows are put as they come; there is none until the first.

    Attributes:
        path: of the file.
        codec: how it is packed.
        ascends_by: a column; the file notes whether each of its values is greater than the one before.
        rows: how many rows were put in.
    """

    path: Path
    codec: str
    ascends_by: str | None = None
    rows: int = 0
    _ascends: bool = True
    _last: Any = None
    _held: "list[pa.Table]" = field(default_factory=list)
    _writer: Any = None

    def __enter__(self) -> Self:
        """The file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is held, unless something failed: then the file is not to be used."""
        if kind is None:
            self._flush()
        if self._writer is not None:
            if self.ascends_by is not None and self._ascends:
                self._writer.add_key_value_metadata({ASCENDS_BY: self.ascends_by})
            self._writer.close()

    def put(self, rows: "pa.Table") -> None:
        """Put rows behind the others."""
        if len(rows):
            self._held.append(rows)
            self.rows += len(rows)
            self._ascends = self._ascends and self.ascends_by is not None and self._goes_on(rows[self.ascends_by])
        if sum(held.nbytes for held in self._held) >= _GROUP_BYTES:
            self._flush()

    def _goes_on(self, values: "pa.ChunkedArray") -> bool:
        import pyarrow as pa
        import pyarrow.compute as pc

        values = pa.concat_arrays([pa.array([self._last], values.type), *values.chunks])
        values = values[1:] if self._last is None else values
        self._last = values[-1].as_py()
        return not values.null_count and pc.all(pc.less(values[:-1], values[1:])).as_py() is not False

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._held:
            return
        group = pa.concat_tables(self._held)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, group.schema, compression=self.codec, store_schema=False)
        self._writer.write_table(group, row_group_size=len(group))
        self._held.clear()


def read_ascending(told: Any) -> str | None:
    """The column by which a file ascends, as its footer has it."""
    found = (told.metadata or {}).get(ASCENDS_BY.encode())
    return found.decode() if found is not None else None


def choose_codec(lake: "Lake") -> str:
    """How Spark would pack the files, where Arrow can do the same."""
    asked = str(lake.spark.conf.get("spark.sql.parquet.compression.codec", "snappy")).lower()
    return asked if asked in _CODECS else "snappy"


def take_out(file: Path, rows: Iterable[int], target: Path, *, codec: str) -> None:
    """Write the file once more without some of its rows.

    Args:
        file: a file.
        rows: their numbers, counted from 0.
        target: the file to write.
        codec: how it is packed.
    """
    import numpy as np
    import pyarrow.parquet as pq

    numbers = np.fromiter(rows, dtype=np.int64)
    begins = 0
    ascends_by = read_ascending(pq.read_metadata(file))
    with pq.ParquetFile(file) as before, ArrowFile(target, codec, ascends_by) as after:
        for at in range(before.num_row_groups):
            group = before.read_row_group(at)
            is_kept = np.ones(len(group), dtype=bool)
            is_kept[numbers[(numbers >= begins) & (numbers < begins + len(group))] - begins] = False
            after.put(group.filter(is_kept))
            begins += len(group)
