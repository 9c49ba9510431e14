"""Packages whose classes may be read from a model file."""

import os

TRUSTED_PACKAGES = ("sklearn", "numpy", "scipy", "collections", "lightgbm", "xgboost")
TRUST_VARIABLE = "SPARKML_OPS_TRUSTED_PACKAGES"
"""Environment variable with further packages, separated by commas, whose classes may be read from a model file."""


def list_trusted_packages() -> tuple[str, ...]:
    """All packages whose classes may be read."""
    return (*TRUSTED_PACKAGES, *list_named_packages())


def list_named_packages() -> tuple[str, ...]:
    """Those that the user has named."""
    named = os.environ.get(TRUST_VARIABLE, "").split(",")
    return tuple(name.strip() for name in named if name.strip())


def adopt_named_packages(named: tuple[str, ...]) -> None:
    """Let a worker of Spark read what the driver, which sends it the model and the code, has read."""
    os.environ[TRUST_VARIABLE] = ",".join(named)
