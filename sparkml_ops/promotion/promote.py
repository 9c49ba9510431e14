"""Candidate against champion -> a decision with reasons, and the aliases that follow from it."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sparkml_ops.config.gates import OFF
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ConfigError, ModelError
from sparkml_ops.features import read_training_set
from sparkml_ops.lake import Lake, StepRecord, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import (
    AnsweredRows,
    ModelVersion,
    PackagedModel,
    Tracking,
    answer_in_fresh_process,
    find_version,
    list_aliases,
    load_version,
    prepare_tracking,
)
from sparkml_ops.promotion.aliases import CHAMPION_ALIAS, complete_switch, move_aliases
from sparkml_ops.promotion.decisions import Decision, DecisionKind, last_switch, make_decision, record_decision
from sparkml_ops.promotion.evidence import find_obstacle, gather_evidence
from sparkml_ops.promotion.gates import GateResult
from sparkml_ops.promotion.recorded_figures import record_figures
from sparkml_ops.promotion.verdicts import conclude, judge_evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)


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
        decision: promoted, refused, reported, rolled_back, awaiting_approval, or no_change when the version is champion already.
        version: the version decided about.
        champion: the champion's version now; None when there is none.
        champion_before: its version until then; None when there was none.
        is_opposed: whether there was a champion to be better than.
        reason: in one sentence.
        gates: what each gate said.
    """

    run_id: str
    decision: DecisionKind | Literal["no_change"]
    version: int
    champion: int | None
    is_opposed: bool
    reason: str
    gates: tuple[GateResult, ...] = ()
    champion_before: int | None = None

    def tell_undo(self, name: str) -> str | None:
        """The command that makes the champion before serve again; None where none was replaced.

        Args:
            name: of the use case.
        """
        if self.champion_before is None or self.champion_before == self.champion:
            return None
        return f"sparkml-ops rollback {name} --to {self.champion_before} --reason WHY"


def promote(use_case: "UseCase", lake: Lake, *, version: int | None = None, run_id: str | None = None) -> PromoteResult:
    """Decide whether a version may serve; move the aliases if every gate passes.

    A version that is refused becomes the challenger. With `gates.mode: off` no gate is asked, and no approval
    needed; with `gates.approval: required` a version that passes waits as the challenger for `approve`. The decision is written before the alias moves: a run that is killed
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
        switch = last_switch(lake)
        complete_switch(tracking, use_case.name, switch)
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
            record.wrote(record_decision(lake, decision, after=switch))
            move_aliases(tracking, candidate, decision)
    after = candidate.version if decision.decision == "promoted" else before
    return PromoteResult(
        run_id,
        decision.decision,
        candidate.version,
        after,
        decision.is_opposed,
        decision.reason,
        decision.gates,
        champion_before=before,
    )


def _decide(use_case: "UseCase", lake: Lake, contest: _Contest, *, record: StepRecord, run_id: str) -> Decision:
    candidate, champion = contest.candidate, contest.champion
    record.note("training_set", candidate.training_set_version)
    packaged = load_of_task(use_case, contest.tracking, candidate)
    number, origin = champion.version if champion else None, (candidate.training_set_version, run_id)
    if use_case.gates.mode == OFF:
        record.note("decision", "promoted")
        model = (use_case.name, number, candidate.version)
        return make_decision("promoted", model=model, reason="gates.mode is off: no gate was asked", origin=origin)
    rows = read_training_set(lake, candidate.training_set_version)
    opponent = load_version(contest.tracking, champion) if champion else None
    obstacle = find_obstacle(packaged, opponent, columns=rows.columns, champion=number)
    evidence = gather_evidence(rows, use_case, candidate=packaged, champion=None if obstacle else opponent)
    answers = _ask_fresh_process(contest.tracking, candidate, evidence.answered)
    gates = judge_evidence(use_case, evidence, champion=number, obstacle=obstacle, answers=answers)
    kind, reason = conclude(use_case, gates, version=candidate.version)
    record.note("decision", kind)
    if kind != "promoted":
        record.refuse(reason)
    record_figures(lake, evidence, gates, use_case=use_case, version=candidate.version, run_id=run_id)
    return make_decision(
        kind,
        model=(use_case.name, number, candidate.version),
        reason=reason,
        gates=gates,
        evidence=evidence.figures(),
        origin=origin,
    )


def _ask_fresh_process(
    tracking: Tracking, candidate: ModelVersion, answered: AnsweredRows | None
) -> "NDArray[np.float64] | str | None":
    """What a fresh process answers, or why it does not; None where it is not asked."""
    if answered is None:
        return None
    try:
        return answer_in_fresh_process(tracking, candidate, answered.rows)
    except ModelError as error:
        return str(error)


def load_of_task(use_case: "UseCase", tracking: Tracking, version: ModelVersion) -> PackagedModel:
    """The packaged model of a version that is to serve.

    Raises:
        ModelError: Its files are not those that were registered.
        ConfigError: It was trained for another task.
    """
    packaged = load_version(tracking, version)
    if packaged.task != use_case.model.task:
        raise ConfigError(
            f"version {version.version} of {use_case.name} was trained for the task {packaged.task}, and model.task is "
            f"{use_case.model.task}. `sparkml-ops train {use_case.name}` makes a version of that task."
        )
    return packaged
