"""The alias `shadow`: a version that a person wants scored beside the champion, whatever the gates say of it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sparkml_ops.config.said import require_words
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Lake, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import (
    ModelVersion,
    Tracking,
    delete_alias,
    find_version,
    list_aliases,
    load_version,
    prepare_tracking,
    set_alias,
)
from sparkml_ops.promotion.aliases import CHAMPION_ALIAS, SHADOW_ALIAS
from sparkml_ops.promotion.decisions import make_decision, record_decision

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase


@dataclass(frozen=True)
class ShadowResult:
    """What was done.

    Attributes:
        run_id: the run.
        decision: shadowed, unshadowed, or no_change.
        shadow: the version that is the shadow now; None for none.
        shadow_before: the one until then.
        is_scored: whether `scoring.roles` has the role, so that batches are scored by it.
    """

    run_id: str
    decision: Literal["shadowed", "unshadowed", "no_change"]
    shadow: int | None
    shadow_before: int | None
    is_scored: bool

    def tell_undo(self, name: str) -> str | None:
        """The command that makes it as it was; None where nothing changed.

        Args:
            name: of the use case.
        """
        if self.shadow == self.shadow_before:
            return None
        way = "--clear" if self.shadow_before is None else f"--version {self.shadow_before}"
        return f"sparkml-ops shadow {name} {way} --reason WHY"


def set_shadow(
    use_case: "UseCase", lake: Lake, *, version: int | None, reason: str, run_id: str | None = None
) -> ShadowResult:
    """Make a version the shadow, or none; recorded in `promotions` before the alias moves.

    Args:
        use_case: Whose model.
        lake: Where the tables are.
        version: The version; None for none.
        reason: Why.
        run_id: The run that this belongs to.

    Raises:
        ConfigError: No reason, or the version is the champion.
        ModelNotFoundError: No such version.
        ModelError: Its files are not those that were registered.
        ConflictError: A promotion is under way.
    """
    why, run_id = require_words("--reason", reason, example="late alarms since Tuesday"), run_id or new_run_id()
    tracking, is_scored = prepare_tracking(use_case.environment), SHADOW_ALIAS in use_case.scoring.roles
    with hold_lease(lake, "promote", wait_seconds=STAGE_WAIT_SECONDS):
        wanted = None if version is None else _find_shadow(tracking, use_case.name, version)
        before = list_aliases(tracking, use_case.name).get(SHADOW_ALIAS)
        if before == version:
            return ShadowResult(run_id, "no_change", version, before, is_scored)
        kind: Literal["shadowed", "unshadowed"] = "unshadowed" if version is None else "shadowed"
        with record_step(lake, run_id=run_id, step="shadow", config_hash=hash_config(use_case.gates)) as record:
            origin = (wanted.training_set_version if wanted else "", run_id)
            made = make_decision(kind, model=(use_case.name, before, version), reason=why, origin=origin)
            record.note("decision", kind)
            record.wrote(record_decision(lake, replace(made, is_opposed=False)))
            if wanted is None:
                delete_alias(tracking, use_case.name, SHADOW_ALIAS)
            else:
                record.model(use_case.name, wanted.version)
                set_alias(tracking, wanted, SHADOW_ALIAS)
    return ShadowResult(run_id, kind, version, before, is_scored)


def _find_shadow(tracking: Tracking, name: str, version: int) -> ModelVersion:
    found = find_version(tracking, name, version=version)
    if list_aliases(tracking, name).get(CHAMPION_ALIAS) == version:
        raise ConfigError(
            f"version {version} of {name} is the champion, and is scored as that; a shadow is another version."
        )
    load_version(tracking, found)
    return found
