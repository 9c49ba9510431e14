"""Candidate against champion -> a decision with reasons, and the aliases that follow from it."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ConfigError, ModelNotFoundError
from sparkml_ops.features import read_training_set
from sparkml_ops.lake import Lake, Metric, StepRecord, new_run_id, record_metrics, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import (
    ModelVersion,
    Tracking,
    delete_alias,
    find_task,
    find_version,
    list_aliases,
    load_version,
    prepare_tracking,
    set_alias,
)
from sparkml_ops.promotion.decisions import Decision, DecisionKind, last_switch, make_decision, record_decision
from sparkml_ops.promotion.evidence import CANDIDATE, CHAMPION, TRIVIAL, Evidence, find_obstacle, gather_evidence
from sparkml_ops.promotion.gates import (
    GateResult,
    judge_baseline,
    judge_champion,
    judge_kpi,
    judge_latency,
    judge_slices,
)

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

CHAMPION_ALIAS, CHALLENGER_ALIAS = "champion", "challenger"


@dataclass(frozen=True)
class _Contest:
    """Who is to be decided about, and against whom."""

    tracking: Tracking
    candidate: ModelVersion
    champion: ModelVersion | None


@dataclass(frozen=True)
class PromoteResult:
    """What was decided.

    Attributes:
        run_id: the run.
        decision: promoted, refused, reported, rolled_back, or no_change when the version is champion already.
        version: the version decided about.
        champion: the champion's version now; None when there is none.
        is_opposed: whether there was a champion to be better than.
        reason: in one sentence.
        gates: what each gate said.
    """

    run_id: str
    decision: Literal["promoted", "refused", "reported", "rolled_back", "no_change"]
    version: int
    champion: int | None
    is_opposed: bool
    reason: str
    gates: tuple[GateResult, ...] = ()


def promote(use_case: "UseCase", lake: Lake, *, version: int | None = None, run_id: str | None = None) -> PromoteResult:
    """Decide whether a version may serve; move the aliases if every gate passes.

    A version that is refused becomes the challenger. The decision is written before the alias moves: a run that is killed
    in between is completed by the next.

    Args:
        use_case: gates, metric.
        lake: where the tables are.
        version: the version to decide about; the newest by default.
        run_id: the run that this belongs to.

    Raises:
        ModelNotFoundError: no such version.
        ConflictError: another promotion is under way.
    """
    run_id = run_id or new_run_id()
    tracking = prepare_tracking(use_case.environment)
    with hold_lease(lake, "promote", wait_seconds=STAGE_WAIT_SECONDS):
        candidate = find_version(tracking, use_case.name, version=version)
        _complete_switch(lake, tracking, use_case.name)
        before = list_aliases(tracking, use_case.name).get(CHAMPION_ALIAS)
        with record_step(lake, run_id=run_id, step="promote", config_hash=hash_config(use_case.gates)) as record:
            record.model(use_case.name, candidate.version)
            if before == candidate.version:
                reason = f"version {candidate.version} is the champion already"
                record.note("decision", "no_change")
                return PromoteResult(run_id, "no_change", candidate.version, before, is_opposed=False, reason=reason)
            champion = find_version(tracking, use_case.name, version=before) if before is not None else None
            contest = _Contest(tracking, candidate, champion)
            decision = _decide(use_case, lake, contest, record=record, run_id=run_id)
            record.wrote(record_decision(lake, decision))
            _move_aliases(tracking, candidate, decision)
    after = candidate.version if decision.decision == "promoted" else before
    return PromoteResult(
        run_id, decision.decision, candidate.version, after, decision.is_opposed, decision.reason, decision.gates
    )


def roll_back(
    use_case: "UseCase", lake: Lake, *, to_version: int, reason: str, run_id: str | None = None
) -> PromoteResult:
    """Make an earlier version champion again, without asking the gates; recorded with the reason.

    Raises:
        ModelNotFoundError: no such version, or no champion to roll back from.
        ConflictError: another promotion is under way.
    """
    run_id = run_id or new_run_id()
    tracking = prepare_tracking(use_case.environment)
    with hold_lease(lake, "promote", wait_seconds=STAGE_WAIT_SECONDS):
        target = find_version(tracking, use_case.name, version=to_version)
        before = list_aliases(tracking, use_case.name).get(CHAMPION_ALIAS)
        if before is None:
            raise ModelNotFoundError(f"model {use_case.name} has no champion to roll back from; `promote` makes one")
        if before == to_version:
            return PromoteResult(
                run_id, "no_change", to_version, before, is_opposed=True, reason="it is the champion already"
            )
        with record_step(lake, run_id=run_id, step="rollback", config_hash=hash_config(use_case.gates)) as record:
            record.model(use_case.name, to_version)
            origin = (target.training_set_version, run_id)
            decision = make_decision(
                "rolled_back", model=(use_case.name, before, to_version), reason=reason, origin=origin
            )
            record.wrote(record_decision(lake, decision))
            set_alias(tracking, target, CHAMPION_ALIAS)
    return PromoteResult(run_id, "rolled_back", to_version, to_version, is_opposed=True, reason=reason)


def _decide(use_case: "UseCase", lake: Lake, contest: _Contest, *, record: StepRecord, run_id: str) -> Decision:
    candidate, champion = contest.candidate, contest.champion
    rows = read_training_set(lake, candidate.training_set_version)
    record.note("training_set", candidate.training_set_version)
    opponent = load_version(contest.tracking, champion) if champion else None
    packaged = load_version(contest.tracking, candidate)
    if packaged.task != use_case.model.task:
        raise ConfigError(
            f"version {candidate.version} of {use_case.name} was trained for the task {packaged.task}, and model.task is "
            f"{use_case.model.task}. `sparkml-ops train {use_case.name}` makes a version of that task."
        )
    number = champion.version if champion else None
    obstacle = find_obstacle(packaged, opponent, columns=rows.columns, champion=number)
    evidence = gather_evidence(rows, use_case, candidate=packaged, champion=None if obstacle else opponent)
    gates = _judge(use_case, evidence, champion=number, obstacle=obstacle)
    kind, reason = _conclude(use_case, gates)
    record.note("decision", kind)
    if kind != "promoted":
        record.refuse(reason)
    _record_figures(lake, evidence, gates, version=candidate.version, run_id=run_id)
    return make_decision(
        kind,
        model=(use_case.name, number, candidate.version),
        reason=reason,
        gates=gates,
        evidence=evidence.figures(),
        origin=(candidate.training_set_version, run_id),
    )


def _judge(use_case: "UseCase", evidence: Evidence, *, champion: int | None, obstacle: str | None) -> list[GateResult]:
    declared, metric = use_case.gates, use_case.model.metric
    found: list[GateResult] = []
    if declared.baseline:
        trivial = evidence.evaluations[TRIVIAL]
        figures = (evidence.evaluations[CANDIDATE], trivial)
        found.append(judge_baseline(*figures, declared.baseline, metric=metric, same_days=evidence.over_trivial))
    if obstacle:
        found.append(GateResult("champion", "failed", None, None, f"cannot be compared: {obstacle}"))
    elif declared.champion:
        found.append(judge_champion(evidence.comparison, declared.champion, metric=metric, champion=champion))
    if declared.slices and not obstacle:
        found.append(judge_slices(evidence.slices, declared.slices, sliced_by=find_task(use_case.model.task).SLICED_BY))
    if declared.latency and evidence.rows_per_second is not None:
        found.append(judge_latency(evidence.rows_per_second, declared.latency))
    if declared.kpi:
        found.append(judge_kpi(evidence.kpi, declared.kpi))
    return found


def _conclude(use_case: "UseCase", gates: list[GateResult]) -> tuple[DecisionKind, str]:
    failed = [gate for gate in gates if gate.verdict == "failed"]
    if use_case.gates.mode == "report":
        return (
            "reported",
            f"gates.mode is report: {len(failed)} of {len(gates)} gates would refuse it; no alias was moved",
        )
    if failed:
        return "refused", "; ".join(f"gate {gate.gate}: {gate.reason}" for gate in failed)
    if any(gate.verdict == "unopposed" for gate in gates):
        return "promoted", "unopposed: there was no champion to be better than; the other gates passed"
    return "promoted", f"all {len(gates)} gates passed"


def _move_aliases(tracking: Tracking, candidate: ModelVersion, decision: Decision) -> None:
    if decision.decision == "promoted":
        set_alias(tracking, candidate, CHAMPION_ALIAS)
        if list_aliases(tracking, candidate.name).get(CHALLENGER_ALIAS) == candidate.version:
            delete_alias(tracking, candidate.name, CHALLENGER_ALIAS)
    elif decision.decision == "refused":
        set_alias(tracking, candidate, CHALLENGER_ALIAS)


def _complete_switch(lake: Lake, tracking: Tracking, name: str) -> None:
    """Move the alias of a decision that was written by a run that did not live to move it."""
    switch = last_switch(lake)
    if switch is None or list_aliases(tracking, name).get(CHAMPION_ALIAS) != switch[0]:
        return
    logger.warning(
        "model %s: completing the switch to version %d that was decided by a run that ended early", name, switch[1]
    )
    set_alias(tracking, find_version(tracking, name, version=switch[1]), CHAMPION_ALIAS)


def _record_figures(lake: Lake, evidence: Evidence, gates: list[GateResult], *, version: int, run_id: str) -> None:
    verdicts = {"passed": "ok", "failed": "alert", "unopposed": "info"}
    figures = [
        Metric(
            "gate",
            gate.gate,
            "figure",
            gate.figure,
            threshold=gate.threshold,
            verdict=verdicts[gate.verdict],
            model_version=version,
            details=gate.reason,
        )
        for gate in gates
    ]
    figures += [
        Metric("gate", who.strip("_"), metric, f.value, lower=f.lower, upper=f.upper, model_version=version)
        for who, evaluation in evidence.evaluations.items()
        if who != CHAMPION
        for metric, f in evaluation.metrics.items()
    ]
    record_metrics(lake, figures, run_id=run_id, step="promote", write_id=f"promote:{run_id}:{version}")
