"""Sliding windows over the events of many entities, in one Arrow table: the arithmetic of `aggregate` views.

All times are microseconds since 1970 in UTC. `change_points.py` says where windows change and which events each of
them holds from there on; here the figures of those windows are put together. Between two change points every figure
is constant.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkml_ops.features.change_points import Clock, Line, Ranges, find_changes
from sparkml_ops.features.entities import number_entities
from sparkml_ops.features.late_events import Epochs, open_epochs
from sparkml_ops.features.window_figures import Events, measure_windows, rank_in_order
from sparkml_ops.features.window_sums import Positions

FILLED = "_filled"


@dataclass(frozen=True)
class WindowColumn:
    """One figure of one window.

    Attributes:
        name: name of the column.
        operation: one of the configuration's operations.
        window: length in microseconds.
    """

    name: str
    operation: str
    window: int


@dataclass(frozen=True)
class Series:
    """One aggregated expression: the columns with its values, and the figures that are wanted of it.

    Attributes:
        columns: the figures.
        number: column with the values as floats; an event whose float is null or NaN does not count.
        value: column with the values in their own type; an event whose value is null does not count.
        weight: column that says how many events a row stands for, or the rank of its register.
        bucket: column with the number of the bucket that an event is in, and which of them this series is for.
    """

    columns: tuple[WindowColumn, ...]
    number: str | None = None
    value: str | None = None
    weight: str | None = None
    bucket: tuple[str, int] | None = None

    def windows(self) -> list[int]:
        """Lengths of its windows, without repetition."""
        return sorted({column.window for column in self.columns})


@dataclass(frozen=True)
class Plan:
    """What to compute.

    Attributes:
        entity: names of the entity columns.
        time: name of the column with the event's time.
        part: name of the column with the number of the part of time that the table is for.
        part_length: length of such a part; part p gives the change points in [p · length, (p + 1) · length).
        clock: when events enter and leave windows.
        series: the aggregated expressions.
        known: name of the column with the instant at which an event was known, where the clock's delay does not say it.
        within: the first and the last instant of the change points that are wanted; None for all.
    """

    entity: tuple[str, ...]
    time: str
    part: str
    part_length: int
    clock: Clock
    series: tuple[Series, ...]
    known: str | None = None
    within: tuple[int, int] | None = None

    def cut(self, part: int) -> tuple[int, int]:
        """First instant of the change points of a part, and the first that is too late."""
        first, end = part * self.part_length, (part + 1) * self.part_length
        return (first, end) if self.within is None else (max(first, self.within[0]), min(end, self.within[1] + 1))

    def longest(self) -> int:
        """Length of the longest window."""
        return max(window for series in self.series for window in series.windows())


def slide_windows(events: pa.Table, plan: Plan) -> pa.Table:
    """Figures of every window at every change point of one part of time.

    Args:
        events: entity columns, time, part (one and the same) and the columns of the series. All events that are in
            some window during the part, in any order.
        plan: what to compute.

    Returns:
        Entity columns, `time` with the change points, the plan's columns, and `_filled`: whether some window has an
        event. Counts are int64, values have their own type, the other figures are float64.
    """
    [owner] = number_entities([[events.column(name) for name in plan.entity]])
    representative = np.zeros(int(owner.max(initial=-1)) + 1, dtype=np.int64)
    representative[owner] = np.arange(len(owner))
    rows = _line_up(events, owner, plan)
    owners = events.select(plan.entity).take(pa.array(representative[rows.entity]))
    if plan.known is not None:
        events = events.take(pa.array(rows.row))
    counted = [_take_events(events, series, rows) for series in plan.series]
    within = plan.cut(events.column(plan.part)[0].as_py())
    windows = [series.windows() for series in plan.series]
    points, ranges = find_changes([line for line, _ in counted], windows, plan.clock, within=within)
    if plan.known is not None:
        points, ranges = _join_epochs(points, ranges, rows)
    columns = {name: owners.column(name).take(pa.array(points.entity)) for name in plan.entity}
    columns[plan.time] = pa.array(points.time)
    for series, (_, values), held in zip(plan.series, counted, ranges, strict=True):
        columns |= _measure(series, values, held)
    columns[FILLED] = pa.array(_find_filled(ranges))
    return pa.table(columns)


def _line_up(events: pa.Table, owner: Positions, plan: Plan) -> Epochs:
    """The events in the order in which they become known; one epoch for each entity where their times tell it."""
    time = _to_numpy(events, plan.time)
    if plan.known is None:
        entities = np.arange(int(owner.max(initial=-1)) + 1)
        return Epochs(np.arange(len(owner)), owner, time, plan.clock.enter(time), entities, entities)
    enter = plan.clock.enter(time, _to_numpy(events, plan.known))
    return open_epochs(owner, time, enter, plan.clock.leave(time, plan.longest()))


def _join_epochs(points: Line, ranges: list[Ranges], epochs: Epochs) -> tuple[Line, list[Ranges]]:
    """The change points that are in their epoch; where one ends and the next begins at the same instant, the next one's."""
    kept = np.flatnonzero(points.time <= epochs.until[points.entity])
    owner, time = epochs.entity[points.entity[kept]], points.time[kept]
    is_last = np.ones(len(kept), dtype=bool)
    is_last[:-1] = (owner[1:] != owner[:-1]) | (time[1:] != time[:-1])
    kept = kept[is_last]
    return Line(points.entity[kept], points.time[kept], points.time[kept]), [
        Ranges(each.ends[kept], {window: starts[kept] for window, starts in each.starts.items()}) for each in ranges
    ]


def _take_events(events: pa.Table, series: Series, lined: Epochs) -> tuple[Line, Events]:
    """The events that count in a series, sorted by entity, time and value: figures must not depend on how rows came."""
    name = series.value or series.number
    assert name is not None  # every series has one of the two
    column = events.column(name).combine_chunks()
    counts = np.asarray(column.is_valid())
    if series.value is None:
        counts &= ~np.isnan(_to_numpy(events, name))
    if series.bucket is not None:
        bucket, wanted = series.bucket
        counts &= np.asarray(events.column(bucket).fill_null(-1)) == wanted
    rows = np.flatnonzero(counts)
    # Values are sorted by their ranks where they have any: not all of them are numbers.
    values = _to_numpy(events, name)[rows] if series.value is None else rank_in_order(column.take(rows))[1]
    rows = rows[np.lexsort((values, lined.time[rows], lined.epoch[rows]))]
    line = Line(lined.epoch[rows], lined.time[rows], lined.enter[rows])
    return line, _read_events(events, series, rows, line.entity)


def _read_events(events: pa.Table, series: Series, rows: Positions, entity: Positions) -> Events:
    """The columns of a series in the order of `rows`."""
    numbers = None if series.number is None else _to_numpy(events, series.number)[rows]
    weights = None if series.weight is None else np.asarray(events.column(series.weight))[rows].astype(np.int64)
    values = None if series.value is None else events.column(series.value).combine_chunks().take(rows)
    return Events(entity, numbers, values, weights)


def _measure(series: Series, events: Events, held: Ranges) -> dict[str, pa.Array]:
    """The columns of one series at the change points."""
    result: dict[str, pa.Array] = {}
    for window, starts in held.starts.items():
        # A series changes at its own events only: equal windows in a row are measured once.
        is_new = np.ones(len(starts), dtype=bool)
        is_new[1:] = (np.diff(starts) != 0) | (np.diff(held.ends) != 0)
        again = pa.array(np.cumsum(is_new) - 1)
        wanted = {column.operation: column.name for column in series.columns if column.window == window}
        figures = measure_windows(list(wanted), events, starts[is_new], held.ends[is_new])
        result |= {wanted[operation]: figure.take(again) for operation, figure in figures.items()}
    return {column.name: result[column.name] for column in series.columns}


def _find_filled(ranges: list[Ranges]) -> NDArray[np.bool_]:
    """Where some window of some series has an event."""
    filled = np.zeros(len(ranges[0].ends), dtype=bool)
    for each in ranges:
        for starts in each.starts.values():
            filled |= starts < each.ends
    return filled


def _to_numpy(events: pa.Table, name: str) -> NDArray[Any]:
    column = np.asarray(events.column(name).to_numpy())
    return column + 0.0 if column.dtype == np.float64 else column  # -0.0 is 0.0: which of the two came first is chance
