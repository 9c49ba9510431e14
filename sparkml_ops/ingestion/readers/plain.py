"""Lines of CSV that are written plainly, taken apart and typed thousands at a time.

Plainly is: no quotes, as many values as the header has columns, and each value as its type is usually written (12, -1.5, true,
2013-01-31, 2013-01-31 06:00:00), so that there is one way to read it. Arrow reads those several times faster than Spark's parser
and casts do. A line with anything else in it is left to them, whole: none is read half here, half there. Both ways give the
same rows; a test holds them against each other.
"""

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from sparkml_ops.ingestion.readers.plain_values import type_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from sparkml_ops.config.sources import Column as Rule
    from sparkml_ops.config.sources import Source

BYTE_ORDER_MARK = "\ufeff"
_QUOTE, _TAB, _NEW_LINE, _RETURN, _SPACE = b'"\t\n\r '


def can_be_plain(source: "Source") -> bool:
    """Whether lines of the source can be taken apart here at all."""
    is_text = source.encoding == "utf-8" and not source.multiline
    return is_text and source.delimiter.isascii() and source.delimiter not in '"\r\n'


def plain_type(rule: "Rule") -> str:
    """The type in which a column's plain values come: its own, or text where only Spark can tell it."""
    return "string" if rule.format is not None or rule.matches is not None else rule.type


@dataclass(frozen=True)
class Layout:
    """How a line is written.

    Attributes:
        header: the header; the same line is no row.
        delimiter: one character.
        null_texts: what means null.
        types: the type of each column in turn; None for one that nobody asks for.
    """

    header: str
    delimiter: str
    null_texts: tuple[str, ...]
    types: tuple[str | None, ...]

    @property
    def asked(self) -> tuple[int, ...]:
        """Which columns are asked for."""
        return tuple(at for at, kind in enumerate(self.types) if kind)


@dataclass(frozen=True)
class TakenApart:
    """Lines by their columns.

    Attributes:
        lines: each line as it came, in bytes, with what ends it.
        is_plain: by line, whether it is plain.
        columns: the values of each column that is asked for, which mean nothing where a line is not plain.
    """

    lines: "pa.Array"
    is_plain: "pa.Array"
    columns: "Sequence[pa.Array]"


def split_plain(block: bytes, layout: Layout) -> TakenApart:
    """Take lines apart, and type their values.

    Args:
        block: whole lines.
        layout: how they are written.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ended = block if block.endswith(b"\n") else block + b"\n"
    signs = np.frombuffer(ended, dtype=np.uint8)
    control = np.flatnonzero(signs < _SPACE)
    ends = _find_ends(signs, control)
    is_plain, texts = _split_all(ended, control, ends, layout)
    found = [type_texts(text, kind) for text, kind in zip(texts, filter(None, layout.types), strict=True)]
    for _, is_sure in found:
        if is_sure is not None:
            is_plain = is_sure if is_plain is None else pc.and_(is_plain, is_sure)
    is_plain = pa.repeat(True, len(ends)) if is_plain is None else is_plain
    return TakenApart(_list_lines(ended, ends), is_plain, [typed for typed, _ in found])


def list_lines(block: bytes) -> "pa.Array":
    """Each line of a block, in bytes, with what ends it."""
    import numpy as np

    ended = block if block.endswith(b"\n") else block + b"\n"
    signs = np.frombuffer(ended, dtype=np.uint8)
    return _list_lines(ended, _find_ends(signs, np.flatnonzero(signs < _SPACE)))


def trim_lines(lines: "pa.Array") -> "pa.Array":
    """The same without what ends them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.ascii_rtrim(lines.view(pa.string()), "\r\n").view(pa.binary())


def _find_ends(signs: "np.ndarray", control: "np.ndarray") -> "np.ndarray":
    """Where each line ends: at a line feed, or at a carriage return that none follows."""
    found = signs[control]
    if (found == _NEW_LINE).all():
        return control
    is_return = found == _RETURN
    is_return[is_return] = signs[control[is_return] + 1] != _NEW_LINE  # the last of all is a line feed
    ends: np.ndarray = control[(found == _NEW_LINE) | is_return]
    return ends


def _list_lines(block: bytes, ends: "np.ndarray") -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    offsets[1:] = ends + 1
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)])


def _split_all(
    block: bytes, control: "np.ndarray", ends: "np.ndarray", layout: Layout
) -> "tuple[pa.Array | None, Sequence[pa.Array]]":
    """Which lines are plain as far as their structure goes (None where all are), and the texts of the columns."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    has_blanks = len(layout.types) == 1 or layout.delimiter == " "
    strange = control[~np.isin(np.frombuffer(block, dtype=np.uint8)[control], [_TAB, _NEW_LINE, _RETURN])]
    is_usual = not len(strange) and b'"' not in block and layout.header.encode() not in block
    if is_usual and not has_blanks and (texts := _split(block, len(ends), layout)) is not None:
        return None, texts
    lines = trim_lines(_list_lines(block, ends)).view(pa.string())
    is_plain = pc.and_(_flag_plain(lines, layout), pa.array(~_flag_strange(block, strange, ends)))
    kept = pc.if_else(is_plain, lines, layout.delimiter * (len(layout.types) - 1))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(kept)], pa.int32()), kept), "\n")[0]
    texts = _split(joined.as_buffer().to_pybytes() + b"\n", len(ends), layout)
    if texts is None:
        raise AssertionError("lines with as many separators as the header were not taken apart")  # a fault of ours
    return is_plain, texts


def _flag_strange(block: bytes, strange: "np.ndarray", ends: "np.ndarray") -> "np.ndarray":
    """Which lines have strange signs, or quotes, of which Spark's parser has its own ideas."""
    import numpy as np

    is_strange = np.zeros(len(ends), dtype=bool)
    for at in (strange, np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == _QUOTE)):
        is_strange[np.searchsorted(ends, at)] = True
    return is_strange


def _flag_plain(lines: "pa.Array", layout: Layout) -> "pa.Array":
    """Which lines are rows of text with as many values as there are columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_header = pc.is_in(lines, pa.array([layout.header, BYTE_ORDER_MARK + layout.header]))
    has_all = pc.equal(pc.count_substring(lines, layout.delimiter), len(layout.types) - 1)
    has_text = pc.not_equal(pc.ascii_trim(lines, " "), "")
    return reduce(pc.and_, [pc.invert(is_header), has_all, has_text, _flag_utf8(lines)])


def _flag_utf8(lines: "pa.Array") -> "pa.Array":
    import pyarrow as pa

    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_is_utf8(line) for line in lines.cast(pa.binary()).to_pylist()], pa.bool_())
    return pa.repeat(True, len(lines))


def _is_utf8(line: bytes) -> bool:
    try:
        return line.decode() is not None
    except UnicodeDecodeError:
        return False


def _split(block: bytes, lines: int, layout: Layout) -> "Sequence[pa.Array] | None":
    """The texts of each column that is asked for; None where a line has more or fewer columns, or is no UTF-8."""
    import pyarrow as pa
    from pyarrow import csv

    if not lines:
        return [pa.nulls(0, pa.string())] * len(layout.asked)
    names = [str(at) for at in range(len(layout.types))]
    asked = [names[at] for at in layout.asked]
    try:
        table = csv.read_csv(
            pa.BufferReader(block),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
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
    return [column.combine_chunks() for column in table.columns] if table.num_rows == lines else None
