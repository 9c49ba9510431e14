"""The entity that is asked about, as a person writes it: `column=value` pairs, or plain values in the declared order.

Pure, but for the Spark columns that it makes. A pair is what stands before the first `=` if that is an entity column; all else is a value
as it stands, with whatever commas, quotes, spaces and signs are in it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal, InvalidOperation
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.config.types import IDENTIFIER_PATTERN, parse_instant
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column

MISSING = "NULL"
"""The word for a missing value; of a text column it means that text too."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_MOST_DIGITS = 38  # of a decimal of Spark
_BITS: dict[type[T.DataType], int] = {T.ByteType: 8, T.ShortType: 16, T.IntegerType: 32, T.LongType: 64}

Key = Mapping[str, Any]


def read_key(given: Sequence[str] | Mapping[str, Any], entity: Sequence[T.StructField], *, key: Sequence[str]) -> Key:
    """The entity's values in the types of its columns; a missing one is None, or as a text the word for it.

    Args:
        given: a mapping by column, or what the command line has: pairs, or plain values.
        entity: the entity columns, as the ledger has them.
        key: those that name a decision, in the declared order.

    Raises:
        ConfigError: an unknown column, too few or too many values, or a value that is none of its column's type.
    """
    columns = {column.name: column.dataType for column in entity}
    named = given if isinstance(given, Mapping) else name_values(list(given), [*columns], key=key)
    for name in named:
        if name not in columns:
            nearest = nearest_name(str(name), columns)
            hint = f" Did you mean {nearest}?" if nearest else ""
            raise ConfigError(f"KEY: {show_value(name)} is no entity column.{hint} They are: {list_names(columns)}.")
    if not named:
        raise ConfigError(f"KEY: nothing was given; expected {_describe_form(key)}")
    return {name: _read_value(value, columns[name], name) for name, value in named.items()}


def name_values(given: Sequence[str], columns: Sequence[str], *, key: Sequence[str]) -> dict[str, str]:
    """Each value by its column.

    Raises:
        ConfigError: pairs are mixed with plain values, a column is named twice, or the values are too few or too many.
    """
    if isinstance(given, str):
        given = [given]
    cut = [text.partition("=") for text in given]
    pairs = [(name, value) for name, equals, value in cut if equals and name in columns]
    if not pairs:
        return _name_plain(given, columns, key=key)
    plain = ["".join(parts) for parts in cut if not parts[1] or parts[0] not in columns]
    if plain:
        raise ConfigError(
            f"KEY: {show_value(plain[0])} names no entity column, and other values do. "
            f"Expected each as COLUMN=VALUE; the entity columns are: {list_names(columns)}."
        )
    twice = next((name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1), None)
    if twice is not None:
        raise ConfigError(f"KEY: {twice} is given twice; expected one value for each column.")
    return dict(pairs)


def _name_plain(given: Sequence[str], columns: Sequence[str], *, key: Sequence[str]) -> dict[str, str]:
    for order in (key, columns):
        if len(given) == len(order):
            return dict(zip(order, given, strict=True))
    raise ConfigError(
        f"KEY: {len(given)} value{'s' * (len(given) != 1)} given; expected {_describe_form(key)} "
        "Each value is an argument of its own; the shell's quotes keep one with spaces together."
    )


def _describe_form(key: Sequence[str]) -> str:
    values, pairs = " ".join(name.upper() for name in key), " ".join(f"{name}=VALUE" for name in key)
    return f"{len(key)}, in this order: {values}; or pairs: {pairs}."


def suggest_column(given: Sequence[str] | Mapping[str, Any], columns: Sequence[str]) -> str:
    """A hint where a plain value looks like a pair whose column is misspelt; else nothing."""
    for text in () if isinstance(given, Mapping) else given:
        name, equals, _ = text.partition("=")
        nearest = nearest_name(name, columns) if equals and re.match(IDENTIFIER_PATTERN, name) else None
        if nearest:
            return f" {show_value(text)} was taken as a value; did you mean {nearest}=…?"
    return ""


def match_key(key: Key, entity: Sequence[T.StructField]) -> "Column":
    """Whether a row is of the entity."""
    types = {column.name: column.dataType for column in entity}
    return reduce(and_, [_match(F.col(quote_identifier(name)), value, types[name]) for name, value in key.items()])


def make_literal(value: Any, kind: T.DataType) -> "Column":
    """A value as a column of a type; a wall time is passed as its text, since Python's has no zone and would get this machine's."""
    is_wall = isinstance(kind, T.TimestampNTZType) and value is not None
    return F.lit(str(value) if is_wall else value).cast(kind)


def _match(column: "Column", value: Any, kind: T.DataType) -> "Column":
    if value is None:
        return column.isNull()
    # A cast of a decimal would round what was asked for.
    is_equal = column == (F.lit(value) if isinstance(kind, T.DecimalType) else make_literal(value, kind))
    return is_equal | column.isNull() if value == MISSING and isinstance(kind, T.StringType) else is_equal


def describe_key(key: Key, glue: str = ", ") -> str:
    """The entity for a message: `origin='EWR', day=2013-02-01`."""
    return glue.join(f"{name}={'NULL' if value is None else show_value(value)}" for name, value in key.items())


def _read_value(value: Any, kind: T.DataType, name: str) -> Any:
    if value is None or (value == MISSING and not isinstance(kind, T.StringType)):
        return None
    read, expected = next(((read, told) for kinds, read, told in _READERS if isinstance(kind, kinds)), (None, ""))
    if read is None:
        raise ConfigError(f"KEY: {name} is {kind.simpleString()}, which cannot be asked for; leave it out.")
    try:
        found = read(value, kind)
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        found = None
    if found is None:
        raise ConfigError(
            f"KEY: {name} is {kind.simpleString()}; expected {expected}, or {MISSING}; found {show_value(value)}."
        )
    return found


def _read_text(value: Any, kind: T.DataType) -> str | None:
    del kind
    if not isinstance(value, str):
        return None
    value.encode()  # half a surrogate pair is no text
    return value


def _read_whole(value: Any, kind: T.DataType) -> int | None:
    half = 2 ** (_BITS[type(kind)] - 1)
    is_whole = (isinstance(value, int) and not isinstance(value, bool)) or _matches(_WHOLE, value)
    return int(value) if is_whole and -half <= int(value) < half else None


def _read_fraction(value: Any, kind: T.DataType) -> float | None:
    del kind
    is_number = (isinstance(value, int | float) and not isinstance(value, bool)) or _matches(_NUMBER, value)
    return float(value) if is_number else None


def _read_decimal(value: Any, kind: T.DataType) -> Decimal | None:
    del kind
    if isinstance(value, bool):
        return None
    number = Decimal(str(value).strip())
    return number if number.is_finite() and _count_digits(number) <= _MOST_DIGITS else None


def _count_digits(number: Decimal) -> int:
    digits, exponent = number.as_tuple().digits, int(number.as_tuple().exponent)
    return max(len(digits) + max(exponent, 0), -exponent)


def _read_boolean(value: Any, kind: T.DataType) -> bool | None:
    del kind
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _read_date(value: Any, kind: T.DataType) -> date:
    del kind
    return value if type(value) is date else date.fromisoformat(value)


def _read_time(value: Any, kind: T.DataType) -> Any:
    instant: Any = parse_instant(value)
    return instant.astimezone(UTC).replace(tzinfo=None) if isinstance(kind, T.TimestampNTZType) else instant


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


_READERS: tuple[tuple[type[T.DataType], Callable[[Any, Any], Any], str], ...] = (
    (T.StringType, _read_text, "text"),
    (T.BooleanType, _read_boolean, "true or false"),
    (T.DecimalType, _read_decimal, "a number such as 12.50"),
    (T.IntegralType, _read_whole, "a whole number that fits it"),
    (T.FractionalType, _read_fraction, "a number such as 12.5"),
    (T.DateType, _read_date, "a date such as 2013-02-01"),
    (T.TimestampType, _read_time, "a time such as 2013-02-01T12:00:00Z"),
    (T.TimestampNTZType, _read_time, "a time such as 2013-02-01T12:00:00"),
)
"""How a value of each type is read, and what to say that it is. A decimal is a fraction too, so it comes first."""
