"""A person's yes to a version that every gate has passed, recorded by name before the alias moves."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml_ops.config.said import LONGEST_NAME, require_words
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import GateError
from sparkml_ops.lake import Lake, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import find_version, list_aliases, load_version, prepare_tracking
from sparkml_ops.promotion.aliases import CHAMPION_ALIAS, complete_switch, move_aliases
from sparkml_ops.promotion.decisions import (
    AWAITING,
    Decision,
    find_last_decision,
    last_switch,
    make_decision,
    record_decision,
)
from sparkml_ops.promotion.promote import PromoteResult

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase


def approve(
    use_case: "UseCase", lake: Lake, *, version: int, by: str, reason: str, run_id: str | None = None
) -> PromoteResult:
    """Let a version serve that awaits approval. The gates are not asked again: what they said is what is approved.

    The decision is written before the alias moves, as by `promote`.

    Args:
        use_case: Whose model.
        lake: Where the tables are.
        version: The version.
        by: Who approves.
        reason: Why.
        run_id: The run that this belongs to.

    Raises:
        ConfigError: No name, or no reason.
        ModelNotFoundError: No such version.
        ModelError: Its files are not those that were registered.
        GateError: It does not await approval, or another version became champion since the gates were asked.
        ConflictError: Another promotion is under way.
    """
    name, why, run_id = (
        require_words("--by", by, example="Ann Lee", longest=LONGEST_NAME),
        require_words("--reason", reason, example="late alarms since Tuesday"),
        run_id or new_run_id(),
    )
    tracking = prepare_tracking(use_case.environment)
    with hold_lease(lake, "promote", wait_seconds=STAGE_WAIT_SECONDS):
        candidate = find_version(tracking, use_case.name, version=version)
        switch = last_switch(lake)
        complete_switch(tracking, use_case.name, switch)
        before = list_aliases(tracking, use_case.name).get(CHAMPION_ALIAS)
        waiting = _find_waiting(lake, version=version, champion=before)
        load_version(tracking, candidate)
        with record_step(lake, run_id=run_id, step="approve", config_hash=hash_config(use_case.gates)) as record:
            record.model(use_case.name, version)
            made = make_decision(
                "promoted",
                model=(use_case.name, before, version),
                reason=f"approved by {name}: {why}; the gates were asked in run {waiting.run_id}",
                gates=waiting.gates,
                origin=(candidate.training_set_version, run_id),
            )
            decision = replace(made, evidence=waiting.evidence, decided_by=name)
            record.note("decision", decision.decision)
            record.wrote(record_decision(lake, decision, after=switch))
            move_aliases(tracking, candidate, decision)
    return PromoteResult(
        run_id,
        decision.decision,
        version,
        version,
        decision.is_opposed,
        decision.reason,
        decision.gates,
        champion_before=before,
    )


def _find_waiting(lake: Lake, *, version: int, champion: int | None) -> Decision:
    last = find_last_decision(lake, version)
    ask = f"`promote --version {version}` asks the gates."
    if last is None:
        raise GateError(f"version {version} does not await approval: nothing was decided about it yet. {ask}")
    if last.decision != AWAITING:
        raise GateError(
            f"version {version} does not await approval: the last decision about it is {last.decision} ({last.reason}). {ask}"
        )
    if last.from_version != champion:
        raise GateError(
            f"version {version} was compared with {_name(last.from_version)}, and by now {_name(champion)} serves. {ask}"
        )
    return last


def _name(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"
