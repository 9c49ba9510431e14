"""How many different values windows have, from HyperLogLog registers instead of the values.

A value's hash chooses one of 4096 registers by its last 12 bits, and says how rare it is by the number of zeros that
follow: the register keeps the greatest such rank. A window's registers are those of its days, the greater of two
each, so that rows of (register, rank) of each day are all that is needed. A row holds the register's greatest rank
in windows that follow each other: from the time at which the greater ones before it have left, until one that is as
great comes.

The estimate is that of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), the improved
raw estimator: unbiased for few and many values. Standard error 1.04 / √4096 = 1.6 %. It depends on the registers
alone, so it is the same bit for bit however rows were partitioned. Costs O((rows + windows) · highest rank).
"""

import numpy as np
from numpy.typing import NDArray

from sparkml_ops.features.window_sums import Floats, Positions
from sparkml_ops.features.window_values import Spans, count_ranges

REGISTER_BITS = 12
REGISTERS = 1 << REGISTER_BITS
HIGHEST_RANK = 40
"""Greater ranks are taken for it: one hash in 10^12 has one."""


def estimate_distinct(groups: Positions, ranks: Positions, spans: Spans) -> Positions:
    """About how many different values every window has.

    Args:
        groups: per position a number of its entity and register.
        ranks: per position a rank that the register has, from 1.
        spans: the windows that it is in.
    """
    order = np.argsort(groups, kind="stable")
    ranks, enters, leaves = ranks[order], spans.enters[order], spans.leaves[order]
    group_begins, group_ends = _bound_groups(groups[order])
    weighed, occupied = np.zeros(spans.windows), np.zeros(spans.windows, dtype=np.int64)
    for rank in range(int(ranks.max(initial=0)), 0, -1):
        rows = np.flatnonzero(ranks == rank)
        before = _last_before(ranks > rank)[rows]
        after = _first_after(ranks >= rank)[rows]
        begins, ends = enters[rows], leaves[rows]
        begins = np.where(before >= group_begins[rows], np.maximum(begins, leaves[before]), begins)
        ends = np.where(after < group_ends[rows], np.minimum(ends, enters[np.minimum(after, len(ranks) - 1)]), ends)
        holding = count_ranges(begins, ends, spans.windows)
        occupied += holding
        weighed = (weighed + holding) / 2
    empty = _weigh_empty((REGISTERS - occupied) / REGISTERS)
    # A window without a value has neither; any number above 0 does for it.
    harmonic = np.where(occupied > 0, REGISTERS * empty + weighed, 1.0)
    estimate = REGISTERS / (2 * np.log(2)) * (REGISTERS / harmonic)
    return np.rint(np.where(occupied > 0, estimate, 0)).astype(np.int64)


def _bound_groups(groups: Positions) -> tuple[Positions, Positions]:
    """First position of each row's group, and the one after its last; groups are sorted."""
    return np.searchsorted(groups, groups, side="left"), np.searchsorted(groups, groups, side="right")


def _last_before(marked: NDArray[np.bool_]) -> Positions:
    """The last marked position before each, -1 where there is none."""
    last = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))
    return np.concatenate([[-1], last[:-1]])


def _first_after(marked: NDArray[np.bool_]) -> Positions:
    """The first marked position after each, the length where there is none."""
    return len(marked) - 1 - _last_before(marked[::-1])[::-1]


def _weigh_empty(share: Floats) -> Floats:
    """The function sigma of the paper, of the share of empty registers: x + x^2 + 2 x^4 + 4 x^8 + …, infinite at 1."""
    share = np.where(share < 1, share, 0.0)  # windows without a value are told apart by the caller
    power, factor, total = share, 1.0, share
    while power.any():
        power = power * power
        total = total + power * factor
        factor *= 2
    return total
