"""Sliding windows over the events of many entities, in one Arrow table: the arithmetic of `aggregate` views.

All times are microseconds since 1970 in UTC. An event with time t is known at t + delay. At the moment m a window of
length w holds the events with t + delay <= m and m - w < t <= m. So it changes at t + delay, where an event enters,
and at t + w, where one leaves: those are the change points, and between two of them every figure is constant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkml_ops.features.window_ranks import WindowRanks, rank_values
from sparkml_ops.features.window_sums import Floats, Positions, WindowSums, sum_windows


@dataclass(frozen=True)
class WindowColumn:
    """One figure of one window.

    Attributes:
        name: name of the column.
        operation: count, sum, mean, std, min, max or p1 … p99.
        window: length in microseconds.
    """

    name: str
    operation: str
    window: int


@dataclass(frozen=True)
class Series:
    """One aggregated expression: the column with its values, and the figures that are wanted of it."""

    value: str
    columns: tuple[WindowColumn, ...]

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
        delay: how much later than its time an event is known.
        series: the aggregated expressions.
    """

    entity: tuple[str, ...]
    time: str
    part: str
    part_length: int
    delay: int
    series: tuple[Series, ...]


@dataclass(frozen=True)
class _Line:
    """Events or change points: the number of the entity and the time, sorted by both."""

    entity: Positions
    time: Positions


def slide_windows(events: pa.Table, plan: Plan) -> pa.Table:
    """Figures of every window at every change point of one part of time.

    Args:
        events: entity columns, time, part (one and the same) and a float column per series, null where the event
            does not count. All events that are in some window during the part, in any order.
        plan: what to compute.

    Returns:
        Entity columns, `time` with the change points, and the plan's columns: count as int64, the others as float64.
    """
    entity, representative = _number_entities(events, plan.entity)
    time = _to_numpy(events, plan.time)
    counted = [_find_counted(entity, time, _to_numpy(events, series.value)) for series in plan.series]
    points = _find_change_points(plan, [line for line, _ in counted], part=events.column(plan.part)[0].as_py())
    columns = {name: events.column(name).combine_chunks().take(representative[points.entity]) for name in plan.entity}
    columns[plan.time] = pa.array(points.time)
    for series, (line, values) in zip(plan.series, counted, strict=True):
        columns |= _measure(series, line, values, points, plan.delay)
    return pa.table(columns)


def _number_entities(events: pa.Table, names: tuple[str, ...]) -> tuple[Positions, Positions]:
    """A number from 0 for each row's entity, and for each number a row that has it."""
    numbers = np.zeros(len(events), dtype=np.int64)
    for name in names:
        encoded = events.column(name).combine_chunks().dictionary_encode()
        combined = numbers * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
        _, first, numbers = np.unique(combined, return_index=True, return_inverse=True)
    return numbers, first


def _find_counted(entity: Positions, time: Positions, values: Floats) -> tuple[_Line, Floats]:
    """The events that have a value, and their values. Sorted by value too: sums must not depend on how rows came."""
    rows = np.flatnonzero(~np.isnan(values))
    rows = rows[np.lexsort((values[rows], time[rows], entity[rows]))]
    return _Line(entity[rows], time[rows]), values[rows]


def _find_change_points(plan: Plan, lines: list[_Line], *, part: int) -> _Line:
    """Where some window of some entity changes, within the part; sorted, each once."""
    entities, times = [], []
    for series, line in zip(plan.series, lines, strict=True):
        for window in series.windows():
            if plan.delay < window:  # otherwise an event has left the window before it is known
                entities += [line.entity, line.entity]
                times += [line.time + plan.delay, line.time + window]
    entity, time = np.concatenate([[], *entities]).astype(np.int64), np.concatenate([[], *times]).astype(np.int64)
    in_part = time // plan.part_length == part
    entity, time = entity[in_part], time[in_part]
    order = np.lexsort((time, entity))
    entity, time = entity[order], time[order]
    is_new = np.ones(len(time), dtype=bool)
    is_new[1:] = (np.diff(entity) != 0) | (np.diff(time) != 0)
    return _Line(entity[is_new], time[is_new])


def _measure(series: Series, line: _Line, values: Floats, points: _Line, delay: int) -> dict[str, pa.Array]:
    """The columns of one series at the change points."""
    ranks = rank_values(values) if any(_percent(column) is not None for column in series.columns) else None
    ends = _count_until(line, points, delay)
    result = {}
    for window in series.windows():
        starts = np.minimum(_count_until(line, points, window), ends)
        # A series changes at its own events only: equal windows in a row are measured once.
        is_new = np.ones(len(points.time), dtype=bool)
        is_new[1:] = (np.diff(starts) != 0) | (np.diff(ends) != 0)
        again = np.cumsum(is_new) - 1
        wanted = [column for column in series.columns if column.window == window]
        for name, figures in _measure_windows(wanted, values, ranks, starts[is_new], ends[is_new]).items():
            measured = figures[again]
            result[name] = pa.array(measured, mask=np.isnan(measured) if measured.dtype == np.float64 else None)
    return {column.name: result[column.name] for column in series.columns}


def _measure_windows(
    columns: list[WindowColumn], values: Floats, ranks: WindowRanks | None, starts: Positions, ends: Positions
) -> dict[str, NDArray[np.generic]]:
    sums = sum_windows(values, starts, ends)
    figures: dict[str, NDArray[np.generic]] = {}
    for column in columns:
        percent = _percent(column)
        if percent is None:
            figures[column.name] = _SUMMED[column.operation](sums)
        elif ranks is not None:
            figures[column.name] = ranks.percentile(starts, ends, percent)
    return figures


_SUMMED: dict[str, Callable[[WindowSums], NDArray[np.generic]]] = {
    "count": lambda sums: sums.count,
    "sum": lambda sums: np.where(sums.count > 0, sums.total, np.nan),
    "mean": WindowSums.mean,
    "std": WindowSums.deviation,
}
_EXTREMES = {"min": 0, "max": 100}


def _percent(column: WindowColumn) -> int | None:
    """Which percentile a column is, None if it is none."""
    if column.operation in _SUMMED:
        return None
    return _EXTREMES[column.operation] if column.operation in _EXTREMES else int(column.operation[1:])


def _count_until(line: _Line, points: _Line, before: int) -> Positions:
    """Per point: the position after its entity's last event whose time is at or before the point's time less `before`.

    Entity and time become one sortable number: times are replaced by their rank, so that it cannot overflow.
    """
    instants = _distinct(line.time)
    stride = len(instants) + 1
    keys = line.entity * stride + np.searchsorted(instants, line.time) + 1
    wanted = points.entity * stride + np.searchsorted(instants, points.time - before, side="right")
    return np.searchsorted(keys, wanted, side="right").astype(np.int64)


def _distinct(times: Positions) -> Positions:
    """The different times, sorted; by sorting, which is faster here than numpy's hashing."""
    ordered = np.sort(times)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def _to_numpy(events: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(events.column(name).to_numpy())
