"""A new use case that runs as generated, and the environments around it."""

import json
import re
from importlib.resources import files
from pathlib import Path

from sparkml_ops.config.locations import BASE
from sparkml_ops.config.mistakes import show_value
from sparkml_ops.config.schema import use_case_schema
from sparkml_ops.config.template_data import make_shop
from sparkml_ops.config.types import IDENTIFIER_PATTERN
from sparkml_ops.errors import ConfigError

ENVIRONMENT_FILES = (BASE, "local", "cluster", "databricks")

_FOLDER = "template_files"
_SEED = 2025
_LONGEST_NAME = 64


def render_use_case(name: str) -> dict[Path, str]:
    """Texts of a new use case, by path below the project folder.

    Its configuration and its data belong to it alone; the environments and the schema for editors are shared with other
    use cases, and are written only where they are missing.

    Raises:
        ConfigError: the name cannot be one.
    """
    if not re.fullmatch(IDENTIFIER_PATTERN, name) or len(name) > _LONGEST_NAME or name in ENVIRONMENT_FILES:
        raise ConfigError(
            f"{show_value(name)} cannot name a use case: letters, digits and _ alone, at most {_LONGEST_NAME}, "
            f"no digit first, and none of {', '.join(ENVIRONMENT_FILES)}."
        )
    conf, landing = Path("conf"), Path("data") / "landing" / name
    return {
        **{conf / f"{environment}.yml": _read(environment) for environment in ENVIRONMENT_FILES},
        conf / "use_case.schema.json": json.dumps(use_case_schema(), indent=2) + "\n",
        conf / f"{name}.yml": _read("use_case").replace("@NAME@", name),
        **{landing / path: text for path, text in make_shop(_SEED).items()},
    }


def _read(name: str) -> str:
    return (files("sparkml_ops.config") / _FOLDER / f"{name}.yml").read_text(encoding="utf-8")
