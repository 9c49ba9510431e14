"""Rows written by hand, in the types of a table: what a person means by "2024-03-01T12:00" is an instant."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException
from pyspark.sql import types as T

from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.errors import ConfigError
from sparkml_ops.notebook.preview import parse_moment

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Row = Mapping[str, Any]
_BITS: dict[type[T.DataType], int] = {T.ByteType: 8, T.ShortType: 16, T.IntegerType: 32, T.LongType: 64}


def make_rows(spark: "SparkSession", schema: T.StructType, rows: Sequence[Row], *, place: str) -> "DataFrame":
    """A frame of the rows; columns that a row does not name are null.

    Raises:
        ConfigError: a row names a column that is not there, or a value has another type; says which row.
    """
    nullable = T.StructType([T.StructField(column.name, column.dataType) for column in schema])
    values = [read_row(row, nullable, place=f"{place}[{at}]") for at, row in enumerate(require_rows(rows, place))]
    try:
        return spark.createDataFrame([tuple(row.get(name) for name in nullable.names) for row in values], nullable)
    except (PySparkException, ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{place}: Spark refuses the rows: {str(error).splitlines()[0]}") from error


def require_rows(rows: object, place: str) -> Sequence[Row]:
    """The rows, if that is what they are.

    Raises:
        ConfigError: they are no list of mappings.
    """
    if isinstance(rows, str | Mapping) or not isinstance(rows, Sequence):
        raise ConfigError(f"{place}: expected a list of rows, each a mapping of columns; found {show_value(rows)}.")
    wrong = next((at for at, row in enumerate(rows) if not isinstance(row, Mapping)), None)
    if wrong is not None:
        raise ConfigError(f"{place}[{wrong}]: expected a mapping of columns, found {show_value(rows[wrong])}.")
    return rows


def read_row(row: Row, schema: T.StructType, *, place: str) -> dict[str, Any]:
    """A row's values in the types of its columns.

    Raises:
        ConfigError: it names a column that is not there, or a value has another type.
    """
    unknown = next((name for name in row if name not in schema.names), None)
    if unknown is not None:
        nearest = nearest_name(str(unknown), schema.names)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ConfigError(f"{place}: no column {show_value(unknown)}.{hint} There are: {list_names(schema.names)}.")
    return {name: read_value(value, schema[name].dataType, place=f"{place}.{name}") for name, value in row.items()}


def read_value(value: Any, kind: T.DataType, *, place: str) -> Any:
    """A value as Spark takes it for a column of a type.

    Raises:
        ConfigError: it is none of that type.
    """
    if value is None:
        return None
    if isinstance(kind, T.TimestampType):
        return parse_moment(value, place)
    if isinstance(kind, T.TimestampNTZType):
        return parse_moment(value, place).astimezone(UTC).replace(tzinfo=None)
    read = next((read for kinds, read in _READERS.items() if isinstance(kind, kinds)), lambda one, _: one)
    found = read(value, kind)
    if found is None:
        raise ConfigError(f"{place}: expected a value of type {kind.simpleString()}, found {show_value(value)}.")
    return found


def _read_whole(value: Any, kind: T.DataType) -> int | None:
    half = 2 ** (_BITS.get(type(kind), 64) - 1)
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    return int(value) if is_whole and -half <= int(value) < half else None


def _read_fraction(value: Any, kind: T.DataType) -> float | None:
    del kind
    return None if isinstance(value, bool) or not isinstance(value, Real) else float(value)


def _read_date(value: Any, kind: T.DataType) -> date | None:
    del kind
    if isinstance(value, datetime):
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _read_decimal(value: Any, kind: T.DataType) -> Decimal | None:
    del kind
    try:
        return None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None


_READERS: dict[type[T.DataType], Callable[[Any, T.DataType], Any]] = {
    T.DateType: _read_date,
    T.IntegralType: _read_whole,
    T.DecimalType: _read_decimal,
    T.FractionalType: _read_fraction,
    T.StringType: lambda value, _: value if isinstance(value, str) else None,
    T.BooleanType: lambda value, _: value if isinstance(value, bool) else None,
}
"""What makes a value of each type; None where it is none. A decimal is a fraction too, so it comes first."""
