"""Estimators that can be trained: one file each, all with the functions of `_base.Estimator`."""

from sparkml_ops.training.estimators import lightgbm, own, sklearn
from sparkml_ops.training.estimators._base import Estimator, FitSettings, JudgedFit, TrialFit, find_loss

__all__ = ["Estimator", "FitSettings", "JudgedFit", "TrialFit", "find_estimator", "find_loss"]


def find_estimator(name: str) -> Estimator:
    """The functions that train what `model.estimator` names: LightGBM, a user's own trainer, or what keeps to scikit-learn's interface."""
    if name == "lightgbm":
        return lightgbm
    return own if own.is_own(name) else sklearn
