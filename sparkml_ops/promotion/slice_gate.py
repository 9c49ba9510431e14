"""The gate of slices: none may lose much against the champion, and those that are named must be there."""

from collections.abc import Iterator, Sequence
from typing import Literal

from sparkml_ops.config.gates import SlicesGate
from sparkml_ops.models import HIGHER_IS_BETTER, NamedSlice, SliceResult
from sparkml_ops.models.slices import MAX_SLICES
from sparkml_ops.promotion.gates import GateResult, leave_undecided
from sparkml_ops.promotion.rows_needed import tell_rows_for_share

_SHOWN = 3
_MISSED_SHOWN = 5


def judge_slices(
    slices: Sequence[SliceResult] | None,
    gate: SlicesGate,
    *,
    sliced_by: str = "roc_auc",
    named: Sequence[NamedSlice] = (),
    largest: NamedSlice | None = None,
) -> GateResult:
    """The worst loss against the champion over all slices with enough rows; of an error that may be any number, in shares of the champion's.

    Args:
        slices: Both models on each slice with enough rows; None without a champion.
        gate: What is asked for.
        sliced_by: The figure that slices are compared by.
        named: Rows of the slices that must be there, which is asked for without a champion too.
        largest: The slice with the most rows, where none has enough.
    """
    missed = list(_list_missed(named, slices, gate))
    compared = _judge_losses(slices, gate, sliced_by=sliced_by, largest=largest)
    if not missed:
        return compared
    shown = [*missed[:_MISSED_SHOWN], *(["…"] if len(missed) > _MISSED_SHOWN else [])]
    told = f"{len(missed)} of {len(named)} slices that must be there cannot be judged: {'; '.join(shown)}"
    beside = [] if slices is None else [compared.reason]
    return GateResult("slices", "failed", compared.figure, gate.maximum_loss, "; ".join([told, *beside]))


def _list_missed(named: Sequence[NamedSlice], slices: Sequence[SliceResult] | None, gate: SlicesGate) -> Iterator[str]:
    compared = {(one.column, one.value): one for one in slices or ()}
    for one in named:
        found, title = compared.get((one.column, one.value)), f"{one.column}={one.value}"
        if not one.rows:
            yield f"{title} is in none of the {one.of:,} judged rows"
        elif one.rows < gate.minimum_rows:
            lacking = tell_rows_for_share(one.rows, one.of, minimum=gate.minimum_rows)
            yield f"{title} has {one.rows:,} of {one.of:,} judged rows, and {gate.minimum_rows:,} are asked for: {lacking}"
        elif slices is not None and found is None:
            yield f"{title} is not among the {MAX_SLICES:,} largest slices, which are compared"
        elif found is not None and found.loss is None:
            yield f"{title} has a single class in its {one.rows:,} rows"


def _judge_losses(
    slices: Sequence[SliceResult] | None, gate: SlicesGate, *, sliced_by: str, largest: NamedSlice | None
) -> GateResult:
    if slices is None:
        return GateResult("slices", "unopposed", None, gate.maximum_loss, "there is no champion to compare with")
    judged = sorted(((s.loss, s) for s in slices if s.loss is not None), key=lambda pair: -pair[0])
    if not judged:
        return leave_undecided("slices", gate.maximum_loss, _tell_no_slice(gate, sliced_by, largest))
    worst = judged[0][0]
    is_share = sliced_by not in HIGHER_IS_BETTER
    named = ", ".join(
        f"{s.column}={s.value} ({s.rows} rows) {f'{loss:+.2%}' if is_share else f'{-loss:+.4f}'}"
        for loss, s in judged[:_SHOWN]
    )
    verdict: Literal["passed", "failed"] = "passed" if worst <= gate.maximum_loss else "failed"
    most = (
        f"it may rise by at most {gate.maximum_loss:.2%}" if is_share else f"at most {gate.maximum_loss:g} may be lost"
    )
    reason = f"change of {sliced_by} on {len(judged)} slices, the worst: {named}; {most}"
    return GateResult("slices", verdict, worst, gate.maximum_loss, reason)


def _tell_no_slice(gate: SlicesGate, sliced_by: str, largest: NamedSlice | None) -> str:
    told = f"no slice has {gate.minimum_rows} rows{' and both classes' if sliced_by == 'roc_auc' else ''}"
    if largest is None or largest.rows >= gate.minimum_rows:
        return told
    lacking = tell_rows_for_share(largest.rows, largest.of, minimum=gate.minimum_rows)
    return f"{told}; the largest, {largest.column}={largest.value}, has {largest.rows:,} of {largest.of:,}: {lacking}"
