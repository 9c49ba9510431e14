"""What a task of the express lane does: pieces of files -> a file of typed rows, and each line for Spark to judge."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, IntegerType, LongType, StructField, StructType

from sparkml_ops.ingestion.contract import BLOCK, POSITION, RAW
from sparkml_ops.ingestion.readers.blocks import Piece, read_blocks
from sparkml_ops.ingestion.readers.plain import Layout, list_lines, split_plain, trim_lines
from sparkml_ops.ingestion.readers.plain_rules import PlainRule, flag_kept
from sparkml_ops.ingestion.readers.plain_values import arrow_type
from sparkml_ops.lake.arrow_files import ArrowFile, take_out
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column

PIECE, FILE, ROW = "_piece", "_file", "_row"
_GIVEN_AT_A_TIME = 20_000  # lines
_STEP, _ROUND = 2_654_435_769, 2**32
"""Multiples of the one are spread evenly over the other (Knuth, The Art of Computer Programming, 6.4)."""


@dataclass(frozen=True)
class Lane:
    """What the tasks have to know.

    Attributes:
        tasks: the pieces of each.
        layouts: how lines are written, by the kind of piece.
        rules: the columns of a file of rows that lines have, with what they are held against here.
        judged: those of them that Spark must see to judge a line; where there are none, it is not asked.
        orders: which of the columns of a line each of them is, by the kind of piece.
        stamps: columns of one value.
        source_files: what `_source_file` is, by path.
        folder: where the files are written.
        token: in the name of each of them, and in no other's.
        codec: how they are packed.
        ascends_by: a column; a file notes whether each of its values is greater than the one before.
        one_in: how many lines one of the sample stands for.
    """

    tasks: Sequence[Sequence[Piece]]
    layouts: Sequence[Layout]
    rules: Mapping[str, PlainRule]
    judged: Sequence[str]
    orders: Sequence[Sequence[int]]
    stamps: Mapping[str, str | datetime]
    source_files: Mapping[str, str]
    folder: str
    token: str
    codec: str
    ascends_by: str | None
    one_in: int

    def name_file(self, attempt: int, *, again: int | None = None) -> str:
        """The file of a task's attempt, or of the attempt that wrote it again."""
        number = f"{attempt:05d}" if again is None else f"{attempt:05d}-{again:05d}"
        return f"part-{number}-{self.token}.parquet"

    def columns(self, names: Iterable[str]) -> StructType:
        """Columns of a file, with the types in which they come."""
        types = ", ".join(f"{quote_identifier(name)} {self.rules[name].kind}" for name in names)
        return cast("StructType", StructType.fromDDL(types))

    def list_pieces(self) -> list[Piece]:
        """All pieces, in the order of their numbers."""
        return [piece for task in self.tasks for piece in task]


def told_of_lines(lane: Lane) -> StructType:
    """What `read_lane` gives: the line, its piece and place there, the task's file, the row there, and the columns to judge.

    A line that was put into the file has a row, and no text, which `find_lines` finds again if it is asked for.
    """
    told = {RAW: BinaryType(), PIECE: IntegerType(), POSITION: LongType(), FILE: LongType(), ROW: LongType()}
    return StructType([*[StructField(name, kind) for name, kind in told.items()], *lane.columns(lane.judged)])


def read_lane(lane: Lane) -> "Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]":
    """For `mapInArrow` over the numbers of the tasks.

    A line is put into the task's file if it is plain, and neither the first or last of its block, nor in the sample. An attempt of a
    task has a file of its own: what a failed one has written is known to nobody.
    """

    def read(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        for batch in batches:
            for task in batch.column(0).to_pylist():
                yield from _read_task(lane, task)

    return read


def _read_task(lane: Lane, task: int) -> "Iterator[pa.RecordBatch]":
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyspark import TaskContext

    context: Any = TaskContext.get()
    number = int(context.taskAttemptId())
    first = sum(len(pieces) for pieces in lane.tasks[:task])
    with ArrowFile(Path(lane.folder, lane.name_file(number)), lane.codec, lane.ascends_by) as file:
        for order, piece in enumerate(lane.tasks[task], first):
            position = 0
            for block in read_blocks(piece):
                taken = split_plain(block, lane.layouts[piece.kind])
                values = {name: taken.columns[at] for name, at in zip(lane.rules, lane.orders[piece.kind], strict=True)}
                is_put = _choose(lane, taken.is_plain, values, piece=piece, position=position)
                begins, lines = file.rows, len(taken.lines)
                file.put(_stamp(lane, pa.table(values).filter(is_put), piece.path))
                told = {
                    RAW: trim_lines(pc.if_else(is_put, pa.scalar(None, pa.binary()), taken.lines)),
                    PIECE: pa.repeat(pa.scalar(order, pa.int32()), lines),
                    POSITION: pa.array(np.arange(position, position + lines)),
                    FILE: pa.repeat(pa.scalar(number, pa.int64()), lines),
                    ROW: _number_rows(is_put, begins),
                    **{name: values[name] for name in lane.judged},
                }
                given = pa.table(told) if lane.judged else pa.table(told).filter(pc.invert(is_put))
                yield from given.to_batches(max_chunksize=_GIVEN_AT_A_TIME)
                position += lines


def _choose(
    lane: Lane, is_plain: "pa.Array", values: "Mapping[str, pa.Array]", *, piece: Piece, position: int
) -> "pa.Array":
    """Which lines are put into the file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = np.arange(position, position + len(is_plain))
    is_put = (numbers * _STEP + piece.start) % _ROUND >= _ROUND // lane.one_in
    is_put[:1] = is_put[-1:] = False
    kept = (flag_kept(values[name], rule) for name, rule in lane.rules.items())
    return reduce(pc.and_, (one for one in kept if one is not None), pc.and_(is_plain, pa.array(is_put)))


def is_sampled(one_in: int) -> "Column":
    """Whether a line is in the sample: as the tasks have it."""
    return F.pmod(F.col(POSITION) * F.lit(_STEP) + F.col(BLOCK), F.lit(_ROUND)) < F.lit(_ROUND // one_in)


def _number_rows(is_put: "pa.Array", begins: int) -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    put = is_put.to_numpy(zero_copy_only=False)
    return pa.array(np.cumsum(put) + (begins - 1), mask=~put)


def _stamp(lane: Lane, rows: "pa.Table", path: str) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    zeros = pa.array(np.zeros(len(rows), dtype=np.int32))
    for name, value in {**lane.stamps, "_source_file": lane.source_files[path]}.items():
        kind = arrow_type("timestamp" if isinstance(value, datetime) else "string")
        column = pa.DictionaryArray.from_arrays(zeros, pa.array([value], kind)) if isinstance(value, str) else None
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, kind), len(rows)) if column is None else column)
    return rows


def find_lines(lane: Lane) -> "Callable[[pa.Table], pa.Table]":
    """For `applyInArrow` over lines (`_piece`, `_position`) of one piece: reads them again, as they came."""

    def find(asked: "pa.Table") -> "pa.Table":
        import numpy as np
        import pyarrow as pa

        at = asked[PIECE][0].as_py()
        positions = np.sort(asked[POSITION].to_numpy())
        found, begins = [], 0
        for block in read_blocks(lane.list_pieces()[at]):
            lines = list_lines(block)
            here = positions[(positions >= begins) & (positions < begins + len(lines))]
            found.append(trim_lines(lines.take(pa.array(here - begins))))
            begins += len(lines)
        pieces = pa.repeat(pa.scalar(at, pa.int32()), len(positions))
        return pa.table({RAW: pa.chunked_array(found, pa.binary()), PIECE: pieces, POSITION: positions})

    return find


def take_rows_out(lane: Lane) -> "Callable[[pa.Table], pa.Table]":
    """For `applyInArrow` over rows (`_file`, `_row`) of one file: writes it once more without them, and tells the name."""

    def take(rows: "pa.Table") -> "pa.Table":
        import pyarrow as pa
        from pyspark import TaskContext

        context: Any = TaskContext.get()
        number = rows[FILE][0].as_py()
        before = Path(lane.folder, lane.name_file(number))
        after = Path(lane.folder, lane.name_file(number, again=int(context.taskAttemptId())))
        take_out(before, rows[ROW].to_pylist(), after, codec=lane.codec)
        return pa.table({FILE: pa.array([number], pa.int64()), "name": [after.name]})

    return take
