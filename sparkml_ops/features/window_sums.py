"""Sums, spreads and extremes of many windows over one array, without ever subtracting.

A window is a half-open range of positions `[start, end)`. A running sum that adds what enters and takes off what
leaves drifts, and its error depends on what was in the array before. Here a window is put together from blocks whose
lengths are powers of two, so a figure depends on the window's own values and on nothing else: it is the same bit for
bit however the rows were partitioned, and an empty window is exactly empty. Costs O((values + windows) · log(longest
window)).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class WindowSums:
    """Per window: how many values, their sum, and the sum of squared distances from their mean."""

    count: Positions
    total: Floats
    spread: Floats

    def mean(self) -> Floats:
        """Arithmetic mean; NaN for an empty window."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.total / self.count

    def deviation(self) -> Floats:
        """Sample standard deviation (divisor n - 1); NaN for fewer than two values, or where one is infinite."""
        is_told = (self.count > 1) & np.isfinite(self.spread)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(is_told, np.sqrt(self.spread / np.maximum(self.count - 1, 1)), np.nan)


def sum_windows(values: Floats, starts: Positions, ends: Positions, *, with_spread: bool = True) -> WindowSums:
    """Add up the values of every window `[start, end)`.

    Args:
        values: the values, without NaN.
        starts: first position of each window.
        ends: position after the last of each window; not before its start.
        with_spread: whether the spread is wanted, which costs more than the sum; zeros otherwise.

    Returns:
        The figures in the order of the windows. Two blocks are joined by the formula of Chan, Golub and LeVeque (1979).
    """
    count = ends - starts
    total = np.zeros(len(count))
    spread = _Spread(values, len(count)) if with_spread else None
    block_total, position, size = values, starts.copy(), 1
    longest = int(count.max(initial=0))
    with np.errstate(invalid="ignore", over="ignore"):
        while size <= longest:
            windows = np.flatnonzero(count & size)
            blocks = position[windows]
            if spread is not None:
                spread.add_blocks(windows, blocks, count[windows] & (size - 1), size)
                spread.double_blocks(size)
            total[windows] += block_total[blocks]
            position[windows] += size
            block_total = block_total[:-size] + block_total[size:]
            size *= 2
    return WindowSums(count, total, np.zeros(0) if spread is None else spread.of_windows)


class _Spread:
    """Means and spreads of the windows so far, and of all blocks of one size."""

    def __init__(self, values: Floats, windows: int) -> None:
        self.mean, self.of_windows = np.zeros((2, windows))
        self.block_mean, self.block_spread = values, np.zeros(len(values))

    def add_blocks(self, windows: Positions, blocks: Positions, taken: Positions, size: int) -> None:
        """Add a block of `size` values to each of some windows that have taken so many values already."""
        distance = self.block_mean[blocks] - self.mean[windows]
        joined = self.block_spread[blocks] + distance * distance * (taken * size / (taken + size))
        self.of_windows[windows] += joined
        self.mean[windows] += distance * (size / (taken + size))

    def double_blocks(self, size: int) -> None:
        """Go on from blocks of `size` values to those of twice as many."""
        distance = self.block_mean[size:] - self.block_mean[:-size]
        joined = self.block_spread[:-size] + self.block_spread[size:]
        self.block_spread = joined + distance * distance * (size / 2)
        self.block_mean = self.block_mean[:-size] + distance / 2


def find_extremes(values: Floats, starts: Positions, ends: Positions, pick: np.ufunc) -> Floats:
    """The least (`np.minimum`) or greatest (`np.maximum`) value of every window; NaN for an empty one.

    Two blocks that may overlap cover a window, since it does no harm to look at a value twice.
    """
    result = np.full(len(starts), np.nan)
    level = (np.frexp((ends - starts).astype(np.float64))[1] - 1).astype(np.int8)  # of the largest block that fits
    level[ends == starts] = -1
    order = np.argsort(level, kind="stable")
    bounds = np.searchsorted(level[order], np.arange(int(level.max(initial=-1)) + 2))
    blocks, size = values, 1
    for first, last in pairwise(bounds):
        windows = order[first:last]
        result[windows] = pick(blocks[starts[windows]], blocks[ends[windows] - size])
        blocks = pick(blocks[:-size], blocks[size:])
        size *= 2
    return result
