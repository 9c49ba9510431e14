"""Estimators that can be trained: one file each, all with the functions of `_base.Estimator`."""

from sparkml_ops.training.estimators import lightgbm, sklearn
from sparkml_ops.training.estimators._base import Estimator, FitSettings, TrialFit, find_loss

__all__ = ["Estimator", "FitSettings", "TrialFit", "find_estimator", "find_loss"]


def find_estimator(name: str) -> Estimator:
    """The functions that train what `model.estimator` names: `lightgbm`, or a class by its dotted path."""
    return lightgbm if name == "lightgbm" else sklearn
