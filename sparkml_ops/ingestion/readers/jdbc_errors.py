"""What a database's driver says, as an error that a person can act on; never with a password in it."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from sparkml_ops.errors import ConfigError, ContractError, SetupError, SparkMLOpsError

if TYPE_CHECKING:
    from sparkml_ops.config.sources import Source

logger = logging.getLogger(__name__)

WAITS_SECONDS = (1.0, 5.0, 15.0)
"""A server that restarts is back within them."""
# SQLSTATE classes: connection lost, no resources, shut down by an operator, system error; and rolled back by a deadlock.
_PASSING = ("08", "53", "57P", "58", "40")
_CREDENTIALS = re.compile(r"//[^/\s@]*@|(?i:(user|password|pwd)=)[^&\s;]*")
_LONGEST_REASON = 400
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class _Refusal:
    """What the database said: its SQLSTATE, its words, and whether the same may go well a little later."""

    state: str
    reason: str
    passes: bool


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
    for wait in (*WAITS_SECONDS, None):
        try:
            return action()
        except (Py4JJavaError, PySparkException) as error:
            refusal = _find_refusal(error, source)
            if refusal is None:
                raise
            if refusal.passes and wait is not None:
                logger.warning("source %s: %s: trying again in %g s", name, refusal.reason, wait)
                time.sleep(wait)
                continue
            told = _tell(refusal, source, name)
            # The cause is kept for --debug, unless the driver has put the password into it.
            raise told from (None if _holds_secret(str(error), source) else error)
    raise AssertionError  # the last round returns or raises


def _tell(refusal: _Refusal, source: "Source", name: str) -> SparkMLOpsError:
    said = f"source {name}: the database at {_strip(source.path, source)}"
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


def _find_refusal(error: Exception, source: "Source") -> _Refusal | None:
    if isinstance(error, PySparkException) and error.getCondition() == "UNRECOGNIZED_SQL_TYPE":
        reason = (
            f"a column has a type that Spark does not know ({_first_line(str(error))}); cast it to text in a `query`"
        )
        return _Refusal("42", _strip(reason, source), passes=False)
    for cause in _causes(error):
        if _is(cause, "java.sql.SQLException"):
            state = str(cause.getSQLState() or "")
            words = _strip(_first_line(str(cause.getMessage())), source)
            passes = state.startswith(_PASSING) or _is(cause, "java.sql.SQLTransientException")
            return _Refusal(state, words, passes=passes or _is(cause, "java.sql.SQLRecoverableException"))
    return None


def _causes(error: Exception) -> Iterator[Any]:
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while java is not None:
        yield java
        java = java.getCause()


def _is(java: Any, kind: str) -> bool:
    context = SparkContext._active_spark_context  # noqa: SLF001  # an exception knows its class in the JVM alone
    try:
        return context is not None and bool(is_instance_of(context._gateway, java, kind))  # noqa: SLF001
    except Py4JError:
        return False


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:_LONGEST_REASON]


def _strip(text: str, source: "Source") -> str:
    """A text without the password, and without a user in a URL."""
    secret = _secret_of(source)
    return _CREDENTIALS.sub("…", text.replace(secret, "…") if secret else text)


def _holds_secret(text: str, source: "Source") -> bool:
    secret = _secret_of(source)
    return bool(secret) and secret in text


def _secret_of(source: "Source") -> str:
    password = source.jdbc.password if source.jdbc else None
    return password.get_secret_value() if password else ""
