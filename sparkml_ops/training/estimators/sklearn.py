"""scikit-learn classifiers and whatever keeps to their interface, behind a pipeline that prepares the matrix."""

import difflib
import importlib
import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from sparkml_ops.errors import ConfigError
from sparkml_ops.models.kinds.sklearn import TRUST_VARIABLE, list_trusted_packages
from sparkml_ops.training.estimators._base import FitSettings, TrialFit
from sparkml_ops.training.matrix import Matrix, Part, map_matrix

KIND = "sklearn"


def check_params(estimator: str, names: Sequence[str]) -> None:
    """Refuse a class that cannot be had, that gives no probabilities, or whose models could not be read back.

    Raises:
        ConfigError: Says which, with the nearest known parameter.
    """
    package = estimator.split(".", 1)[0]
    if package not in list_trusted_packages():
        raise ConfigError(
            f"Models of the package {package!r} would not be read back: it is not trusted. If it is yours, name it in "
            f"the environment variable {TRUST_VARIABLE}, here and where the model is used."
        )
    known = inspect.signature(_find_class(estimator)).parameters
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"{estimator} has no parameter {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Fit on the training rows, judge on the tuning rows."""
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    matrix = _load_matrix(folder)
    with threadpool_limits(limits=1):
        fitted = fit_final(matrix.train, settings, 0)
        probabilities = fitted.predict_proba(matrix.valid.features)[:, 1]
    judges = {"roc_auc": roc_auc_score, "pr_auc": average_precision_score, "log_loss": log_loss}
    labels = matrix.valid.labels
    return TrialFit(metrics={name: float(judge(labels, probabilities)) for name, judge in judges.items()}, rounds=0)


def fit_final(rows: Part, settings: FitSettings, rounds: int) -> Any:  # noqa: ARG001  # it has no rounds
    """Fit a pipeline: missing values filled, numbers scaled, levels one column each, then the classifier."""
    from sklearn.pipeline import make_pipeline

    found = _find_class(settings.estimator)
    seed = {"random_state": settings.seed} if "random_state" in inspect.signature(found).parameters else {}
    pipeline = make_pipeline(
        prepare_columns(rows.features.shape[1], settings.categorical_positions), found(**{**seed, **settings.params})
    )
    return pipeline.fit(rows.features, rows.labels.astype(np.int64))


def weigh_columns(fitted: Any, names: Sequence[str]) -> dict[str, float]:  # noqa: ARG001
    """Not known in general."""
    return {}


def prepare_columns(width: int, categorical: Sequence[int]) -> Any:
    """Median for missing numbers, then zero mean and unit variance; one column per level, and one for missing ones."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [position for position in range(width) if position not in set(categorical)]
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    spread = make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer([("numbers", scaled, numbers), ("levels", spread, list(categorical))])


def _find_class(estimator: str) -> Any:
    module, _, name = estimator.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"model.estimator: {estimator} cannot be imported: {error}") from error
    if not callable(getattr(found, "predict_proba", None)):
        raise ConfigError(f"model.estimator: {estimator} has no predict_proba, so it gives no probabilities.")
    return found


@lru_cache(maxsize=1)
def _load_matrix(folder: str) -> Matrix:
    """The rows, kept by the Python worker from trial to trial."""
    return map_matrix(folder)
