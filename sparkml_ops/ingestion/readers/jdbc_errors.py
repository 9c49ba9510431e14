"""What the database of a source says, as an error that a person can act on; never with a password in it."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sparkml_ops.databases import Patience, Refusal, attempt, hide_credentials
from sparkml_ops.errors import ConfigError, ContractError, SetupError, SparkMLOpsError

if TYPE_CHECKING:
    from sparkml_ops.config.sources import Source

logger = logging.getLogger(__name__)

WAITS_SECONDS = (1.0, 5.0, 15.0)
"""A server that restarts is back within them."""
Outcome = TypeVar("Outcome")


def attempt_query(source: "Source", name: str, action: Callable[[], Outcome]) -> Outcome:
    """Run what reads from the database, and again, a few times, when the connection was lost.

    Args:
        source: the source.
        name: its name, for messages.
        action: reads from the start each time that it is called.

    Raises:
        SetupError: the database cannot be reached, or refuses the user.
        ConfigError: it knows no such table, or no such column.
        ContractError: it cannot give the rows.
    """

    def warn(refusal: Refusal, wait: float) -> None:
        logger.warning("source %s: %s: trying again in %g s", name, refusal.reason, wait)

    patience = Patience(WAITS_SECONDS, lambda refusal: _tell(refusal, source, name), warn)
    return attempt(action, secret=_secret_of(source), patience=patience)


def _tell(refusal: Refusal, source: "Source", name: str) -> SparkMLOpsError:
    said = f"source {name}: the database at {hide_credentials(source.path, _secret_of(source))}"
    keys = f"sources.{name}"
    if refusal.passes:
        return SetupError(
            f"{said} cannot be reached: {refusal.reason}. It was tried {len(WAITS_SECONDS) + 1} times. Check `{keys}.path` and that "
            "the server is up; then run again: nothing was written."
        )
    if refusal.state.startswith("28"):
        return SetupError(
            f"{said} refuses the user: {refusal.reason}. Check `{keys}.jdbc.user`, `{keys}.jdbc.password` and the variables in them."
        )
    if refusal.state[:2] in {"3D", "42"}:
        return ConfigError(f"{said} refuses the question: {refusal.reason}. Check `{keys}.path` and `{keys}.jdbc`.")
    return ContractError(f"{said} cannot give the rows: {refusal.reason}. Nothing was written.")


def _secret_of(source: "Source") -> str:
    password = source.jdbc.password if source.jdbc else None
    return password.get_secret_value() if password else ""
