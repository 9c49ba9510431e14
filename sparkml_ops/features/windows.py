"""Rows of `aggregate` views: figures over sliding windows, exact at every instant, or as of each midnight.

* An event with time `ts` is known from `k = ts + available_after` on, or from what `known_at` says, but not before `ts`.
* In a `temporal` view the window of length w holds, at the moment m, the events with `k <= m` and `m - w < ts <= m`.
  The table has one row per entity and change point: each `k` at which an event enters a window, each `ts + w` at
  which one leaves it.
* In a `snapshot` view windows are whole days, as of midnights (UTC). The row of the midnight D holds the events with
  `k <= D` and `D - w <= ts < D`. There are rows only at midnights at which an event enters or leaves a window.
* Figures hold from their row's instant until the next row, so the newest row at or before a moment is right. In these
  rows `timestamp` and `_known_at` are both the change point.
* Events for which the aggregate's `where` does not hold, that are in no bucket of its `by`, or whose `of` is null or
  NaN, do not count. -0.0 is 0.0.
* Within a window events are ordered by time, then by value: `last` is the greatest value of the latest time, `last_3`
  the last three, newest first. Of several most frequent values `most_frequent` is the smallest. Texts are compared by
  their bytes. These operations and `count_distinct` take any type with an order and keep it; the others take numbers.
* Counts of an empty window are 0; every other operation gives null there. `std` is the sample's and needs two events.
  Percentiles are linear between neighbours, as in numpy and pandas.
* `derive` computes columns from the others in the same row; they are null where no window of the view has an event,
  as they are where there is no row.

Events are dealt to Arrow tables by part of time and, where a part has many, by a hash of the entity (`window_tasks.py`), so that one busy
entity with a long history is the work of many tasks and no task holds more than a part of it. A figure depends on its own window's events
alone, so it is the same bit for bit however they were dealt.

What it costs: a job that counts the events, and one shuffle of them. A `temporal` view has up to `1 + number of different windows` rows per event, a
`snapshot` view as many per entity and day with events. 500,000 events of 100 entities over 90 days, four operations on
three windows: 2,000,000 rows and 3.9 s of processor time against 12,097 rows and 1.9 s; of 5,000 entities 2,000,000 rows
and 2.6 s against 546,900 rows and 1.7 s. Snapshots are computed from the events themselves: figures of each day that
are put together later took as long with many events per day, and four times as long with few, and their sums would
depend on how rows are partitioned. A task holds the events of some entities in `WINDOWS_PER_PART + 1` times the
longest window: a million events with percentiles, different, last and most frequent values of three windows, four
million rows, took 1.8 GB in 5 s. Where that is too much there are sketches (`sketches.py`).
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DoubleType, LongType, StructField, StructType

from sparkml_ops.config.aggregates import COUNTS
from sparkml_ops.config.features import FeatureView
from sparkml_ops.features.change_points import Clock
from sparkml_ops.features.entity_hash import hash_column
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, event_time, known_time, says_nothing, to_microseconds
from sparkml_ops.features.ratios import derive_ratios
from sparkml_ops.features.sketches import sketch_events
from sparkml_ops.features.sliding import FILLED, Plan, Series, WindowColumn
from sparkml_ops.features.window_inputs import Inputs, read_inputs, type_of_value
from sparkml_ops.features.window_tasks import compute_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

SHORTEST_PART = timedelta(days=30)  # shorter ones make more tables than they save memory
WINDOWS_PER_PART = 4  # an event is then in 1.25 parts on average
_TIME, _KNOWN, _PART = "_time", "_known", "_part"


def aggregate_events(
    events: "DataFrame", view: FeatureView, *, name: str, within: tuple[int, int] | None = None
) -> "DataFrame":
    """Rows of an `aggregate` view: entity columns, timestamp, _known_at, the view's columns and _entity_hash.

    Args:
        events: of the view.
        view: the view.
        name: its name, for messages.
        within: the first and the last instant of the rows that are wanted, in microseconds; by default all.

    Raises:
        ConfigError: an expression cannot be computed, or has a type that an operation does not take.
    """
    inputs = [
        read_inputs(events, aggregate, number=number, place=f"features.{name}.aggregate[{number}]")
        for number, aggregate in enumerate(view.aggregates)
    ]
    plan = plan_windows(view, inputs, within=within)
    time = F.unix_micros(event_time(view))
    said = events.filter(~says_nothing(view))
    known = [] if plan.known is None else [F.unix_micros(known_time(view)).alias(plan.known)]
    counted = said.select(
        *view.entity, time.alias(_TIME), *known, *(column for each in inputs for column in each.columns)
    )
    figures = compute_windows(_count_events(counted, inputs, plan), plan, _row_type(events, plan, inputs))
    derived = derive_ratios(figures, view.derive, place=f"features.{name}.derive", filled=FILLED)
    change_point = F.timestamp_micros(_TIME)
    names = view.column_names()
    hash_ = hash_column(events.schema, view.entity)
    return derived.select(*view.entity, change_point.alias(TIMESTAMP), change_point.alias(KNOWN_AT), *names, hash_)


def plan_windows(view: FeatureView, inputs: "Sequence[Inputs]", *, within: tuple[int, int] | None = None) -> Plan:
    """What to compute for a view."""
    series = []
    for aggregate, each in zip(view.aggregates, inputs, strict=True):
        for given in each.series:
            columns = tuple(
                WindowColumn(column.name, column.operation, to_microseconds(column.window))
                for column in aggregate.columns()
                if column.operation in given.operations and column.bucket == given.bucket_number
            )
            series.append(Series(columns, given.number, given.value, given.weight, given.bucket))
    longest = max(window for aggregate in view.aggregates for window in aggregate.windows)
    part_length = to_microseconds(max(SHORTEST_PART, WINDOWS_PER_PART * longest))
    clock = Clock(to_microseconds(view.available_after), view.accuracy == "snapshot")
    known = None if view.known_at is None else _KNOWN
    return Plan(tuple(view.entity), _TIME, _PART, part_length, clock, tuple(series), known, within)


def _count_events(counted: "DataFrame", inputs: "Sequence[Inputs]", plan: Plan) -> "DataFrame":
    """The events that count somewhere, and the rows that stand for many of them in sketches."""
    exact = [name for each in inputs for name in each.exact]
    keys = [*plan.entity, _TIME, *([] if plan.known is None else [plan.known])]
    kept = [name for each in inputs for name in (*each.exact, *each.buckets)]
    rows = [counted.select(*keys, *kept).dropna("all", subset=exact)] if exact else []
    for each in inputs:
        rows += sketch_events(counted, each, keys=keys, clock=plan.clock)
    union, *others = rows
    for other in others:
        union = union.unionByName(other, allowMissingColumns=True)
    return union


def _row_type(events: "DataFrame", plan: Plan, inputs: "Sequence[Inputs]") -> StructType:
    """Schema of what `slide_windows` returns."""
    entity = [StructField(name, events.schema[name].dataType) for name in plan.entity]
    given = [series for each in inputs for series in each.series]
    figures = []
    for series, each in zip(plan.series, given, strict=True):
        for column in series.columns:
            if column.operation in COUNTS:
                figures.append(StructField(column.name, LongType()))
            else:
                figures.append(StructField(column.name, type_of_value(column.operation, each.type) or DoubleType()))
    return StructType([*entity, StructField(_TIME, LongType()), *figures, StructField(FILLED, BooleanType())])
