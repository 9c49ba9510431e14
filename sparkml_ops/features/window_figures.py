"""The figures of windows over one series of events: each operation's name, and what computes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkml_ops.features.window_ranks import WindowRanks, rank_values
from sparkml_ops.features.window_sketches import estimate_distinct
from sparkml_ops.features.window_sums import Floats, Positions, WindowSums, find_extremes, sum_windows
from sparkml_ops.features.window_values import Spans, count_distinct, find_most_frequent, find_spans, take_ranks


@dataclass(frozen=True)
class Events:
    """The events that count in a series, sorted by entity, time and value.

    Attributes:
        entity: numbers of their entities.
        numbers: their values as floats; None where no operation takes them.
        values: their values in their own type; None where no operation takes them.
        weights: how many events a row stands for, or the rank of its register; None where each stands for itself.
    """

    entity: Positions
    numbers: Floats | None
    values: pa.Array | None
    weights: Positions | None

    @cached_property
    def order(self) -> WindowRanks:
        """The values, prepared for percentiles."""
        return rank_values(self._floats(), self.weights)

    @cached_property
    def ranked(self) -> tuple[pa.Array, Positions]:
        """The different values, sorted, and for each event the place of its value among them."""
        assert self.values is not None  # the plan gives values to every operation that takes them
        return rank_in_order(self.values)

    @cached_property
    def groups(self) -> Positions:
        """A number for each event's entity and value."""
        values = self._floats().astype(np.int64) if self.values is None else self.ranked[1]
        return self.entity * (int(values.max(initial=0)) + 1) + values

    def _floats(self) -> Floats:
        assert self.numbers is not None  # the plan gives floats to every operation that takes them
        return self.numbers


def rank_in_order(values: pa.Array) -> tuple[pa.Array, Positions]:
    """The different values, sorted, and for each value its place among them."""
    encoded = values.dictionary_encode()
    order = np.asarray(pc.sort_indices(encoded.dictionary)).astype(np.int64)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return encoded.dictionary.take(pa.array(order)), ranks[encoded.indices.to_numpy(zero_copy_only=False)]


class _Windows:
    """Windows `[starts, ends)` over events, with what several operations share."""

    def __init__(self, events: Events, starts: Positions, ends: Positions, *, with_spread: bool) -> None:
        self.events, self.starts, self.ends, self.with_spread = events, starts, ends, with_spread

    @cached_property
    def count(self) -> Positions:
        return self.ends - self.starts

    @cached_property
    def sums(self) -> WindowSums:
        return sum_windows(self._numbers, self.starts, self.ends, with_spread=self.with_spread)

    @cached_property
    def spans(self) -> Spans:
        return find_spans(self.starts, self.ends, len(self.events.entity))

    @property
    def _numbers(self) -> Floats:
        assert self.events.numbers is not None  # as above
        return self.events.numbers

    @property
    def _ranks(self) -> Positions:
        return self.events.ranked[1]

    def total(self) -> Floats:
        return np.where(self.count > 0, self.sums.total, np.nan)

    def extreme(self, pick: np.ufunc) -> Floats:
        return find_extremes(self._numbers, self.starts, self.ends, pick)

    def percentile(self, percent: int) -> Floats:
        return self.events.order.percentile(self.starts, self.ends, percent)

    def distinct(self) -> Positions:
        return count_distinct(self.events.groups, self.spans)

    def estimate(self) -> Positions:
        assert self.events.weights is not None  # as above
        return estimate_distinct(self.events.groups, self.events.weights, self.spans)

    def most_frequent(self) -> pa.Array:
        return self._take(find_most_frequent(self.events.groups, self._ranks, self.spans))

    def pick(self, positions: Positions) -> pa.Array:
        """The value at a position of every window that has one."""
        return self._take(take_ranks(self._ranks, positions, self.count > 0))

    def newest(self, most: int) -> pa.Array:
        """Lists of the last values, newest first; null for an empty window."""
        sizes = np.minimum(self.count, most)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        back = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
        values = self._take(self._ranks[np.repeat(self.ends, sizes) - 1 - back])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=pa.array(self.count == 0))

    def _take(self, ranks: Positions) -> pa.Array:
        """Values by rank; null where it is below 0."""
        return self.events.ranked[0].take(pa.array(ranks, mask=ranks < 0))


_OPERATIONS: dict[str, Callable[[_Windows], NDArray[np.generic] | pa.Array]] = {
    "count": lambda windows: windows.count,
    "sum": _Windows.total,
    "mean": lambda windows: windows.sums.mean(),
    "std": lambda windows: windows.sums.deviation(),
    "min": lambda windows: windows.extreme(np.minimum),
    "max": lambda windows: windows.extreme(np.maximum),
    "first": lambda windows: windows.pick(windows.starts),
    "last": lambda windows: windows.pick(windows.ends - 1),
    "most_frequent": _Windows.most_frequent,
    "count_distinct": _Windows.distinct,
    "approx_count_distinct": _Windows.estimate,
}


def measure_windows(
    operations: Sequence[str], events: Events, starts: Positions, ends: Positions
) -> dict[str, pa.Array]:
    """Figures of windows `[start, end)`, whose starts and ends both never fall from one to the next.

    Args:
        operations: their names.
        events: the events.
        starts: first position of each window.
        ends: position after the last of each window; not before its start.

    Returns:
        A column per operation. A figure that is no number, such as the sum of both infinities, is null.
    """
    windows = _Windows(events, starts, ends, with_spread="std" in operations)
    return {operation: _to_arrow(_measure(operation, windows)) for operation in operations}


def _measure(operation: str, windows: _Windows) -> NDArray[np.generic] | pa.Array:
    if operation in _OPERATIONS:
        return _OPERATIONS[operation](windows)
    if operation.startswith("last_"):
        return windows.newest(int(operation.removeprefix("last_")))
    return windows.percentile(int(operation.removeprefix("approx_").removeprefix("p")))


def _to_arrow(figures: NDArray[np.generic] | pa.Array) -> pa.Array:
    if isinstance(figures, pa.Array):
        return figures
    return pa.array(figures, mask=np.isnan(figures) if figures.dtype == np.float64 else None)
