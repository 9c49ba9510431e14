"""Which segment each row is of: values of some columns -> names such as `origin=JFK, carrier=AA`, level by level.

Training and scoring tell segments by the same functions. Values are made texts first, so that a number is the same segment whatever
type it comes in: 5, 5.0 and a double of MLflow's signature are all `5`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pyspark.sql.types import BooleanType, DataType

from sparkml_ops.models.encoder import find_kind

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

GLOBAL = "global"
"""Name of the model of all rows; no segment has it, since theirs have a `=`."""
MAX_VALUE_LENGTH = 200
"""Of a text in characters; a longer one is no segment's value, as a missing one is: names are read by people."""
_PLAIN = re.compile(r'[^\s,="]+( [^\s,="]+)*')
_EXACT = 2.0**53  # whole numbers up to it are doubles without loss

SegmentKind = Literal["text", "number", "boolean"]


@dataclass(frozen=True)
class SegmentColumn:
    """A column whose values tell segments."""

    name: str
    kind: SegmentKind


@dataclass(frozen=True)
class Groups:
    """Rows by their segment on one level.

    Attributes:
        codes: Position of each row's segment in `names`, shape (rows,); -1 where a value is missing.
        names: Of the segments.
        parents: Of each segment, the position of the one that it is a part of, on the level above; 0 on the first level.
    """

    codes: "NDArray[np.int64]"
    names: tuple[str, ...]
    parents: tuple[int, ...]


def find_segment_kind(data_type: DataType) -> SegmentKind | None:
    """How values of this Spark type tell segments; None when they cannot."""
    if isinstance(data_type, BooleanType):
        return "boolean"
    return {"numeric": "number", "categorical": "text", None: None}[find_kind(data_type)]


def read_texts(array: "pa.Array", kind: SegmentKind) -> "pa.Array":
    """The values as texts; null, NaN, infinity and overlong texts are null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "text":
        texts = array.cast(pa.string())
        return pc.if_else(pc.less_equal(pc.utf8_length(texts), MAX_VALUE_LENGTH), texts, pa.scalar(None, pa.string()))
    values = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    unique, inverse = np.unique(values, return_inverse=True)
    shown = [_show_number(float(value), kind) if np.isfinite(value) else None for value in unique]
    return pa.array(shown, type=pa.string()).take(pa.array(inverse.ravel()))


def encode_texts(texts: "pa.Array") -> tuple["NDArray[np.int64]", list[str]]:
    """Codes of shape (rows,), -1 where a text is null, and the distinct texts in order."""
    encoded = texts.dictionary_encode()
    found = encoded.dictionary.to_pylist()
    ranks = np.empty(len(found) + 1, dtype=np.int64)
    ranks[np.array(sorted(range(len(found)), key=found.__getitem__), dtype=np.int64)] = np.arange(len(found))
    ranks[-1] = -1
    return ranks[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)], sorted(found)


def group_rows(
    codes: "Sequence[NDArray[np.int64]]", values: Sequence[Sequence[str]], columns: Sequence[str]
) -> list[Groups]:
    """Segments of each level: on the first those of the first column, on the next those of two columns, and so on.

    Args:
        codes: Of each column, the position of each row's value, or -1.
        values: Of each column.
        columns: Their names.
    """
    levels: list[Groups] = []
    above = np.zeros(len(codes[0]), dtype=np.int64)
    names: tuple[str, ...] = ("",)
    for code, known, column in zip(codes, values, columns, strict=True):
        is_known = (above >= 0) & (code >= 0)
        width = max(len(known), 1)
        unique, inverse = np.unique(above[is_known] * width + code[is_known], return_inverse=True)
        now = np.full(len(code), -1, dtype=np.int64)
        now[is_known] = inverse.ravel()
        parents = tuple(int(parent) for parent in unique // width)
        parts = (name_value(column, known[value]) for value in unique % width)
        names = tuple(
            f"{names[parent]}, {part}" if names[parent] else part for parent, part in zip(parents, parts, strict=True)
        )
        levels.append(Groups(now, names, parents))
        above = now
    return levels


def name_value(column: str, value: str) -> str:
    """`origin=JFK`; a value that could be taken for more than itself is in quotes: `origin="a, b"`."""
    if _PLAIN.fullmatch(value) and value.isprintable():
        return f"{column}={value}"
    return f"{column}={json.dumps(value, ensure_ascii=not value.isprintable())}"


def count_levels(name: str, columns: Sequence[str]) -> int:
    """Of how many columns a segment is told, by its name: 1 for `origin=JFK`, 2 for `origin=JFK, carrier=AA`.

    Args:
        name: As `name_value` makes its parts.
        columns: By which segments are told, first level first.
    """
    rest = name
    for level, column in enumerate(columns, start=1):
        rest = rest.removeprefix(f"{column}=")
        quoted = rest.startswith('"')
        match = None if quoted else _PLAIN.match(rest)
        end = json.JSONDecoder().raw_decode(rest)[1] if quoted else match.end() if match else len(rest)
        if end == len(rest):
            return level
        rest = rest[end:].removeprefix(", ")
    return len(columns)


def _show_number(value: float, kind: SegmentKind) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
