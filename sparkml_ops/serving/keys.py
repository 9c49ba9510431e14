"""The key of an entity in a store: the same from a row in Spark and from a request in Python.

Each value is written as `<bytes>:<text>`, one after another. So no two entities have the same key, whatever characters are in
the values: ("a", "b:c") is `1:a3:b:c`, ("a:b", "c") is `3:a:b1:c`. Texts are those of SQL; a date is its days and a timestamp its
microseconds since 1970, so that no zone and no format takes part.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

from sparkml_ops.serving.publication import ServedColumn, to_instant, to_microseconds

if TYPE_CHECKING:
    from pyspark.sql import Column

_WHOLE = frozenset({"byte", "short", "integer", "long"})
_PLAIN = _WHOLE | {"string", "boolean", "date", "timestamp"}
_NUMBER = re.compile(r"-?[0-9]{1,40}")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_DECIMAL_TEXT = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?")
_ENOUGH_DIGITS = 200
_FIRST_DAY = date(1970, 1, 1).toordinal()


def can_be_key(column_type: Any) -> bool:
    """Whether an entity column of this type can be asked for; floating point numbers and nested values cannot."""
    return column_type in _PLAIN or (isinstance(column_type, str) and bool(_DECIMAL.fullmatch(column_type)))


def key_column(entity: Sequence[ServedColumn]) -> "Column":
    """The key of a row, as a text."""
    from pyspark.sql import functions as F

    parts: list[Column] = []
    for column in entity:
        value = F.col(f"`{column.name}`")
        plain = {"date": F.unix_date, "timestamp": F.unix_micros}.get(str(column.type), lambda same: same)(value)
        text = plain.cast("string")
        parts += [F.octet_length(text).cast("string"), F.lit(":"), text]
    return F.concat(*parts)


def make_key(entity: Sequence[ServedColumn], values: Mapping[str, Any]) -> bytes | None:
    """The key of an asked entity; None when one of its values is null, since a table has no such entity.

    Args:
        entity: the view's entity columns.
        values: a value for each, as JSON has it, or as a text from a URL.

    Raises:
        ValueError: a value is none of its column's type; the message says what would be.
    """
    texts = [_write_value(column, values[column.name]) for column in entity]
    if any(text is None for text in texts):
        return None
    encoded = [str(text).encode() for text in texts]
    return b"".join(b"%d:%s" % (len(text), text) for text in encoded)


def _write_value(column: ServedColumn, value: Any) -> str | None:
    if value is None:
        return None
    try:
        written = _write(column.type, value)
    except (ValueError, OverflowError, InvalidOperation):
        written = None
    if written is None:
        raise ValueError(f"`{column.name}`: expected {describe_type(column.type)}, found {_shorten(value)}")
    return written


def _write(column_type: str, value: Any) -> str | None:
    """The text of a value, None when it is of another type."""
    if column_type == "string":
        return _write_text(value)
    if column_type in _WHOLE:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(int(value)) if is_number or _matches(_NUMBER, value) else None
    if column_type == "boolean":
        text = str(value).lower() if isinstance(value, bool) else value
        return text if text in ("true", "false") else None
    if column_type in {"date", "timestamp"}:
        return _write_time(column_type, value) if isinstance(value, str) else None
    return _write_decimal(column_type, value)


def _write_time(column_type: str, value: str) -> str:
    if column_type == "date":
        return str(date.fromisoformat(value).toordinal() - _FIRST_DAY)
    instant = datetime.fromisoformat(value)
    return str(to_microseconds(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant))


def _write_text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    value.encode()  # half a surrogate pair is no text; UnicodeEncodeError is a ValueError
    return value


def _write_decimal(column_type: str, value: Any) -> str | None:
    """Digits with the column's own scale; a value with more digits than that is found nowhere."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not _matches(_DECIMAL_TEXT, value):
        return None
    number, scale = Decimal(str(value)), int(column_type[:-1].split(",")[1])
    if not number.is_finite():
        return None
    with localcontext() as context:
        context.prec = _ENOUGH_DIGITS
        fitted = number.quantize(Decimal(1).scaleb(-scale)) if number else Decimal(0).scaleb(-scale)
    return format(fitted if fitted == number else number, "f")


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def describe_key(entity: Sequence[ServedColumn], key: bytes) -> str:
    """A key for people: `origin=JFK, day=2024-03-01`."""
    texts = []
    for column in entity:
        size, _, rest = key.partition(b":")
        if not size.isdigit():
            return key.decode(errors="replace")  # no key of ours
        texts.append(f"{column.name}={_read_value(column.type, rest[: int(size)].decode(errors='replace'))}")
        key = rest[int(size) :]
    return ", ".join(texts)


def _read_value(column_type: Any, text: str) -> str:
    try:
        if column_type == "date":
            return date.fromordinal(int(text) + _FIRST_DAY).isoformat()
        return to_instant(int(text)).isoformat() if column_type == "timestamp" else text
    except (ValueError, OverflowError):
        return text


def describe_type(column_type: Any) -> str:
    """A type of an entity column in words."""
    if column_type in _WHOLE:
        return "a whole number"
    words = {
        "string": "text",
        "boolean": "true or false",
        "date": "a date such as 2024-03-01",
        "timestamp": "a time such as 2024-03-01T12:00:00Z",
    }
    return words.get(str(column_type), f"a number, {column_type}")


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004  # enough to recognise it
