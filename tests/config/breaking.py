"""The type of the fixture that breaks the sample."""

from collections.abc import Callable, Mapping

BreakSample = Callable[[Mapping[str, str]], list[str]]
