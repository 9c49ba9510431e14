"""Rows of `aggregate` views: figures over sliding windows, exact at every instant and not only at events.

* An event with time `ts` is known from `k = ts + available_after` on.
* At the moment m the window of length w holds the events with `k <= m` and `m - w < ts <= m`.
* The table has one row per entity and change point: each `k` at which an event enters a window, each `ts + w` at
  which one leaves it. Its figures hold from that instant until the next row, so the newest row at or before a moment
  is exact.
* In these rows `timestamp` and `_known_at` are both the change point.
* Events for which the aggregate's `where` does not hold, or whose `of` is null or NaN, do not count.
* `count` of an empty window is 0; every other operation gives null there. `std` is the sample's and needs two events.
  Percentiles are linear between neighbours, as in numpy and pandas.

Events are dealt to Arrow tables by a hash of the entity and by part of time, so that one busy entity with a long
history is the work of many tasks and no task holds more than a part of it. An event goes to every part in which it
matters. A figure depends on its own window's events alone, so it is the same bit for bit however they were dealt.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, LongType, NumericType, StructField, StructType

from sparkml_ops.config.features import Aggregate, FeatureView
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, event_time, says_nothing, to_microseconds
from sparkml_ops.features.expressions import compile_expression, expression_type
from sparkml_ops.features.sliding import Plan, Series, WindowColumn, slide_windows

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SHORTEST_PART = timedelta(days=30)  # shorter ones make more tables than they save memory
WINDOWS_PER_PART = 4  # an event is then in 1.25 parts on average
_TIME, _PART, _BUCKET = "_time", "_part", "_bucket"


def aggregate_events(events: "DataFrame", view: FeatureView, *, name: str) -> "DataFrame":
    """Rows of an `aggregate` view: entity columns, timestamp, _known_at and a column per operation and window.

    Raises:
        ConfigError: an expression cannot be computed, or is no number where one is needed.
    """
    plan = plan_windows(view)
    values = [
        _value_of(events, aggregate, place=f"features.{name}.aggregate[{number}]").alias(series.value)
        for number, (aggregate, series) in enumerate(zip(view.aggregates, plan.series, strict=True))
    ]
    time = F.unix_micros(event_time(view))
    counted = events.filter(~says_nothing(view)).select(*view.entity, time.alias(_TIME), *values)
    dealt = _deal_events(counted.dropna("all", subset=[series.value for series in plan.series]), plan)
    figures = dealt.groupBy(_BUCKET, _PART).applyInArrow(
        lambda table: slide_windows(table, plan), _row_type(events, plan)
    )
    change_point = F.timestamp_micros(_TIME)
    names = view.column_names()
    return figures.select(*view.entity, change_point.alias(TIMESTAMP), change_point.alias(KNOWN_AT), *names)


def plan_windows(view: FeatureView) -> Plan:
    """What to compute for a view."""
    series = [
        Series(
            f"_value_{number}",
            tuple(
                WindowColumn(aggregate.column_name(operation, window), operation, to_microseconds(window))
                for operation in aggregate.ops
                for window in aggregate.windows
            ),
        )
        for number, aggregate in enumerate(view.aggregates)
    ]
    longest = max(window for aggregate in view.aggregates for window in aggregate.windows)
    part_length = to_microseconds(max(SHORTEST_PART, WINDOWS_PER_PART * longest))
    return Plan(tuple(view.entity), _TIME, _PART, part_length, to_microseconds(view.available_after), tuple(series))


def _value_of(events: "DataFrame", aggregate: Aggregate, *, place: str) -> "Column":
    """The number an event contributes, null if it does not count; a mere count takes anything that is not null."""
    found = expression_type(events, aggregate.of, place=f"{place}.of")
    value = F.expr(aggregate.of)
    if isinstance(found, NumericType) or found.simpleString() == "boolean":
        number = F.nanvl(value.cast("double"), F.lit(None).cast("double"))
    elif set(aggregate.ops) == {"count"}:
        number = F.when(value.isNotNull(), F.lit(1.0))
    else:
        raise ConfigError(
            f"{place}.of: `{aggregate.of}` is {found.simpleString()}; {', '.join(aggregate.ops)} need a number or a "
            "boolean. Only count takes any type."
        )
    if aggregate.where is None:
        return number
    return F.when(compile_expression(events, aggregate.where, place=f"{place}.where"), number)


def _deal_events(counted: "DataFrame", plan: Plan) -> "DataFrame":
    """Give each event to a bucket of entities, and to every part of time in which it is in a window or leaves one."""
    longest = max(window for series in plan.series for window in series.windows())
    buckets = int(counted.sparkSession.conf.get("spark.sql.shuffle.partitions") or "1")
    first, last = (_part_of(F.col(_TIME) + F.lit(offset), plan) for offset in (plan.delay, longest))
    return counted.filter(F.lit(plan.delay < longest)).select(
        "*",
        F.pmod(F.xxhash64(*plan.entity), F.lit(buckets)).alias(_BUCKET),
        F.explode(F.sequence(first, last)).alias(_PART),
    )


def _part_of(time: "Column", plan: Plan) -> "Column":
    """Number of the part of time, rounded down before 1970 too."""
    length = F.lit(plan.part_length)
    return F.round((time - F.pmod(time, length)) / length).cast("long")


def _row_type(events: "DataFrame", plan: Plan) -> StructType:
    """Schema of what `slide_windows` returns."""
    entity = [StructField(name, events.schema[name].dataType) for name in plan.entity]
    figures = [
        StructField(column.name, LongType() if column.operation == "count" else DoubleType())
        for series in plan.series
        for column in series.columns
    ]
    return StructType([*entity, StructField(_TIME, LongType()), *figures])
