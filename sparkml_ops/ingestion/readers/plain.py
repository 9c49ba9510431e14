"""Lines of CSV that are written plainly, taken apart and typed thousands at a time.

Plainly is: no quotes, as many values as the header has columns, and each value as its type is usually written (12, -1.5, true,
2013-01-31, 2013-01-31 06:00:00), so that there is one way to read it. Arrow reads those several times faster than Spark's parser
and casts do. A line with anything else in it is left to them, whole: none is read half here, half there. Both ways give the
same rows; a test holds them against each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from sparkml_ops.ingestion.readers.plain_values import type_texts

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column

    from sparkml_ops.config.sources import Column as Rule
    from sparkml_ops.config.sources import Source

LINE, IS_BOUND, IS_PLAIN = "_line", "_is_bound", "_is_plain"  # no column of a file begins with _
BYTE_ORDER_MARK = "\ufeff"
_TYPES: dict[str, DataType] = {
    "int": IntegerType(), "long": LongType(), "double": DoubleType(), "boolean": BooleanType(), "date": DateType(),
    "timestamp": TimestampType(),
}  # fmt: skip
_STRANGE = r'["\x00-\x08\x0a-\x1f]'
"""Quotes, of which Spark's parser has its own ideas, as of control characters other than the tab."""


def can_be_plain(source: "Source") -> bool:
    """Whether lines of the source can be taken apart here at all."""
    is_text = source.encoding == "utf-8" and not source.multiline
    return is_text and source.delimiter.isascii() and source.delimiter not in '"\r\n'


def plain_type(rule: "Rule") -> DataType:
    """The type in which a column's plain values come: its own, or text where only Spark can tell it."""
    if rule.format is not None or rule.matches is not None:
        return StringType()
    return _TYPES.get(rule.type, StringType())


def take_apart(header: str, names: Sequence[str], source: "Source", lines: "Column", block: "Column") -> "Column":
    """A struct for each line: `_line`, `_is_bound`, `_is_plain`, and the columns of the contract by their names.

    `_line` counts from 0 in each block. `_is_bound` is true of the first and the last line of each, and of some between. The columns
    have the types of `plain_type`, and mean nothing where a line is not plain.

    Args:
        header: the header; the same line is no row.
        names: the header's columns.
        source: the contract.
        lines: bytes that should be UTF-8.
        block: a number that is another in each block of a file.
    """
    import pyarrow as pa
    from pyspark.sql.pandas.functions import arrow_udf

    types = {name: plain_type(source.columns[name]) for name in names if name in source.columns}
    kinds = [_kind_of(types[name]) if name in types else None for name in names]
    delimiter, null_texts = source.delimiter, ["", *source.null_values]

    def split(batches: Iterator[tuple[pa.Array, pa.Array]]) -> Iterator[pa.Array]:
        counter = LineCounter()
        for texts, blocks in batches:
            taken = split_plain(texts, kinds, header=header, delimiter=delimiter, null_texts=null_texts)
            columns = [*counter.count(blocks), taken.is_plain, *taken.columns]
            yield pa.StructArray.from_arrays(columns, names=[LINE, IS_BOUND, IS_PLAIN, *types])

    told = [StructField(LINE, LongType()), StructField(IS_BOUND, BooleanType()), StructField(IS_PLAIN, BooleanType())]
    fields = [StructField(name, one) for name, one in types.items()]
    taken: Column = arrow_udf(split, StructType([*told, *fields]))(lines, block)  # type: ignore[call-overload]
    return taken


def _kind_of(plain: DataType) -> str:
    return next((kind for kind, one in _TYPES.items() if one == plain), "string")


@dataclass(frozen=True)
class TakenApart:
    """Lines by their columns.

    Attributes:
        is_plain: by line, whether it is plain.
        columns: the values of each column, which mean nothing where a line is not plain.
    """

    is_plain: "pa.Array"
    columns: "Sequence[pa.Array]"


class LineCounter:
    """Counts the lines of one block after the other, as they come in batches."""

    def __init__(self) -> None:
        self._block: int | None = None
        self._lines = 0  # of the block so far

    def count(self, blocks: "pa.Array") -> "tuple[pa.Array, pa.Array]":
        """For each line its number in its block, and whether it is the first or last of the block, or of this batch."""
        import numpy as np
        import pyarrow as pa

        numbers = blocks.to_numpy(zero_copy_only=False)
        if not len(numbers):
            return pa.array([], pa.int64()), pa.array([], pa.bool_())
        starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
        known = self._lines if numbers[0] == self._block else 0
        lines = np.arange(len(numbers)) - np.repeat(starts, np.diff(np.r_[starts, len(numbers)]))
        lines[: starts[1] if len(starts) > 1 else None] += known
        is_bound = np.zeros(len(numbers), dtype=bool)
        is_bound[starts] = is_bound[starts - 1] = True  # before the first is the last
        self._block, self._lines = int(numbers[-1]), int(lines[-1]) + 1
        return pa.array(lines), pa.array(is_bound)


def split_plain(
    lines: "pa.Array", kinds: Sequence[str | None], *, header: str, delimiter: str, null_texts: Sequence[str]
) -> TakenApart:
    """Take lines apart, and type their values.

    Args:
        lines: text, or what passes for it.
        kinds: int, long, double, boolean, date, timestamp or string by column; None for one that nobody asks for.
        header: a line that is no row.
        delimiter: one character.
        null_texts: what means null.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = lines.cast(pa.string())
    layout = Layout(
        header, delimiter, tuple(null_texts), len(kinds), tuple(at for at, kind in enumerate(kinds) if kind)
    )
    is_plain, texts = _split_all(lines, layout)
    found = [type_texts(column, kind) for column, kind in zip(texts, filter(None, kinds), strict=True)]
    for _, is_sure in found:
        if is_sure is not None:
            is_plain = is_sure if is_plain is None else pc.and_(is_plain, is_sure)
    is_plain = pa.repeat(True, len(lines)) if is_plain is None else is_plain
    return TakenApart(is_plain, [typed for typed, _ in found])


@dataclass(frozen=True)
class Layout:
    """How a line is written: its columns, how they are parted, and which of them are asked for."""

    header: str
    delimiter: str
    null_texts: tuple[str, ...]
    columns: int
    asked: tuple[int, ...]


def _split_all(lines: "pa.Array", layout: Layout) -> "tuple[pa.Array | None, Sequence[pa.Array]]":
    """Which lines are plain as far as their structure goes (None where all are), and the texts of the columns."""
    import pyarrow.compute as pc

    text = memoryview(lines.buffers()[2] or b"").tobytes()
    has_blanks = layout.columns == 1 or layout.delimiter == " "
    is_usual = not has_blanks and layout.header.encode() not in text and _is_usual_text(lines, text)
    if is_usual and (texts := _split(lines, layout)) is not None:
        return None, texts
    is_plain = pc.fill_null(_flag_plain(lines, layout), False)
    kept = pc.if_else(is_plain, lines, layout.delimiter * (layout.columns - 1))
    texts = _split(kept, layout)
    if texts is None:
        raise AssertionError("lines with as many separators as the header were not taken apart")  # a fault of ours
    return is_plain, texts


def _is_usual_text(lines: "pa.Array", text: bytes) -> bool:
    import numpy as np
    import pyarrow as pa

    signs = np.frombuffer(text, dtype=np.uint8)
    if b'"' in text or ((signs < ord(" ")) & (signs != ord("\t"))).any():
        return False
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _flag_plain(lines: "pa.Array", layout: Layout) -> "pa.Array":
    """Which lines are plain as far as their structure goes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_header = pc.is_in(lines, pa.array([layout.header, BYTE_ORDER_MARK + layout.header]))
    has_all = pc.equal(pc.count_substring(lines, layout.delimiter), layout.columns - 1)
    has_text = pc.not_equal(pc.ascii_trim(lines, " "), "")
    is_usual = pc.invert(pc.match_substring_regex(lines, _STRANGE))
    is_text = pa.array([_is_utf8(line) for line in lines.cast(pa.binary()).to_pylist()], pa.bool_())
    plain = pc.invert(is_header)
    for others in (has_all, has_text, is_usual, is_text):
        plain = pc.and_(plain, others)
    return plain


def _is_utf8(line: bytes | None) -> bool:
    try:
        return line is not None and line.decode() is not None
    except UnicodeDecodeError:
        return False


def _split(lines: "pa.Array", layout: Layout) -> "Sequence[pa.Array] | None":
    """The texts of each column that is asked for; None where a line has more or fewer columns."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    if not len(lines):
        return [pa.nulls(0, pa.string())] * len(layout.asked)
    names = [str(at) for at in range(layout.columns)]
    ended = pa.concat_arrays([lines, pa.array([""])])  # so that the last line ends as the others do
    whole = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(ended)], pa.int32()), ended), "\n")[0].as_buffer()
    asked = [names[at] for at in layout.asked]
    try:
        table = csv.read_csv(
            pa.BufferReader(whole),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=whole.size + 1),
            parse_options=csv.ParseOptions(delimiter=layout.delimiter, quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(asked, pa.string()),
                null_values=list(layout.null_texts),
                strings_can_be_null=True,
                include_columns=asked,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [column.combine_chunks() for column in table.columns] if table.num_rows == len(lines) else None
