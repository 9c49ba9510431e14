"""The k-th smallest value of many windows over one array: minimum, maximum and percentiles.

A wavelet matrix (Claude, Navarro and Ordóñez, "The wavelet matrix", 2015) holds, for each bit of the values' ranks,
how many zeros precede every position. A window `[start, end)` walks down the bits, all windows at once, to its k-th
smallest value. Nothing is carried from one window to the next, so the answer is exact and independent of the other
rows. Costs O((values + windows) · log(distinct values)).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkml_ops.features.window_sums import Floats, Positions


@dataclass(frozen=True)
class WindowRanks:
    """An array prepared for order statistics of its windows."""

    distinct: Floats
    zeros_before: tuple[NDArray[np.int32], ...]

    def smallest(self, starts: Positions, ends: Positions, k: Positions) -> Floats:
        """The k-th smallest value (from 0) of every window; needs `0 <= k < end - start`."""
        rank = np.zeros(len(k), dtype=np.int64)
        for zeros in self.zeros_before:
            first, last = zeros[starts], zeros[ends]
            is_one = k >= last - first
            k = np.where(is_one, k - (last - first), k)
            starts = np.where(is_one, zeros[-1] + starts - first, first)
            ends = np.where(is_one, zeros[-1] + ends - last, last)
            rank = 2 * rank + is_one
        return self.distinct[rank]

    def percentile(self, starts: Positions, ends: Positions, percent: int) -> Floats:
        """The percentile of every window, linear between neighbours as in numpy and pandas; NaN for an empty window."""
        result = np.full(len(starts), np.nan)
        filled = np.flatnonzero(ends > starts)
        starts, ends = starts[filled], ends[filled]
        lower, hundredths = np.divmod((ends - starts - 1) * percent, 100)
        low = self.smallest(starts, ends, lower)
        between = np.flatnonzero(hundredths)
        high = self.smallest(starts[between], ends[between], lower[between] + 1)
        low[between] = _interpolate(low[between], high, hundredths[between] / 100)
        result[filled] = low
        return result


def rank_values(values: Floats) -> WindowRanks:
    """Prepare an array, without NaN, for order statistics of its windows."""
    distinct, ranks = np.unique(values, return_inverse=True)
    levels = []
    for bit in reversed(range(max(len(distinct) - 1, 0).bit_length())):
        is_zero = (ranks >> bit) & 1 == 0
        levels.append(np.concatenate([[0], np.cumsum(is_zero)]).astype(np.int32))
        ranks = np.concatenate([ranks[is_zero], ranks[~is_zero]])
    return WindowRanks(distinct, tuple(levels))


def _interpolate(low: Floats, high: Floats, share: Floats) -> Floats:
    """The value at a share of the way; equal neighbours, even infinite ones, give themselves."""
    with np.errstate(invalid="ignore"):
        return np.where(low == high, low, low + (high - low) * share)
