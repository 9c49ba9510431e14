"""What a database's driver says, taken out of the errors of Spark and the JVM; never with a password in it."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from sparkml_ops.errors import SparkMLOpsError

FAILURES = (Py4JJavaError, PySparkException)
"""What a driver's error arrives as."""

# SQLSTATE classes: connection lost, no resources, shut down by an operator, system error; and rolled back by a deadlock.
_PASSING = ("08", "53", "57P", "58", "40")
_CREDENTIALS = re.compile(r"//[^/\s@]*@|(?i:(user|password|pwd)=)[^&\s;]*")
_LONGEST_REASON = 400
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Refusal:
    """What the database said: its SQLSTATE, its words, and whether the same may go well a little later."""

    state: str
    reason: str
    passes: bool


@dataclass(frozen=True)
class Patience:
    """How often an action is tried again whose connection was lost.

    Attributes:
        waits_seconds: how long before each further try.
        tell: makes the error that is raised in the end, of what the database said.
        warn: is called before each further try, with what was said and the seconds to come.
    """

    waits_seconds: tuple[float, ...]
    tell: Callable[[Refusal], SparkMLOpsError]
    warn: Callable[[Refusal, float], None]


def attempt(action: Callable[[], Outcome], *, secret: str, patience: Patience) -> Outcome:
    """Run what talks to a database, and again, a few times, when the connection was lost.

    Args:
        action: starts from the beginning each time that it is called.
        secret: the password, which is shown nowhere.
        patience: how often, and what is told.

    Raises:
        SparkMLOpsError: what `patience.tell` makes of the last refusal.
    """
    for wait in (*patience.waits_seconds, None):
        try:
            return action()
        except FAILURES as error:
            refusal = find_refusal(error, secret)
            if refusal is None:
                raise
            if refusal.passes and wait is not None:
                patience.warn(refusal, wait)
                time.sleep(wait)
                continue
            # The cause is kept for --debug, unless the driver has put the password into it.
            raise patience.tell(refusal) from (None if secret and secret in str(error) else error)
    raise AssertionError  # the last round returns or raises


def find_refusal(error: Exception, secret: str) -> Refusal | None:
    """What the database said; None where the error is not its."""
    if isinstance(error, PySparkException) and error.getCondition() == "UNRECOGNIZED_SQL_TYPE":
        reason = (
            f"a column has a type that Spark does not know ({_first_line(str(error))}); cast it to text in a `query`"
        )
        return Refusal("42", hide_credentials(reason, secret), passes=False)
    for cause in _causes(error):
        if _is(cause, "java.sql.SQLException"):
            return _read_refusal(cause, secret)
    return None


def hide_credentials(text: str, secret: str) -> str:
    """A text without the password, and without a user in a URL."""
    return _CREDENTIALS.sub("…", text.replace(secret, "…") if secret else text)


def _read_refusal(cause: Any, secret: str) -> Refusal:
    # A refused batch of rows repeats the rows; the error after it says what is wrong with them.
    said = (cause.getNextException() if _is(cause, "java.sql.BatchUpdateException") else None) or cause
    state = str(said.getSQLState() or "")
    words = hide_credentials(_first_line(str(said.getMessage())), secret)
    passes = state.startswith(_PASSING) or _is(said, "java.sql.SQLTransientException")
    return Refusal(state, words, passes=passes or _is(said, "java.sql.SQLRecoverableException"))


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
