"""Spark MLlib's classifiers and regressors: fitted by the whole cluster on the rows where they lie, kept as NumPy arrays."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError
from sparkml_ops.models.kinds.mllib import MllibModel, TreeModel
from sparkml_ops.training.estimators._base import FitSettings, TrialFit
from sparkml_ops.training.estimators.figures import keep_known
from sparkml_ops.training.estimators.mllib_nodes import convert_line, convert_trees
from sparkml_ops.training.estimators.mllib_rows import FEATURES, learn_filling, make_codes, make_spread
from sparkml_ops.training.estimators.named import refuse_unknown
from sparkml_ops.training.estimators.stored import (
    ROW_WEIGHT,
    StoredRows,
    measure_stored,
    open_stored,
    store_part,
    tell_failures,
)
from sparkml_ops.training.estimators.wishes import check_cluster_wishes, refuse_ours, refuse_task
from sparkml_ops.training.mapped_files import LABEL
from sparkml_ops.training.matrix import Part

KIND = "mllib"
_CLASSIFIERS = ("LogisticRegression", "DecisionTreeClassifier", "RandomForestClassifier")
SUPPORTED = {
    "binary": tuple(f"pyspark.ml.classification.{name}" for name in (*_CLASSIFIERS, "GBTClassifier")),
    "multiclass": tuple(f"pyspark.ml.classification.{name}" for name in _CLASSIFIERS),
    "regression": tuple(
        f"pyspark.ml.regression.{name}"
        for name in ("LinearRegression", "DecisionTreeRegressor", "RandomForestRegressor", "GBTRegressor")
    ),
}
"""By task; the first is a line, the others are trees."""
LINES = tuple(names[0] for names in SUPPORTED.values())
OURS = frozenset({
    "featuresCol", "labelCol", "predictionCol", "probabilityCol", "rawPredictionCol", "weightCol", "leafCol",
    "validationIndicatorCol", "seed", "family", "threshold", "thresholds", "lowerBoundsOnCoefficients",
    "upperBoundsOnCoefficients", "lowerBoundsOnIntercepts", "upperBoundsOnIntercepts",
})  # fmt: skip
"""Parameters that the framework sets or that no YAML can write; classes are chosen by the operating point of a version, not by a threshold."""
MOST_BINS = "maxBins"


def is_mllib(estimator: str) -> bool:
    """Whether a class of pyspark is named."""
    return estimator.replace(":", ".").split(".")[0] == "pyspark"


def check_params(estimator: str, names: Sequence[str], *, task: str = "binary") -> None:
    """Refuse classes that are not supported, and parameters that they do not have or that are ours to set.

    Raises:
        ConfigError: Says which, with what is supported or the nearest known name.
    """
    refuse_task(estimator, task, SUPPORTED)
    found = _find_class(estimator, task=task)
    known = [name for name in inspect.signature(found).parameters if name not in OURS]
    refuse_ours(estimator, names, OURS & set(inspect.signature(found).parameters))
    refuse_unknown(estimator, names, known)


def check_wishes(model: Model, names: Sequence[str]) -> None:  # noqa: ARG001  # no parameter of MLlib's weighs classes
    """Refuse directions, which MLlib does not know, a limit of memory, and values of the wrong type.

    Raises:
        ConfigError: Says which wish, and who could heed it.
    """
    check_cluster_wishes(model)
    if model.monotone:
        of_task = "Regressor" if model.task == "regression" else "Classifier"
        raise ConfigError(
            f"model.monotone: {model.estimator} cannot keep a direction. These can: lightgbm, "
            f"xgboost.spark.SparkXGB{of_task}, sklearn.ensemble.HistGradientBoosting{of_task}."
        )
    found = _find_class(model.estimator, task=model.task)
    for name, value in model.params.items():
        try:
            getattr(found, name).typeConverter(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"model.params.{name}: {model.estimator} does not take {value!r}: {error}") from error


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Fit on the weighted training rows, judge on the tuning rows; both on Spark."""
    with tell_failures(settings.estimator):
        _, train, valid = open_stored(folder, task=settings.task, classes=len(settings.classes))
        valid.require_learnable("to tune on")
        fitted = _fit(train, settings)
        return TrialFit(metrics=measure_stored(valid, KIND, fitted), rounds=0)


def fit_stored(folder: str, settings: FitSettings, rounds: int, *, with_valid: bool) -> MllibModel:  # noqa: ARG001
    """Fit on the rows of a matrix folder, with or without those to tune on."""
    every, train, _ = open_stored(folder, task=settings.task, classes=len(settings.classes))
    return _fit(every if with_valid else train, settings)


def fit_final(rows: Part, settings: FitSettings, rounds: int) -> MllibModel:  # noqa: ARG001
    """Fit on a few rows of the driver."""
    known, task, classes = keep_known(rows, settings.classes), settings.task, len(settings.classes)
    return _fit(store_part(known, task=task, classes=classes), settings)


def weigh_columns(fitted: MllibModel, names: Sequence[str]) -> dict[str, float]:
    """Share of all splits' gain; nothing of a line."""
    if not isinstance(fitted, TreeModel):
        return {}
    shares = zip(names, fitted.forest.share_gains(len(names)), strict=True)
    return {name: float(share) for name, share in sorted(shares, key=lambda pair: (-pair[1], pair[0]))}


def _fit(rows: StoredRows, settings: FitSettings) -> MllibModel:
    with tell_failures(settings.estimator):
        rows = rows.keep_known()
        weighed = rows.weigh(settings.class_weight)
        filling, is_line = learn_filling(rows, settings.categorical_positions), _name_class(settings.estimator) in LINES
        most = max(2, int(filling.levels.max(initial=-1)) + 1)
        made = _make(settings, is_weighed=weighed is not rows, most_levels=most)
        vectors = (make_spread if is_line else make_codes)(weighed, filling).persist()
        try:
            fitted = made.fit(vectors)
            return convert_line(fitted, filling) if is_line else convert_trees(fitted, filling)
        finally:
            vectors.unpersist()


def _make(settings: FitSettings, *, is_weighed: bool, most_levels: int) -> Any:
    found = _find_class(settings.estimator, task=settings.task)
    known = inspect.signature(found).parameters
    ours: Mapping[str, Any] = {
        "featuresCol": FEATURES,
        "labelCol": LABEL,
        "seed": settings.seed,
        "weightCol": ROW_WEIGHT if is_weighed else None,
        "family": "multinomial" if settings.task == "multiclass" else "binomial",
        MOST_BINS: max(32, most_levels),  # MLlib's own default, unless some column has more levels
    }
    kept = {name: value for name, value in ours.items() if name in known and value is not None}
    return found(**{**kept, **settings.params})


def _find_class(estimator: str, *, task: str) -> Any:
    asked = _name_class(estimator)
    module, _, name = asked.rpartition(".")
    if asked in SUPPORTED[task]:
        return getattr(importlib.import_module(module), name)
    why = " It gives no probabilities." if name == "LinearSVC" else ""
    listed = ", ".join(SUPPORTED[task])
    raise ConfigError(f"model.estimator: {estimator} is not supported.{why} Of Spark MLlib these are: {listed}.")


def _name_class(estimator: str) -> str:
    return estimator.replace(":", ".")
