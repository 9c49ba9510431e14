"""What stands behind an error: Python's own causes, and those of the JVM."""

from collections.abc import Callable
from typing import Any

_MOST = 20  # causes may go round in a circle


def list_errors(error: BaseException) -> list[BaseException]:
    """An error and what it was raised from, outermost first."""
    return _follow(error, lambda each: each.__cause__)


def list_causes(error: BaseException) -> list[Any]:
    """The JVM's errors behind an error, outermost first; none where it did not come from there."""
    outermost: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    return _follow(outermost, lambda each: each.getCause())


def _follow(first: Any, find_next: Callable[[Any], Any]) -> list[Any]:
    found: list[Any] = []
    while first is not None and len(found) < _MOST:
        found.append(first)
        first = find_next(first)
    return found
