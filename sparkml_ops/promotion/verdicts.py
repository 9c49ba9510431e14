"""Evidence in, what every declared gate says of it, and what follows for the version. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.models import find_task
from sparkml_ops.promotion.decisions import AWAITING, DecisionKind
from sparkml_ops.promotion.evidence import CANDIDATE, TRIVIAL, Evidence
from sparkml_ops.promotion.fairness import judge_fairness
from sparkml_ops.promotion.gates import (
    GateResult,
    judge_baseline,
    judge_calibration,
    judge_champion,
    judge_kpi,
    judge_latency,
)
from sparkml_ops.promotion.loads import judge_loads
from sparkml_ops.promotion.slice_gate import judge_slices

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparkml_ops.config.use_case import UseCase


def judge_evidence(
    use_case: "UseCase",
    evidence: Evidence,
    *,
    champion: int | None,
    obstacle: str | None,
    answers: "NDArray[np.float64] | str | None" = None,
) -> list[GateResult]:
    """Ask every declared gate.

    Args:
        use_case: Which gates are declared.
        evidence: What they decide on.
        champion: The champion's version, for the words.
        obstacle: Why the champion could not be asked; None where it could, or there is none.
        answers: What a fresh process answered, or why it did not.
    """
    return [
        *_judge_against_others(use_case, evidence, champion=champion, obstacle=obstacle),
        *_judge_alone(use_case, evidence),
        *_judge_use(use_case, evidence, answers),
    ]


def conclude(use_case: "UseCase", gates: list[GateResult], *, version: int) -> tuple[DecisionKind, str]:
    """The decision, and its reason in one sentence."""
    failed = [gate for gate in gates if gate.verdict == "failed"]
    if use_case.gates.mode == "report":
        return (
            "reported",
            f"gates.mode is report: {len(failed)} of {len(gates)} gates would refuse it; no alias was moved",
        )
    if failed:
        return "refused", "; ".join(f"gate {gate.gate}: {gate.reason}" for gate in failed)
    if use_case.gates.approval == "required":
        command = f"sparkml-ops promote {use_case.name} --version {version} --approve --by NAME --reason WHY"
        return AWAITING, f"none of {len(gates)} gates failed; it serves once somebody has approved it: {command}"
    if any(gate.verdict == "unopposed" for gate in gates):
        return "promoted", "unopposed: there was no champion to be better than; the other gates passed"
    return "promoted", f"all {len(gates)} gates passed"


def _judge_against_others(
    use_case: "UseCase", evidence: Evidence, *, champion: int | None, obstacle: str | None
) -> Iterator[GateResult]:
    declared, metric = use_case.gates, use_case.model.metric
    if declared.baseline:
        figures = evidence.evaluations[CANDIDATE], evidence.evaluations[TRIVIAL]
        yield judge_baseline(*figures, declared.baseline, metric=metric, same_days=evidence.over_trivial)
    if obstacle:
        way_on = f"`sparkml-ops rollback {use_case.name} --to VERSION --reason WHY` lets a version serve without a comparison"
        yield GateResult("champion", "failed", None, None, f"cannot be compared: {obstacle}; {way_on}")
        return
    if declared.champion:
        yield judge_champion(evidence.comparison, declared.champion, metric=metric, champion=champion)
    if declared.slices:
        yield judge_slices(
            evidence.slices,
            declared.slices,
            sliced_by=find_task(use_case.model.task).SLICED_BY,
            named=evidence.named,
            largest=evidence.largest,
        )


def _judge_alone(use_case: "UseCase", evidence: Evidence) -> Iterator[GateResult]:
    declared = use_case.gates
    if declared.calibration:
        yield judge_calibration(evidence.evaluations[CANDIDATE], declared.calibration)
    if declared.fairness:
        personal = list_personal_features(use_case)
        yield judge_fairness(evidence.groups, declared.fairness, threshold=evidence.threshold, personal=personal)


def _judge_use(
    use_case: "UseCase", evidence: Evidence, answers: "NDArray[np.float64] | str | None"
) -> Iterator[GateResult]:
    declared = use_case.gates
    if declared.latency and evidence.rows_per_second is not None:
        yield judge_latency(evidence.rows_per_second, declared.latency)
    if declared.kpi:
        yield judge_kpi(evidence.kpi, declared.kpi)
    if declared.loads and evidence.answered is not None and answers is not None:
        yield judge_loads(evidence.answered.answers, answers, declared.loads)
