"""Rows in memory, which every estimator of one process finds where it looks for those of a training."""

from dataclasses import replace
from typing import Any

import pytest

from sparkml_ops.training.estimators import FitSettings, lightgbm
from sparkml_ops.training.matrix import Matrix


def lay_rows(monkeypatch: pytest.MonkeyPatch, made: Matrix) -> Matrix:
    lightgbm._load_binned.cache_clear()
    for name in ("lightgbm.map_matrix", "own.map_matrix", "sklearn._load_matrix"):
        monkeypatch.setattr(f"sparkml_ops.training.estimators.{name}", lambda _: made)
    return made


def settle(settings: FitSettings, estimator: str, **others: Any) -> FitSettings:
    """The settings of one estimator; their parameters are LightGBM's."""
    params = settings.params if estimator == "lightgbm" else {}
    return replace(settings, **{"estimator": estimator, "params": params} | others)
