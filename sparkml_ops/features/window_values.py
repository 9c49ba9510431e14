"""Different and most frequent values of many windows over one array.

Windows are half-open ranges of positions whose starts and ends both grow from one to the next. So an event is in
windows that follow each other, and what is asked of all windows becomes a question of ranges of windows:

* An event is the first of its value in those windows that it is in and the one before it, of the same value, is not:
  counting these ranges counts different values. Costs O(events + windows).
* How often a value occurs is constant over ranges of windows; there are at most two of them per event. Each window
  takes the best of the ranges that it is in: ranges are written into a table of blocks whose lengths are powers of
  two, greatest wins, and larger blocks hand down to smaller ones. Costs O(events · log(events) + windows ·
  log(windows)) and memory of O(events + windows).

Whole numbers alone are added and subtracted, so figures are exact and independent of the other rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkml_ops.features.window_sums import Positions


@dataclass(frozen=True)
class Spans:
    """Per position, the windows `[enters, leaves)` that it is in; how many windows there are."""

    enters: Positions
    leaves: Positions
    windows: int


def find_spans(starts: Positions, ends: Positions, size: int) -> Spans:
    """The windows that each of `size` positions is in; starts and ends must not fall."""
    positions = np.arange(size)
    enters = np.searchsorted(ends, positions, side="right")
    leaves = np.searchsorted(starts, positions, side="right")
    return Spans(enters, np.maximum(leaves, enters), len(starts))


def count_distinct(groups: Positions, spans: Spans) -> Positions:
    """How many different values every window has.

    Args:
        groups: per position a number of its entity and value.
        spans: the windows that it is in.
    """
    order = np.argsort(groups, kind="stable")
    is_again = groups[order[1:]] == groups[order[:-1]]
    opens = spans.enters.copy()
    again, before = order[1:][is_again], order[:-1][is_again]
    opens[again] = np.maximum(opens[again], spans.leaves[before])
    return count_ranges(opens, spans.leaves, spans.windows)


def find_most_frequent(groups: Positions, ranks: Positions, spans: Spans) -> Positions:
    """Rank of the most frequent value of every window, the smallest of several; -1 for an empty window.

    Args:
        groups: per position a number of its entity and value.
        ranks: per position the rank of its value among all.
        spans: the windows that it is in.
    """
    inside = np.flatnonzero(spans.enters < spans.leaves)
    group = np.tile(groups[inside], 2)
    window = np.concatenate([spans.enters[inside], spans.leaves[inside]])
    change = np.repeat([1, -1], len(inside))
    order = np.lexsort((window, group))
    window, group = window[order], group[order]
    # Each group ends with nothing in it, so one running count serves all.
    count = np.cumsum(change[order])
    is_last = np.ones(len(window), dtype=bool)
    is_last[:-1] = (window[1:] != window[:-1]) | (group[1:] != group[:-1])
    begins, count = window[is_last], count[is_last]
    rank = np.tile(ranks[inside], 2)[order][is_last]
    filled = np.flatnonzero(count)
    different = int(ranks.max(initial=0)) + 1
    best = _paint_greatest(
        begins[filled], begins[filled + 1], count[filled] * different + (different - 1 - rank[filled]), spans.windows
    )
    return np.where(best < 0, -1, different - 1 - best % different)


def count_ranges(begins: Positions, ends: Positions, windows: int) -> Positions:
    """How many of the ranges `[begin, end)` each window is in; those that end before they begin are none."""
    some = ends > begins
    change = np.bincount(begins[some], minlength=windows + 1) - np.bincount(ends[some], minlength=windows + 1)
    return np.cumsum(change)[:windows]


def _paint_greatest(begins: Positions, ends: Positions, figures: Positions, windows: int) -> Positions:
    """For each window the greatest figure of the ranges that it is in; -1 where there is none."""
    painted = np.full(windows, -1, dtype=np.int64)
    level = np.frexp((ends - begins).astype(np.float64))[1] - 1
    order = np.argsort(level, kind="stable")
    bounds = np.searchsorted(level[order], np.arange(int(level.max(initial=-1)) + 2))
    for height in reversed(range(len(bounds) - 1)):
        # What holds for a block of twice the size holds for both of its halves.
        size, above = 1 << height, painted.copy()
        np.maximum(painted[size:], above[: windows - size], out=painted[size:])
        ranges = order[bounds[height] : bounds[height + 1]]
        for first in (begins[ranges], ends[ranges] - size):
            np.maximum.at(painted, first, figures[ranges])
    return painted


def take_ranks(ranks: Positions, positions: Positions, filled: NDArray[np.bool_]) -> Positions:
    """The ranks at some positions; -1 where nothing is to be taken."""
    taken = np.full(len(positions), -1, dtype=np.int64)
    taken[filled] = ranks[positions[filled]]
    return taken
