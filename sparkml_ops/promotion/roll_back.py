"""An earlier version becomes champion again, by a person's decision: the gates are not asked."""

from typing import TYPE_CHECKING

from sparkml_ops.config.said import require_words
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ModelNotFoundError
from sparkml_ops.lake import Lake, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import find_version, list_aliases, prepare_tracking
from sparkml_ops.promotion.aliases import CHAMPION_ALIAS, complete_switch, move_aliases
from sparkml_ops.promotion.decisions import last_switch, make_decision, record_decision
from sparkml_ops.promotion.promote import PromoteResult, load_of_task

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase


def roll_back(
    use_case: "UseCase", lake: Lake, *, to_version: int, reason: str, run_id: str | None = None
) -> PromoteResult:
    """Make any other version champion, a simpler or a retrained one too, without asking the gates; recorded with the reason.

    Args:
        use_case: Whose model.
        lake: Where the tables are.
        to_version: The version.
        reason: Why.
        run_id: The run that this belongs to.

    Raises:
        ConfigError: No reason, or the version was trained for another task.
        ModelNotFoundError: No such version, or no champion to roll back from.
        ModelError: Its files are not those that were registered.
        ConflictError: Another promotion is under way.
    """
    why, run_id = require_words("--reason", reason, example="late alarms since Tuesday"), run_id or new_run_id()
    tracking = prepare_tracking(use_case.environment)
    with hold_lease(lake, "promote", wait_seconds=STAGE_WAIT_SECONDS):
        target, switch = find_version(tracking, use_case.name, version=to_version), last_switch(lake)
        complete_switch(tracking, use_case.name, switch)
        before = list_aliases(tracking, use_case.name).get(CHAMPION_ALIAS)
        if before is None:
            raise ModelNotFoundError(f"model {use_case.name} has no champion to roll back from; `promote` makes one")
        if before == to_version:
            told = "it is the champion already"
            return PromoteResult(run_id, "no_change", to_version, before, is_opposed=True, reason=told)
        load_of_task(use_case, tracking, target)
        with record_step(lake, run_id=run_id, step="rollback", config_hash=hash_config(use_case.gates)) as record:
            record.model(use_case.name, to_version)
            model, origin = (use_case.name, before, to_version), (target.training_set_version, run_id)
            decision = make_decision("rolled_back", model=model, reason=why, origin=origin)
            record.wrote(record_decision(lake, decision, after=switch))
            move_aliases(tracking, target, decision)
    return PromoteResult(
        run_id, "rolled_back", to_version, to_version, is_opposed=True, reason=why, champion_before=before
    )
