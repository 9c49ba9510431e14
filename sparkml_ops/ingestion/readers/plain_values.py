"""Texts -> values, as long as there is one way to read them, so that Arrow and Spark have the same."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")
_DAY = r"[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_SURE = {
    "int": r"^-?[0-9]{1,9}$",
    "long": r"^-?[0-9]{1,18}$",
    "double": r"^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$",
    "boolean": r"^(?:true|false)$",
    "date": f"^{_DAY}$",
    "timestamp": rf"^{_DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
}
"""What Arrow surely takes, and as Spark does: where a batch has other values, these are told from them."""
_LENGTHS = {"date": (10,), "timestamp": (19, 23, 26)}
"""Characters of a day, and of an instant with no, three and six digits of a second."""
_FIRST = {"date": -719_162, "timestamp": -719_162 * 86_400_000_000}
"""When the year 1 began, in days and in microseconds before 1970."""


def arrow_type(kind: str) -> "pa.DataType":
    """The type that the values of a type of a contract have."""
    import pyarrow as pa

    if decimal := _DECIMAL.match(kind):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    types: dict[str, pa.DataType] = {
        "int": pa.int32(), "long": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"), "string": pa.string(),
    }  # fmt: skip
    return types[kind]


def type_texts(texts: "pa.Array", kind: str) -> "tuple[pa.Array, pa.Array | None]":
    """The values, and which of them are surely what Spark would take them for; None where all are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "string":
        return texts, None
    if decimal := _DECIMAL.match(kind):
        return _type_decimals(texts, precision=int(decimal[1]), scale=int(decimal[2]))
    typed = _cast(texts, kind)
    if typed is not None and _is_usual(texts, typed, kind):
        return typed, None
    is_sure = pc.fill_null(pc.match_substring_regex(texts, _SURE[kind]), True)
    return _cast(pc.if_else(is_sure, texts, pa.scalar(None, pa.string())), kind), is_sure


def _cast(texts: "pa.Array", kind: str) -> "pa.Array | None":
    """The texts as values; None where one of them is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        typed = pc.cast(texts, pa.timestamp("us") if kind == "timestamp" else arrow_type(kind))
    except pa.ArrowInvalid:
        return None
    return typed.cast(arrow_type(kind))


def _type_decimals(texts: "pa.Array", *, precision: int, scale: int) -> "tuple[pa.Array, pa.Array]":
    """Only those with no more digits than there is room for: of others Spark has its own way to round."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = f"[0-9]{{1,{precision - scale}}}" if precision > scale else "0"
    part = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
    is_sure = pc.fill_null(pc.match_substring_regex(texts, f"^-?{whole}{part}$"), True)
    sure = pc.if_else(is_sure, texts, pa.scalar(None, pa.string()))
    return pc.cast(sure, pa.decimal128(precision, scale)), is_sure


def _is_usual(texts: "pa.Array", typed: "pa.Array", kind: str) -> bool:
    """Whether Spark has the same values: no hexadecimal numbers, no infinities, moments in full and of our era."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind in {"int", "long"}:
        text = memoryview(texts.buffers()[2] or b"").tobytes()
        return b"x" not in text and b"X" not in text
    if kind == "double":
        return pc.all(pc.is_finite(typed)).as_py() is not False  # of no value at all it is not known
    if kind == "boolean":
        return True
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    is_whole = lengths["min"] == lengths["max"] and lengths["min"] in (None, *_LENGTHS[kind])
    first = pc.min(typed.cast(pa.int32() if kind == "date" else pa.int64())).as_py()
    return is_whole and (first is None or first >= _FIRST[kind])
