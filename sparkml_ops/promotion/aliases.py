"""The aliases of the registry: who serves, and who is scored beside. What a decision means for them, and which are stale."""

import logging

from sparkml_ops.models import (
    ModelVersion,
    Tracking,
    delete_alias,
    find_version,
    list_aliases,
    list_versions,
    set_alias,
)
from sparkml_ops.promotion.decisions import AWAITING, SWITCHES, Decision, Switch

logger = logging.getLogger(__name__)

CHAMPION_ALIAS, CHALLENGER_ALIAS, SHADOW_ALIAS = "champion", "challenger", "shadow"
BESIDE = (CHALLENGER_ALIAS, SHADOW_ALIAS)
"""Aliases of versions that are scored beside the champion."""


def move_aliases(tracking: Tracking, candidate: ModelVersion, decision: Decision) -> None:
    """What a decision means for the aliases; those that mean nothing after it are taken away."""
    if decision.decision in SWITCHES:
        set_alias(tracking, candidate, CHAMPION_ALIAS)
    elif decision.decision in {"refused", AWAITING}:
        set_alias(tracking, candidate, CHALLENGER_ALIAS)
    clear_stale_aliases(tracking, candidate.name)


def clear_stale_aliases(tracking: Tracking, name: str) -> None:
    """Take `challenger` and `shadow` from the champion itself, which needs nobody beside it to be scored, and from versions that were deleted."""
    aliases = list_aliases(tracking, name)
    there = {version.version for version in list_versions(tracking, name)}
    for alias in BESIDE:
        number = aliases.get(alias)
        if number is not None and (number == aliases.get(CHAMPION_ALIAS) or number not in there):
            delete_alias(tracking, name, alias)


def complete_switch(tracking: Tracking, name: str, switch: Switch | None) -> None:
    """Move the alias of a decision that was written by a run that did not live to move it.

    Args:
        tracking: Where the registry is.
        name: The model.
        switch: The newest decision that moves the champion; None when there is none.
    """
    if switch is None or list_aliases(tracking, name).get(CHAMPION_ALIAS) != switch.from_version:
        return
    if switch.to_version not in {version.version for version in list_versions(tracking, name)}:
        return  # it was deleted since: there is nothing to point to
    logger.warning(
        "model %s: completing the switch to version %d that was decided by a run that ended early",
        name,
        switch.to_version,
    )
    set_alias(tracking, find_version(tracking, name, version=switch.to_version), CHAMPION_ALIAS)
    clear_stale_aliases(tracking, name)
