"""Parameters of trials as axes: which of them were varied, and where a value stands from 0 to 1. Pure."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkml_ops.reporting.axes import list_ticks
from sparkml_ops.reporting.formats import format_figure, shorten
from sparkml_ops.reporting.searched import TriedParams

MAX_LEVELS = 12  # of a text on one axis; more cannot be read
_LEVEL_LENGTH = 12


@dataclass(frozen=True)
class ParameterAxis:
    """One parameter that was varied.

    Attributes:
        name: Of the parameter.
        levels: Its values as texts, when they are not all numbers; none otherwise.
        low: Lowest number.
        high: Highest number.
        is_log: Whether its numbers are drawn by their logarithm.
    """

    name: str
    levels: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False

    def find_place(self, params: Mapping[str, Any]) -> float | None:
        """From 0 to 1; None where the trial has no such parameter."""
        if self.name not in params:
            return None
        value = params[self.name]
        if self.levels:
            return self.levels.index(str(value)) / max(len(self.levels) - 1, 1)
        return self._find_share(float(value))

    def list_marks(self) -> list[tuple[float, str]]:
        """Places and texts of the ticks, lowest first."""
        if self.levels:
            return [
                (at / max(len(self.levels) - 1, 1), shorten(level, _LEVEL_LENGTH))
                for at, level in enumerate(self.levels)
            ]
        if not self.is_log:
            return [(self._find_share(tick), _tell(tick)) for tick in list_ticks(self.low, self.high)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first <= 2 else (1,)  # noqa: PLR2004  # two powers of ten leave room in between
        ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [(self._find_share(tick), _tell(tick)) for tick in ticks if self.low <= tick <= self.high]

    def _find_share(self, value: float) -> float:
        scale = math.log if self.is_log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))


def list_axes(trials: Sequence[TriedParams], *, log_params: Collection[str]) -> list[ParameterAxis]:
    """The parameters that do not have the same value in all trials, by name; texts with too many values are left out."""
    names = sorted({name for trial in trials for name in trial.params})
    axes = (_make_axis(name, trials, is_log=name in log_params) for name in names)
    return [axis for axis in axes if axis is not None]


def _make_axis(name: str, trials: Sequence[TriedParams], *, is_log: bool) -> ParameterAxis | None:
    values = [trial.params[name] for trial in trials if name in trial.params]
    is_varied = len({str(value) for value in values}) > 1 or 0 < len(values) < len(trials)
    if not is_varied:
        return None
    if all(_is_number(value) for value in values) and min(values) < max(values):
        low, high = float(min(values)), float(max(values))
        return ParameterAxis(name, low=low, high=high, is_log=is_log and low > 0)
    levels = tuple(sorted({str(value) for value in values}))
    return ParameterAxis(name, levels) if len(levels) <= MAX_LEVELS else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _tell(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e4 else format_figure(value)  # noqa: PLR2004  # 10,000 reads better than 1e+04
