"""The gate of fairness: how far the rates of two groups lie apart. Pure: counts in, a verdict out.

Demographic parity holds the share of all rows that are taken for positive against that of another group, equal opportunity the share of
the rows with label 1 (Hardt, Price and Srebro 2016). The interval of a gap is the normal approximation for independent rows. It is too
narrow, since rows of one day are alike and the pair is the widest of many. The gap itself is what is judged.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sparkml_ops.config.gates import FairnessGate
from sparkml_ops.models import GroupCounts
from sparkml_ops.promotion.gates import GateResult, decide_at_most
from sparkml_ops.promotion.rows_needed import tell_rows_for_difference, tell_rows_for_share

_TWO_SIDED_95 = 1.96
_PAIR = 2
_SHOWN = 3
RATES = {"demographic_parity": "positive_rate", "equal_opportunity": "true_positive_rate"}
_WORDS = {
    "demographic_parity": "the share of rows that are taken for positive",
    "equal_opportunity": "the share of rows with label 1 that are taken for positive",
}
_BASES = {"demographic_parity": "rows", "equal_opportunity": "rows with label 1"}


@dataclass(frozen=True)
class GroupRate:
    """The rate of one group.

    Attributes:
        column: The column that groups.
        value: Its value as text; None for null.
        base: Rows that the rate is a share of.
        rate: The share of them that is taken for positive; 0 where there are none.
        rows: Rows of the group.
    """

    column: str
    value: str | None
    base: int
    rate: float
    rows: int

    @property
    def variance(self) -> float:
        """Of the rate, for independent rows."""
        return self.rate * (1 - self.rate) / self.base


def compute_rates(groups: Sequence[GroupCounts], measure: str) -> list[GroupRate]:
    """The rate that a measure is about, of each group."""
    parts = [
        (one, one.rows, one.taken) if measure == "demographic_parity" else (one, one.positives, one.hits)
        for one in groups
    ]
    return [
        GroupRate(one.column, one.value, base, cases / base if base else 0.0, one.rows) for one, base, cases in parts
    ]


def judge_fairness(
    groups: Sequence[GroupCounts], gate: FairnessGate, *, threshold: float, personal: Collection[str] = ()
) -> GateResult:
    """The widest gap between two groups of a column that have enough rows; a column with fewer than two of them is not decided.

    Args:
        groups: Counts at the threshold.
        gate: What is asked for.
        threshold: From which probability on a row is taken for positive, for the words.
        personal: Columns whose values are not told.
    """
    rates = compute_rates(groups, gate.measure)
    by_column = {column: [one for one in rates if one.column == column] for column in gate.by}
    enough = {column: _keep_large(found, gate) for column, found in by_column.items()}
    undecided = [
        _tell_too_few(column, by_column[column], gate, personal=personal)
        for column, found in enough.items()
        if len(found) < _PAIR
    ]
    pairs = sorted((_find_widest(found) for found in enough.values() if len(found) >= _PAIR), key=_measure_gap)
    if not pairs:
        return GateResult("fairness", "failed", None, gate.maximum_gap, _tell_undecided(undecided))
    found = _judge_pair(pairs[-1], gate, threshold=threshold, personal=personal)
    left_out = list(_tell_left_out(by_column, enough, gate, personal=personal))
    reason = "; ".join([found.reason, *([_tell_undecided(undecided)] if undecided else []), *left_out])
    return GateResult("fairness", "failed" if undecided else found.verdict, found.figure, gate.maximum_gap, reason)


def _judge_pair(
    pair: tuple[GroupRate, GroupRate], gate: FairnessGate, *, threshold: float, personal: Collection[str]
) -> GateResult:
    low, high = pair
    gap, error = _measure_gap(pair), _TWO_SIDED_95 * math.sqrt(low.variance + high.variance)
    words, base = _WORDS[gate.measure], _BASES[gate.measure]
    told = (
        f"{words} (from {threshold:g} on) is {high.rate:.4f} {_place(high, personal, 'one group')} ({high.base:,} {base}) and "
        f"{low.rate:.4f} {_place(low, personal, 'another')} ({low.base:,}): a gap of {gap:.4f} "
        f"[{max(gap - error, 0):.4f}, {min(gap + error, 1):.4f}]"
    )
    decided = decide_at_most("fairness", gap, gate.maximum_gap, told)
    if decided.verdict == "passed":
        return decided
    more = tell_rows_for_difference(low.base + high.base, excess=gap - gate.maximum_gap, error=error)
    chance = f", which may be chance{more.replace('rows would', 'such rows would')}" if more else ""
    return GateResult("fairness", "failed", gap, gate.maximum_gap, decided.reason + chance)


def _keep_large(rates: Sequence[GroupRate], gate: FairnessGate) -> list[GroupRate]:
    return [one for one in rates if one.base >= gate.minimum_rows]


def _find_widest(rates: Sequence[GroupRate]) -> tuple[GroupRate, GroupRate]:
    return min(rates, key=lambda one: one.rate), max(rates, key=lambda one: one.rate)


def _measure_gap(pair: tuple[GroupRate, GroupRate]) -> float:
    return pair[1].rate - pair[0].rate


def _tell_too_few(column: str, rates: Sequence[GroupRate], gate: FairnessGate, *, personal: Collection[str]) -> str:
    base = _BASES[gate.measure]
    if len(rates) < _PAIR:
        return f"{column} has {len(rates)} group{'' if len(rates) == 1 else 's'} in the judged rows"
    second = sorted(rates, key=lambda one: -one.base)[1]
    lacking = tell_rows_for_share(second.base, sum(one.rows for one in rates), minimum=gate.minimum_rows)
    name = _name(second, personal, "it")
    return (
        f"fewer than two groups of {column} have {gate.minimum_rows:,} {base}; the second largest, {name}, has "
        f"{second.base:,}: {lacking}"
    )


def _tell_undecided(undecided: Sequence[str]) -> str:
    return f"cannot be decided: {'; '.join(undecided)}"


def _tell_left_out(
    by_column: dict[str, list[GroupRate]],
    enough: dict[str, list[GroupRate]],
    gate: FairnessGate,
    *,
    personal: Collection[str],
) -> Iterator[str]:
    """Groups that nobody has looked at must not pass unnoticed."""
    for column, found in by_column.items():
        small = [one for one in found if one not in enough[column]]
        if len(enough[column]) < _PAIR or not small:
            continue
        largest = sorted(small, key=lambda one: -one.base)
        named = ", ".join(f"{_name(one, personal, 'a group')} ({one.base:,})" for one in largest[:_SHOWN])
        more = ", …" if len(small) > _SHOWN else ""
        yield f"{len(small)} of {len(found)} groups of {column} have fewer than {gate.minimum_rows:,} {_BASES[gate.measure]} and were left out: {named}{more}"


def _name(one: GroupRate, personal: Collection[str], otherwise: str) -> str:
    """How a group is named; a value of personal data is not told."""
    if one.column in personal:
        return f"{otherwise} of {one.column}"
    return f"{one.column} is missing" if one.value is None else f"{one.column}={one.value}"


def _place(one: GroupRate, personal: Collection[str], otherwise: str) -> str:
    return f"{'in' if one.column in personal else 'where'} {_name(one, personal, otherwise)}"
