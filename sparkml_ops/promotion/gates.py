"""The gates: figures in, verdicts with reasons out."""

from dataclasses import dataclass, replace
from typing import Literal

from sparkml_ops.config.gates import BaselineGate, CalibrationGate, ChampionGate, KpiGate, LatencyGate
from sparkml_ops.models import HIGHER_IS_BETTER, Comparison, Evaluation, measure_gain
from sparkml_ops.promotion.rows_needed import (
    tell_rows_for_confidence,
    tell_rows_for_days,
    tell_rows_for_difference,
)


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
        return leave_undecided("baseline", gate.minimum_gain, _tell_lack(candidate))
    gain: float = measure_gain(metric, worst, base)
    reason = f"{metric} is {figure.value:.4f} [{figure.lower:.4f}, {figure.upper:.4f}], the trivial model's {base:.4f}: a gain of"
    decided = decide_at_least("baseline", gain, gate.minimum_gain, f"{reason} {gain:.4f} at the worse end")
    return _add_rows(decided, candidate.rows, middle=measure_gain(metric, figure.value, base))


def _judge_difference(same_days: Comparison, gate: BaselineGate, *, metric: str) -> GateResult:
    found = same_days.metrics[metric]
    if found.lower is None or found.upper is None:
        return leave_undecided("baseline", gate.minimum_gain, _tell_lack(same_days))
    gain = float(min(measure_gain(metric, end, 0.0) for end in (found.lower, found.upper)))
    reason = (
        f"{metric} is {found.candidate:.4f}, the trivial model's {found.champion:.4f} on the same {same_days.rows} rows: a difference of "
        f"{found.difference:+.4f} [{found.lower:+.4f}, {found.upper:+.4f}], a gain of {gain:.4f} at the worse end"
    )
    decided = decide_at_least("baseline", gain, gate.minimum_gain, reason)
    return _add_rows(decided, same_days.rows, middle=measure_gain(metric, found.difference, 0.0))


def judge_champion(
    comparison: Comparison | None, gate: ChampionGate, *, metric: str, champion: int | None
) -> GateResult:
    """The candidate against the champion, on the same rows."""
    wanted = gate.better_with_confidence
    if comparison is None:
        return GateResult("champion", "unopposed", None, wanted, "there is no champion to compare with")
    found = comparison.metrics[metric]
    if found.confidence is None:
        return leave_undecided("champion", wanted, _tell_lack(comparison))
    reason = (
        f"{metric} is {found.candidate:.4f}, that of version {champion} is {found.champion:.4f} on the same {comparison.rows} "
        f"rows: a difference of {found.difference:+.4f} [{found.lower:+.4f}, {found.upper:+.4f}], better with confidence "
        f"{found.confidence:.3f}"
    )
    decided = decide_at_least("champion", found.confidence, wanted, reason)
    if decided.verdict == "passed" or found.lower is None or found.upper is None:
        return decided
    gain = float(measure_gain(metric, found.candidate, found.champion))
    told = tell_rows_for_confidence(comparison.rows, gain, width=found.upper - found.lower, confidence=wanted)
    return replace(decided, reason=decided.reason + told)


def _add_rows(decided: GateResult, rows: int, *, middle: float) -> GateResult:
    """Where the worse end alone is below what is asked for: how many rows would bring it there."""
    if decided.verdict == "passed" or decided.figure is None or decided.threshold is None:
        return decided
    excess, error = float(middle) - decided.threshold, float(middle) - decided.figure
    return replace(decided, reason=decided.reason + tell_rows_for_difference(rows, excess=excess, error=error))


def _tell_lack(judged: Evaluation | Comparison) -> str | None:
    return None if judged.reason is None else judged.reason + tell_rows_for_days(judged.rows, judged.blocks)


def judge_calibration(candidate: Evaluation, gate: CalibrationGate) -> GateResult:
    """The expected calibration error of the candidate, and the group of predictions that is furthest off.

    The figure itself is judged and not the worse end of its interval: chance alone makes an error in each group, so that the figure of few
    rows is too high already (Roelofs et al. 2022, "Mitigating bias in calibration error estimation").
    """
    found = candidate.metrics.get("ece")
    if found is None or found.value is None:
        return leave_undecided("calibration", gate.maximum_error, candidate.reason)
    interval = "" if found.lower is None else f" [{found.lower:.4f}, {found.upper:.4f}]"
    reason = f"the expected calibration error is {found.value:.4f}{interval} on {candidate.rows:,} rows{_tell_worst_group(candidate)}"
    return decide_at_most("calibration", found.value, gate.maximum_error, reason)


def _tell_worst_group(candidate: Evaluation) -> str:
    if not candidate.calibration:
        return ""
    worst = max(candidate.calibration, key=lambda group: abs(group.predicted - group.observed))
    return f"; furthest off where {worst.predicted:.4f} is predicted and {worst.observed:.4f} is so"


def judge_latency(rows_per_second: float, gate: LatencyGate) -> GateResult:
    """Speed of the packaged model."""
    reason = f"{rows_per_second:,.0f} rows a second on one core"
    return decide_at_least("latency", rows_per_second, gate.rows_per_second_at_least, reason)


def judge_kpi(value: float | None, gate: KpiGate) -> GateResult:
    """The business figure."""
    if value is None:
        return leave_undecided("kpi", gate.at_least, f"{gate.sql} is null on the judged rows")
    return decide_at_least("kpi", value, gate.at_least, f"{gate.sql} is {value:.4f}")


def decide_at_least(gate: str, figure: float, threshold: float, reason: str) -> GateResult:
    """Passed where the figure reaches the threshold."""
    if figure >= threshold:
        return GateResult(gate, "passed", figure, threshold, f"{reason}; at least {threshold:g} is asked for")
    return GateResult(
        gate,
        "failed",
        figure,
        threshold,
        f"{reason}; at least {threshold:g} is asked for, {threshold - figure:.4g} more",
    )


def decide_at_most(gate: str, figure: float, threshold: float, reason: str) -> GateResult:
    """Passed where the figure does not go beyond the threshold; NaN does."""
    asked = f"{reason}; at most {threshold:g} is allowed"
    if figure <= threshold:
        return GateResult(gate, "passed", figure, threshold, asked)
    return GateResult(gate, "failed", figure, threshold, f"{asked}, and it is {figure - threshold:.4g} more")


def leave_undecided(gate: str, threshold: float, reason: str | None) -> GateResult:
    """Too little data to decide is a no: what nobody has shown does not pass."""
    return GateResult(gate, "failed", None, threshold, f"cannot be decided: {reason or 'the figure is not defined'}")
