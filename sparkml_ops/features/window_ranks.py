"""The k-th smallest value of many windows over one array: percentiles.

A wavelet matrix (Claude, Navarro and Ordóñez, "The wavelet matrix", 2015) holds, for each bit of the values' ranks,
how many zeros precede every position. A window `[start, end)` walks down the bits, all windows at once, to its k-th
smallest value. Nothing is carried from one window to the next, so the answer is exact and independent of the other
rows. Costs O((values + windows) · log(distinct values)).

Values may have weights: a value of weight w stands for w equal values. Whole numbers are added up beside each bit then.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkml_ops.features.window_sums import Floats, Positions


@dataclass(frozen=True)
class WindowRanks:
    """An array prepared for order statistics of its windows.

    Attributes:
        distinct: the different values, sorted.
        zeros_before: per bit, the zeros before every position.
        weight_before: per bit, and once more after the last, the weight before every position; None where each
            value weighs 1.
    """

    distinct: Floats
    zeros_before: tuple[NDArray[np.int32], ...]
    weight_before: tuple[Positions, ...] | None = None

    def weigh(self, starts: NDArray[Any], ends: NDArray[Any], *, level: int = 0) -> Positions:
        """How many values are in the windows."""
        before = None if self.weight_before is None else self.weight_before[level]
        counted: Positions = ends - starts if before is None else before[ends] - before[starts]
        return counted

    def smallest(self, starts: Positions, ends: Positions, k: Positions) -> Floats:
        """The k-th smallest value (from 0) of every window; needs `0 <= k <` its number of values."""
        rank = np.zeros(len(k), dtype=np.int64)
        for level, zeros in enumerate(self.zeros_before):
            first, last = zeros[starts], zeros[ends]
            below = self.weigh(first, last, level=level + 1)
            is_one = k >= below
            k = np.where(is_one, k - below, k)
            starts = np.where(is_one, zeros[-1] + starts - first, first)
            ends = np.where(is_one, zeros[-1] + ends - last, last)
            rank = 2 * rank + is_one
        return self.distinct[rank]

    def percentile(self, starts: Positions, ends: Positions, percent: int) -> Floats:
        """The percentile of every window, linear between neighbours as in numpy and pandas; NaN for an empty window."""
        result = np.full(len(starts), np.nan)
        filled = np.flatnonzero(ends > starts)
        starts, ends = starts[filled], ends[filled]
        lower, hundredths = np.divmod((self.weigh(starts, ends) - 1) * percent, 100)
        low = self.smallest(starts, ends, lower)
        between = np.flatnonzero(hundredths)
        high = self.smallest(starts[between], ends[between], lower[between] + 1)
        low[between] = _interpolate(low[between], high, hundredths[between] / 100)
        result[filled] = low
        return result


def rank_values(values: Floats, weights: Positions | None = None) -> WindowRanks:
    """Prepare an array, without NaN, for order statistics of its windows; weights are at least 1."""
    distinct, ranks = np.unique(values, return_inverse=True)
    levels, heaps = [], [] if weights is None else [_add_up(weights)]
    for bit in reversed(range(max(len(distinct) - 1, 0).bit_length())):
        is_zero = (ranks >> bit) & 1 == 0
        levels.append(_add_up(is_zero).astype(np.int32))
        ranks = np.concatenate([ranks[is_zero], ranks[~is_zero]])
        if weights is not None:
            weights = np.concatenate([weights[is_zero], weights[~is_zero]])
            heaps.append(_add_up(weights))
    return WindowRanks(distinct, tuple(levels), tuple(heaps) if heaps else None)


def _add_up(numbers: NDArray[np.int64] | NDArray[np.bool_]) -> Positions:
    """The sum before every position, and after the last."""
    return np.concatenate([[0], np.cumsum(numbers, dtype=np.int64)])


def _interpolate(low: Floats, high: Floats, share: Floats) -> Floats:
    """The value at a share of the way; equal neighbours, even infinite ones, give themselves."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(low == high, low, low + (high - low) * share)
