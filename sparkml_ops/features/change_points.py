"""Where windows change, and which events each of them holds from there on.

Events are sorted by entity and time, so that a window is a half-open range of positions `[start, end)`. An event enters
every window at one time and leaves a window of length w at another; both grow with the event's own time, so starts
and ends grow from one change point to the next. All entering and leaving times are merged once: the number of those
passed so far is the window's end, or its start. Costs one sort of O((windows + 1) · events) numbers that come in
sorted runs.

* `temporal`: an event of time t enters at t + delay and leaves at t + w, so at the moment m a window holds the events
  with `t + delay <= m` and `m - w < t <= m`.
* `snapshot`: windows are as of midnights (UTC). At the midnight D a window holds the events with `t + delay <= D` and
  `D - w <= t < D`. So an event enters at the first midnight after t that is not before t + delay, and leaves w after
  the first midnight after t.

Where each event says itself when it was known, `late_events.py` puts them in order first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkml_ops.features.window_sums import Positions

DAY = 86_400_000_000
_LARGEST_KEY = 2**62


@dataclass(frozen=True)
class Clock:
    """When events enter and leave windows, in microseconds.

    Attributes:
        delay: how much later than its time an event is known.
        snapshot: windows are as of midnights.
    """

    delay: int
    snapshot: bool = False

    def enter(self, time: Positions, known: Positions | None = None) -> Positions:
        """When events enter every window, by when they were known; `delay` after their time unless that is given."""
        known = time + self.delay if known is None else known
        if not self.snapshot:
            return np.maximum(time, known)
        return np.maximum(_next_midnight(time), _next_midnight(known - 1))

    def leave(self, time: Positions, window: int) -> Positions:
        """When events leave a window; one that has left it before it enters is never in it."""
        return (_next_midnight(time) if self.snapshot else time) + window


@dataclass(frozen=True)
class Line:
    """Events, sorted by the number of the entity and by time, and when they enter, which grows with both; or change points."""

    entity: Positions
    time: Positions
    enter: Positions


@dataclass(frozen=True)
class Ranges:
    """The range of positions that each window of one series holds at every change point."""

    ends: Positions
    starts: dict[int, Positions]


def find_changes(
    lines: Sequence[Line], windows: Sequence[Sequence[int]], clock: Clock, *, within: tuple[int, int]
) -> tuple[Line, list[Ranges]]:
    """Where some window of some entity changes, and what every window holds there.

    Args:
        lines: the events of each series.
        windows: lengths of the windows of each series.
        clock: when events enter and leave.
        within: first instant that change points may have, and the first that is too late.

    Returns:
        The change points, each once, and for each series its ranges.
    """
    entities, times, counts = _list_changes(lines, windows, clock)
    merged = _to_keys(entities, times)
    order = np.argsort(merged.keys, kind="stable")  # the runs are sorted already, which a merging sort makes use of
    keys = merged.keys[order]
    tags = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order]
    is_last = np.ones(len(keys), dtype=bool)
    is_last[:-1] = keys[1:] != keys[:-1]
    last = np.flatnonzero(is_last)
    changes = merged.split(keys[last])
    held = _count_passed(tags, last, windows)
    is_change = (changes.time >= within[0]) & (changes.time < within[1]) & _has_change(held)
    points = np.flatnonzero(is_change)
    return Line(changes.entity[points], changes.time[points], changes.time[points]), [
        Ranges(each.ends[points], {window: starts[points] for window, starts in each.starts.items()}) for each in held
    ]


def _list_changes(
    lines: Sequence[Line], windows: Sequence[Sequence[int]], clock: Clock
) -> tuple[Positions, Positions, list[int]]:
    """Entities and times of all entering and leaving, run by run: each series' entering, then its leaving by window."""
    entities, times = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    counts = []
    for line, lengths in zip(lines, windows, strict=True):
        runs = [line.enter, *(clock.leave(line.time, window) for window in lengths)]
        times += runs
        entities += [line.entity] * len(runs)
        counts += [len(line.time)] * len(runs)
    return np.concatenate(entities), np.concatenate(times), counts


@dataclass(frozen=True)
class _Keys:
    """Entity and time as one sortable number: `entity · stride + time - first`, or with the time's rank instead."""

    keys: Positions
    stride: int
    first: int
    instants: Positions | None

    def split(self, keys: Positions) -> Line:
        """Entity and time of keys."""
        entity, time = np.divmod(keys, self.stride)
        instant = time + self.first if self.instants is None else self.instants[time]
        return Line(entity, instant, instant)


def _to_keys(entity: Positions, time: Positions) -> _Keys:
    first, last = (int(time.min()), int(time.max())) if len(time) else (0, 0)
    stride = last - first + 1
    if (int(entity.max(initial=0)) + 1) * stride < _LARGEST_KEY:
        return _Keys(entity * stride + (time - first), stride, first, None)
    # Many entities with a long history would not fit in 64 bits.
    instants, ranks = np.unique(time, return_inverse=True)
    return _Keys(entity * len(instants) + ranks, len(instants), first, instants)


def _count_passed(tags: NDArray[np.int32], last: Positions, windows: Sequence[Sequence[int]]) -> list[Ranges]:
    """How many events have entered, and left each window, up to each of the positions `last`."""

    def count_next() -> Iterator[Positions]:
        for tag in range(sum(len(lengths) + 1 for lengths in windows)):
            yield np.cumsum(tags == tag, dtype=np.int64)[last]

    passed = count_next()
    found = []
    for lengths in windows:
        ends = next(passed)
        # An event that has left before it entered is in no window.
        found.append(Ranges(ends, {window: np.minimum(next(passed), ends) for window in lengths}))
    return found


def _has_change(held: Sequence[Ranges]) -> NDArray[np.bool_]:
    """Where some range is another than at the point before; all are empty after an entity's last point."""
    changed = np.zeros(len(held[0].ends), dtype=bool)
    for each in held:
        for starts in each.starts.values():
            is_other = (np.diff(starts, prepend=0) != 0) | (np.diff(each.ends, prepend=0) != 0)
            is_filled = starts < each.ends
            # From one empty range to another is no change.
            is_worth = is_filled.copy()
            is_worth[1:] |= is_filled[:-1]
            changed |= is_other & is_worth
    return changed


def _next_midnight(time: Positions) -> Positions:
    """The first midnight after a time."""
    return (time // DAY + 1) * DAY
