"""The gates: figures in, verdicts with reasons out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sparkml_ops.config.gates import BaselineGate, ChampionGate, KpiGate, LatencyGate, SlicesGate
from sparkml_ops.models import HIGHER_IS_BETTER, Comparison, Evaluation, SliceResult, measure_gain

_SHOWN = 3


@dataclass(frozen=True)
class GateResult:
    """What one gate said.

    Attributes:
        gate: its name.
        verdict: passed, failed, or unopposed where there was no champion to hold the candidate against.
        figure: what was measured; None when it could not be.
        threshold: what was asked for.
        reason: which figure, by how much.
    """

    gate: str
    verdict: Literal["passed", "failed", "unopposed"]
    figure: float | None
    threshold: float | None
    reason: str


def judge_baseline(
    candidate: Evaluation,
    trivial: Evaluation,
    gate: BaselineGate,
    *,
    metric: str,
    same_days: Comparison | None = None,
) -> GateResult:
    """The candidate against the trivial model, at the unfavourable end of a 95 % interval.

    Of the candidate's figure, or, where both were compared on the same days, of the difference: what is hard for any model falls out.
    """
    if same_days is not None:
        return _judge_difference(same_days, gate, metric=metric)
    figure, base = candidate.metrics[metric], trivial.metrics[metric].value
    worst = figure.lower if metric in HIGHER_IS_BETTER else figure.upper
    if worst is None or base is None:
        return _undecided("baseline", gate.minimum_gain, candidate.reason)
    gain: float = measure_gain(metric, worst, base)
    reason = f"{metric} is {figure.value:.4f} [{figure.lower:.4f}, {figure.upper:.4f}], the trivial model's {base:.4f}: a gain of"
    return _decide("baseline", gain, gate.minimum_gain, f"{reason} {gain:.4f} at the worse end")


def _judge_difference(same_days: Comparison, gate: BaselineGate, *, metric: str) -> GateResult:
    found = same_days.metrics[metric]
    if found.lower is None or found.upper is None:
        return _undecided("baseline", gate.minimum_gain, same_days.reason)
    gain = float(min(measure_gain(metric, end, 0.0) for end in (found.lower, found.upper)))
    reason = (
        f"{metric} is {found.candidate:.4f}, the trivial model's {found.champion:.4f} on the same {same_days.rows} rows: a difference of "
        f"{found.difference:+.4f} [{found.lower:+.4f}, {found.upper:+.4f}], a gain of {gain:.4f} at the worse end"
    )
    return _decide("baseline", gain, gate.minimum_gain, reason)


def judge_champion(
    comparison: Comparison | None, gate: ChampionGate, *, metric: str, champion: int | None
) -> GateResult:
    """The candidate against the champion, on the same rows."""
    wanted = gate.better_with_confidence
    if comparison is None:
        return GateResult("champion", "unopposed", None, wanted, "there is no champion to compare with")
    found = comparison.metrics[metric]
    if found.confidence is None:
        return _undecided("champion", wanted, comparison.reason)
    reason = (
        f"{metric} is {found.candidate:.4f}, that of version {champion} is {found.champion:.4f} on the same {comparison.rows} "
        f"rows: a difference of {found.difference:+.4f} [{found.lower:+.4f}, {found.upper:+.4f}], better with confidence "
        f"{found.confidence:.3f}"
    )
    return _decide("champion", found.confidence, wanted, reason)


def judge_slices(slices: Sequence[SliceResult] | None, gate: SlicesGate, *, sliced_by: str = "roc_auc") -> GateResult:
    """The worst loss against the champion over all slices with enough rows; of an error that may be any number, in shares of the champion's."""
    if slices is None:
        return GateResult("slices", "unopposed", None, gate.maximum_loss, "there is no champion to compare with")
    judged = sorted(((s.loss, s) for s in slices if s.loss is not None), key=lambda pair: -pair[0])
    if not judged:
        return _undecided("slices", gate.maximum_loss, _tell_no_slice(gate, sliced_by))
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


def _tell_no_slice(gate: SlicesGate, sliced_by: str) -> str:
    return f"no slice has {gate.minimum_rows} rows{' and both classes' if sliced_by == 'roc_auc' else ''}"


def judge_latency(rows_per_second: float, gate: LatencyGate) -> GateResult:
    """Speed of the packaged model."""
    reason = f"{rows_per_second:,.0f} rows a second on one core"
    return _decide("latency", rows_per_second, gate.rows_per_second_at_least, reason)


def judge_kpi(value: float | None, gate: KpiGate) -> GateResult:
    """The business figure."""
    if value is None:
        return _undecided("kpi", gate.at_least, f"{gate.sql} is null on the judged rows")
    return _decide("kpi", value, gate.at_least, f"{gate.sql} is {value:.4f}")


def _decide(gate: str, figure: float, threshold: float, reason: str) -> GateResult:
    if figure >= threshold:
        return GateResult(gate, "passed", figure, threshold, f"{reason}; at least {threshold:g} is asked for")
    return GateResult(
        gate,
        "failed",
        figure,
        threshold,
        f"{reason}; at least {threshold:g} is asked for, {threshold - figure:.4g} more",
    )


def _undecided(gate: str, threshold: float, reason: str | None) -> GateResult:
    """Too little data to decide is a no: what nobody has shown does not pass."""
    return GateResult(gate, "failed", None, threshold, f"cannot be decided: {reason or 'the figure is not defined'}")
