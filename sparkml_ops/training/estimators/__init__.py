"""Estimators that can be trained: one file each, all with the functions of `_base.Estimator`."""

from sparkml_ops.training.estimators import lightgbm, mllib, own, sklearn, xgboost_spark
from sparkml_ops.training.estimators._base import (
    ClusterEstimator,
    Estimator,
    FitSettings,
    JudgedFit,
    TrialFit,
    find_loss,
)

__all__ = [
    "ClusterEstimator",
    "Estimator",
    "FitSettings",
    "JudgedFit",
    "TrialFit",
    "find_cluster_estimator",
    "find_estimator",
    "find_loss",
]


def find_estimator(name: str) -> Estimator:
    """The functions that train what `model.estimator` names.

    LightGBM, what the whole cluster trains, a user's own trainer, or what keeps to scikit-learn's interface.
    """
    if name == "lightgbm":
        return lightgbm
    return find_cluster_estimator(name) or _find_local(name)


def find_cluster_estimator(name: str) -> ClusterEstimator | None:
    """Those functions where each fit is work of the whole cluster; None where a fit is a task of one process."""
    if xgboost_spark.is_xgboost_spark(name):
        return xgboost_spark
    return mllib if mllib.is_mllib(name) else None


def _find_local(name: str) -> Estimator:
    return own if own.is_own(name) else sklearn
