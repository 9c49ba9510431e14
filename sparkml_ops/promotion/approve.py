"""A person's yes to a version that every gate has passed, recorded by name before the alias moves."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ConfigError, GateError
from sparkml_ops.lake import Lake, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import find_version, list_aliases, load_version, prepare_tracking
from sparkml_ops.promotion.decisions import AWAITING, Decision, find_last_decision, make_decision, record_decision
from sparkml_ops.promotion.promote import CHAMPION_ALIAS, PromoteResult, move_aliases

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

LONGEST_NAME = 200  # of a person; more is a text in the wrong place


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
    name, why, run_id = _check_text("--by", by), _check_text("--reason", reason), run_id or new_run_id()
    tracking = prepare_tracking(use_case.environment)
    with hold_lease(lake, "promote", wait_seconds=STAGE_WAIT_SECONDS):
        candidate = find_version(tracking, use_case.name, version=version)
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
            record.wrote(record_decision(lake, decision))
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


def _check_text(option: str, text: str) -> str:
    whole = " ".join(text.split())
    if not whole.isprintable() or not whole:
        raise ConfigError(f"{option} has no text that could be recorded; expected words, such as {option} 'Ann Lee'")
    if option == "--by" and len(whole) > LONGEST_NAME:
        raise ConfigError(f"{option} has {len(whole)} characters; expected the name of a person")
    return whole
