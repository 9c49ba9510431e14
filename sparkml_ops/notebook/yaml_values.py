"""Values of Python as YAML would have them. Pure."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from numbers import Integral, Real
from typing import Any

from pydantic import BaseModel

from sparkml_ops.config.mistakes import show_value
from sparkml_ops.config.types import format_duration
from sparkml_ops.errors import ConfigError


def to_yaml_value(value: Any, *, place: str) -> Any:
    """A value of Python as YAML would have it: plain mappings, lists, texts, numbers.

    Raises:
        ConfigError: YAML has no such value.
    """
    if isinstance(value, BaseModel):
        return to_yaml_value(value.model_dump(mode="json", by_alias=True, exclude_unset=True), place=place)
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else _refuse_key(key, place): to_yaml_value(one, place=f"{place}.{key}")
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [to_yaml_value(one, place=f"{place}[{at}]") for at, one in enumerate(value)]
    if isinstance(value, timedelta) and (value < timedelta(0) or value % timedelta(seconds=1)):
        raise ConfigError(f"{place}: found {value!r}; allowed: whole seconds, from 0 up, such as '90s' or '6h'.")
    write = next((write for kind, write in _SCALARS.items() if isinstance(value, kind)), None)
    if value is not None and write is None:
        raise ConfigError(
            f"{place}: {show_value(value)} is a {type(value).__name__}; allowed: texts, numbers, lists, mappings, durations."
        )
    return None if write is None else write(value)


_SCALARS: dict[type, Callable[[Any], Any]] = {
    bool: bool,
    str: str,
    Integral: int,
    Real: float,
    timedelta: format_duration,
    date: lambda at: at.isoformat(),
}
"""How a value of each type is written; the first that fits, so a truth is no number. A datetime is a date."""


def _refuse_key(key: object, place: str) -> str:
    raise ConfigError(f"{place}: the key {show_value(key)} is no text.")
