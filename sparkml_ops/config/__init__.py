"""YAML -> frozen typed objects. Knows no Spark, Delta or MLflow."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkml_ops.config.environment import Environment
    from sparkml_ops.config.load import build_use_case, load_environment, load_use_case
    from sparkml_ops.config.locations import list_environments, list_use_cases
    from sparkml_ops.config.schema import use_case_schema
    from sparkml_ops.config.use_case import UseCase

__all__ = [
    "Environment",
    "UseCase",
    "build_use_case",
    "list_environments",
    "list_use_cases",
    "load_environment",
    "load_use_case",
    "use_case_schema",
]

_HOMES = {
    "Environment": "environment",
    "UseCase": "use_case",
    "build_use_case": "load",
    "list_environments": "locations",
    "list_use_cases": "locations",
    "load_environment": "load",
    "load_use_case": "load",
    "use_case_schema": "schema",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: Spark's workers import single sections, and start with each task."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
