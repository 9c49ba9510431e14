"""Figures of windows by Spark's own aggregates, for an audit: one expression for each column of an `aggregate`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DecimalType, DoubleType, FloatType, NumericType, StringType

from sparkml_ops.config.aggregates import AggregateColumn

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

    from sparkml_ops.config.aggregates import Aggregate
    from sparkml_ops.config.features import FeatureView

FILLED = "__filled"
_DAY = 86_400_000_000
_DISTINCT_SLACK = 0.1  # six standard errors of the sketch
_QUANTILE_SLACK = 0.0101  # each neighbour within 1 % of its own size, and rounding


@dataclass(frozen=True)
class Window:
    """One column of an `aggregate`, over events that have met decisions.

    Attributes:
        time: column with the time of an event, in microseconds, as are the next two.
        known: column with when it was known.
        moment: column with the decision's moment.
        number: which aggregate of the view it is, counted from 0.
        column: the column.
        snapshot: windows are as of the last midnight.
    """

    time: str
    known: str
    moment: str
    number: int
    column: AggregateColumn
    snapshot: bool

    def holds(self) -> "Column":
        """Whether an event is in the window and counts."""
        time, known, moment = F.col(self.time), F.col(self.known), F.col(self.moment)
        length = F.lit(int(self.column.window.total_seconds()) * 1_000_000)
        if self.snapshot:
            midnight = moment - F.pmod(moment, F.lit(_DAY))
            inside = (known <= midnight) & (time < midnight) & (time >= midnight - length)
        else:
            inside = (known <= moment) & (time <= moment) & (time > moment - length)
        counts = F.col(f"__counts_{self.number}")
        in_bucket = F.lit(True) if self.column.bucket is None else F.col(f"__in_{self.number}_{self.column.bucket}")
        return F.coalesce(inside & counts & in_bucket, F.lit(False))

    def numbers(self) -> "Column":
        """The values in the window as doubles."""
        return F.when(self.holds(), F.col(f"__number_{self.number}"))

    def values(self) -> "Column":
        """The values in the window in their own type."""
        return F.when(self.holds(), F.col(f"__value_{self.number}"))

    def in_order(self) -> "Column":
        """Time and value of what is in the window: in the order in which `first` and `last` are told."""
        value = F.col(f"__value_{self.number}").alias("value")
        return F.when(self.holds(), F.struct(F.col(self.time).alias("time"), value))


def payload_of(events: "DataFrame", view: "FeatureView") -> "list[Column]":
    """What of an event the windows need: whether it counts, its values, its buckets."""
    columns = []
    for number, aggregate in enumerate(view.aggregates):
        found = events.select(F.expr(aggregate.of).alias("value")).schema["value"].dataType
        value = F.expr(aggregate.of)
        is_number = isinstance(found, NumericType | BooleanType)
        counts = value.isNotNull()
        if isinstance(found, FloatType | DoubleType):
            counts &= ~F.isnan(value)
            zero = F.lit(0.0).cast(found)
            value = F.when(value == zero, zero).otherwise(value)
        if aggregate.where is not None:
            counts &= F.expr(aggregate.where)
        buckets = _buckets(events, aggregate)
        if buckets:
            counts &= F.coalesce(F.greatest(*buckets, F.lit(False)), F.lit(False))
        columns += [
            counts.alias(f"__counts_{number}"),
            (value.cast("double") if is_number else F.lit(None).cast("double")).alias(f"__number_{number}"),
            (value.cast("string") if isinstance(found, StringType) else value).alias(f"__value_{number}"),
            *(is_in.alias(f"__in_{number}_{at}") for at, is_in in enumerate(buckets)),
        ]
    return columns


def figure_of(window: Window) -> "Column":
    """The figure of a column."""
    operation = window.column.operation
    simple = _SIMPLE.get(operation)
    if simple is not None:
        return simple(window)
    if operation.startswith("last_"):
        newest = F.slice(F.sort_array(F.collect_list(window.in_order()), asc=False), 1, int(operation[5:]))
        return F.when(F.size(newest) > 0, newest.getField("value"))
    share = int(operation.rpartition("p")[2]) / 100
    return F.percentile(window.numbers(), share)


def slack_of(window: Window) -> "Column":
    """How far a sketch may be from the figure."""
    if window.column.operation == "approx_count_distinct":
        return F.greatest(F.lit(1.0), figure_of(window) * _DISTINCT_SLACK)
    share = int(window.column.operation.rpartition("p")[2]) / 100
    numbers = F.sort_array(F.collect_list(window.numbers()))
    place = (F.size(numbers) - 1) * F.lit(share)
    below, above = (F.abs(F.get(numbers, at.cast("int"))) for at in (F.floor(place), F.ceil(place)))
    return F.greatest(below, above) * _QUANTILE_SLACK


_SIMPLE: "dict[str, Callable[[Window], Column]]" = {
    "count": lambda window: F.count_if(window.holds()),
    "count_distinct": lambda window: F.size(F.collect_set(window.values())),
    "approx_count_distinct": lambda window: F.size(F.collect_set(window.values())),
    "sum": lambda window: F.sum(window.numbers()),
    "mean": lambda window: F.avg(window.numbers()),
    # Beside an infinite value nothing can be said of the spread.
    "std": lambda window: F.nanvl(F.stddev_samp(window.numbers()), F.lit(None).cast("double")),
    "min": lambda window: F.min(window.numbers()),
    "max": lambda window: F.max(window.numbers()),
    "first": lambda window: F.min(window.in_order()).getField("value"),
    "last": lambda window: F.max(window.in_order()).getField("value"),
    "most_frequent": lambda window: F.mode(window.values(), deterministic=True),
}


def _buckets(events: "DataFrame", aggregate: "Aggregate") -> "list[Column]":
    if aggregate.by_column is None:
        return []
    found = events.schema[aggregate.by_column].dataType
    return [F.col(aggregate.by_column) == _literal(value, found) for value in aggregate.by_values]


def _literal(value: object, found: "DataType") -> "Column":
    # A decimal is read with all its digits, so that 1.555 is not taken for the 1.56 of a column with two.
    return F.lit(str(value)).cast(DecimalType(38, 18) if isinstance(found, DecimalType) else found)
