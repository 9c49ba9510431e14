"""What an event contributes to an `aggregate`: the columns that are sent to the tasks, with the types they have.

Operations that calculate take the value as a double, those that choose take it in its own type. The two are sent side
by side where both are asked for: a long of more than 53 bits, or a decimal, is no double.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from sparkml_ops.config.aggregates import Aggregate, BucketValue, is_sketch
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.expressions import compile_expression, expression_type, require_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_ORDERED = (NumericType, BooleanType, StringType, BinaryType, DateType, TimestampType, TimestampNTZType)
_OF_VALUES = ("first", "last", "most_frequent", "count_distinct")
SKETCH_OF_VALUES = "approx_count_distinct"


@dataclass(frozen=True)
class SeriesInput:
    """The columns of one series, and what is asked of it.

    Attributes:
        operations: the operations.
        type: the value's own type.
        number: column with the value as a double.
        value: column with the value in its own type.
        weight: column with the number of events, or the rank of a register, that a row of a sketch stands for.
        bucket: column with the number of an event's bucket, and the bucket of this series.
    """

    operations: tuple[str, ...]
    type: DataType
    number: str | None = None
    value: str | None = None
    weight: str | None = None
    bucket: tuple[str, int] | None = None

    @property
    def bucket_number(self) -> int | None:
        """The bucket of this series; None without `by`."""
        return None if self.bucket is None else self.bucket[1]


@dataclass(frozen=True)
class Inputs:
    """Everything that an aggregate is computed from.

    Attributes:
        columns: the columns of an event.
        series: what is computed from them.
        exact: names of the columns that are sent for each event.
        buckets: name of the column with the bucket, if there is one.
        numbers: name of the column that percentiles are sketched from.
        values: name of the column whose different values are sketched.
    """

    columns: Sequence["Column"]
    series: Sequence[SeriesInput]
    exact: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    numbers: str | None = None
    values: str | None = None


def read_inputs(events: "DataFrame", aggregate: Aggregate, *, number: int, place: str) -> Inputs:
    """What an aggregate is computed from.

    Args:
        events: the view's events.
        aggregate: the aggregate.
        number: its place in the view, for the names of the columns.
        place: the same in words, for messages.

    Raises:
        ConfigError: an expression cannot be computed, or has a type that an operation does not take.
    """
    found = expression_type(events, aggregate.of, place=f"{place}.of")
    _require_types(aggregate, found, place=place)
    condition = _condition(events, aggregate, place=place)
    bucket = _bucket(events, aggregate, place=place)
    bucket_name = f"_bucket_{number}"
    if bucket is not None:
        condition.append(bucket.isNotNull())
    names = {"number": f"_number_{number}", "value": f"_value_{number}"}
    columns = {
        names["number"]: _keep_if(condition, _as_number(F.expr(aggregate.of), found)),
        names["value"]: _keep_if(condition, _as_value(F.expr(aggregate.of), found)),
    }
    needs = {
        "number": [each for each in aggregate.ops if not _takes_value(each)],
        "value": [each for each in aggregate.ops if _takes_value(each)],
    }
    exact = {kind: [each for each in asked if not is_sketch(each)] for kind, asked in needs.items()}
    series = []
    for at in range(len(aggregate.by_values)) if aggregate.by else [None]:
        where = None if at is None else (bucket_name, at)
        operations = tuple(each for each in aggregate.ops if not is_sketch(each))
        if operations:
            given = {kind: names[kind] for kind, asked in exact.items() if asked}
            series.append(SeriesInput(operations, found, bucket=where, **given))
        for kind, asked in needs.items():
            sketches = tuple(each for each in asked if is_sketch(each))
            if sketches:
                row, weight = f"_sketch_{kind}_{number}", f"_weight_{kind}_{number}"
                series.append(SeriesInput(sketches, found, number=row, weight=weight, bucket=where))
    sent = {kind: name for kind, name in names.items() if needs[kind]}
    return Inputs(
        [
            *(columns[name].alias(name) for name in sent.values()),
            *([] if bucket is None else [bucket.alias(bucket_name)]),
        ],
        series,
        tuple(names[kind] for kind, asked in exact.items() if asked),
        () if bucket is None else (bucket_name,),
        names["number"] if any(map(is_sketch, needs["number"])) else None,
        names["value"] if any(map(is_sketch, needs["value"])) else None,
    )


def type_of_value(operation: str, found: DataType) -> DataType | None:
    """The type of an operation that gives values of its own; None for those that give numbers."""
    if operation.startswith("last_"):
        return ArrayType(found)
    return found if operation in _OF_VALUES else None


def _takes_value(operation: str) -> bool:
    return operation in (*_OF_VALUES, SKETCH_OF_VALUES) or operation.startswith("last_")


def _takes_number(operation: str) -> bool:
    return not _takes_value(operation) and operation != "count"


def _require_types(aggregate: Aggregate, found: DataType, *, place: str) -> None:
    is_number = isinstance(found, NumericType | BooleanType)
    refused = [each for each in aggregate.ops if _takes_number(each) and not is_number]
    if refused:
        raise ConfigError(
            f"{place}.of: `{aggregate.of}` is {found.simpleString()}; {', '.join(refused)} need a number or a "
            "boolean. Only count takes any type, and first, last, last_k, most_frequent and count_distinct any with "
            "an order."
        )
    refused = [each for each in aggregate.ops if _takes_value(each) and not isinstance(found, _ORDERED)]
    if refused:
        raise ConfigError(
            f"{place}.of: `{aggregate.of}` is {found.simpleString()}; {', '.join(refused)} need texts, numbers, "
            "booleans, dates or timestamps. Take a field or an element of it."
        )


def _as_number(value: "Column", found: DataType) -> "Column":
    """The value as a double, null for NaN; what is no number is a 1 to be counted."""
    if isinstance(found, NumericType | BooleanType):
        return F.nanvl(value.cast("double"), F.lit(None).cast("double"))
    return F.when(value.isNotNull(), F.lit(1.0))


def _as_value(value: "Column", found: DataType) -> "Column":
    """The value in its own type; null for NaN, and 0.0 for -0.0, since which of two equal values is met is chance."""
    if isinstance(found, FloatType | DoubleType):
        zero = F.lit(0.0).cast(found)
        return F.when(~F.isnan(value), F.when(value == zero, zero).otherwise(value))
    return value.cast("string") if isinstance(found, StringType) else value


def _condition(events: "DataFrame", aggregate: Aggregate, *, place: str) -> "list[Column]":
    if aggregate.where is None:
        return []
    return [compile_expression(events, aggregate.where, place=f"{place}.where")]


def _keep_if(conditions: "Sequence[Column]", value: "Column") -> "Column":
    for condition in conditions:
        value = F.when(condition, value)
    return value


def _bucket(events: "DataFrame", aggregate: Aggregate, *, place: str) -> "Column | None":
    """The number of the declared value that an event has; null if it has none of them."""
    name = aggregate.by_column
    if name is None:
        return None
    require_columns(events, [name], place=f"{place}.by")
    found = events.schema[name].dataType
    chosen: Column | None = None
    for number, value in enumerate(aggregate.by_values):
        is_it = F.col(name) == _literal(value, found, place=f"{place}.by.{name}[{number}]")
        chosen = F.when(is_it, F.lit(number)) if chosen is None else chosen.when(is_it, F.lit(number))
    return chosen


def _literal(value: BucketValue, found: DataType, *, place: str) -> "Column":
    """A declared value in the type of its column."""
    if isinstance(value, str) and isinstance(found, DateType | TimestampType | TimestampNTZType):
        return F.lit(_read_time(value, found, place=place)).cast(found)
    fits = {
        str: isinstance(found, StringType),
        bool: isinstance(found, BooleanType),
        int: isinstance(found, NumericType),
        float: isinstance(found, NumericType) and not isinstance(found, IntegralType),
    }
    if not fits[type(value)]:
        raise ConfigError(
            f"{place}: the column is {found.simpleString()}, so that no event can have the value {value!r}. "
            "Write a value of the column's type."
        )
    if isinstance(value, float) and isinstance(found, DecimalType):
        return F.lit(str(value)).cast(DecimalType(38, 18))
    return F.lit(value)


def _read_time(value: str, found: DataType, *, place: str) -> str:
    """A date or time of ISO 8601 as Spark reads it; Spark would also take `yesterday`, another day each time."""
    try:
        if isinstance(found, DateType):
            return date.fromisoformat(value).isoformat()
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise ConfigError(f"{place}: {value!r} is no {found.simpleString()}, as the column is, in ISO 8601.") from error
    if isinstance(found, TimestampNTZType) or instant.tzinfo is None:
        return instant.replace(tzinfo=None).isoformat()
    return instant.astimezone(UTC).isoformat()
