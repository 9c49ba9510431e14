"""Sums and spreads of many windows over one array, without ever subtracting.

A window is a half-open range of positions `[start, end)`. A running sum that adds what enters and takes off what
leaves drifts, and its error depends on what was in the array before. Here a window is put together from blocks whose
lengths are powers of two, so a figure depends on the window's own values and on nothing else: it is the same bit for
bit however the rows were partitioned, and an empty window is exactly empty. Costs O((values + windows) · log(longest
window)).
"""

from dataclasses import dataclass

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
        """Sample standard deviation (divisor n - 1); NaN for fewer than two values."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.count > 1, np.sqrt(self.spread / np.maximum(self.count - 1, 1)), np.nan)


def sum_windows(values: Floats, starts: Positions, ends: Positions) -> WindowSums:
    """Add up the values of every window `[start, end)`.

    Args:
        values: the values, without NaN.
        starts: first position of each window.
        ends: position after the last of each window; not before its start.

    Returns:
        The figures in the order of the windows. Two blocks are joined by the formula of Chan, Golub and LeVeque (1979).
    """
    count = ends - starts
    total, mean, spread = np.zeros((3, len(count)))
    block_total, block_mean, block_spread = values, values, np.zeros(len(values))
    position, size = starts.copy(), 1
    longest = int(count.max(initial=0))
    with np.errstate(invalid="ignore", over="ignore"):
        while size <= longest:
            windows = np.flatnonzero(count & size)
            taken, blocks = count[windows] & (size - 1), position[windows]
            distance = block_mean[blocks] - mean[windows]
            spread[windows] += block_spread[blocks] + distance * distance * (taken * size / (taken + size))
            mean[windows] += distance * (size / (taken + size))
            total[windows] += block_total[blocks]
            position[windows] += size
            distance = block_mean[size:] - block_mean[:-size]
            block_spread = block_spread[:-size] + block_spread[size:] + distance * distance * (size / 2)
            block_mean = block_mean[:-size] + distance / 2
            block_total = block_total[:-size] + block_total[size:]
            size *= 2
    return WindowSums(count, total, spread)
