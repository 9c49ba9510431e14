"""XGBoost on Spark: boosted by tasks that work together on the rows where they lie, kept as `xgboost.XGBClassifier` or `XGBRegressor`."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.training.estimators._base import FitSettings, TrialFit
from sparkml_ops.training.estimators.figures import keep_known, require_learnable
from sparkml_ops.training.estimators.named import find_named, list_known, refuse_unknown
from sparkml_ops.training.estimators.stored import (
    ROW_WEIGHT,
    StoredRows,
    find_session,
    measure_stored,
    open_stored,
    store_part,
    tell_failures,
)
from sparkml_ops.training.estimators.wishes import check_cluster_wishes, refuse_ours, refuse_task
from sparkml_ops.training.mapped_files import IS_VALID, LABEL
from sparkml_ops.training.matrix import Part

KIND = "sklearn"
MODULE = "xgboost.spark"
_CLASSIFIER, _REGRESSOR = "SparkXGBClassifier", "SparkXGBRegressor"
SUPPORTED = {
    "binary": (f"{MODULE}.{_CLASSIFIER}",),
    "regression": (f"{MODULE}.{_REGRESSOR}",),
    "multiclass": (f"{MODULE}.{_CLASSIFIER}",),
}
PLAIN = {task: names[0].replace(f"{MODULE}.Spark", "xgboost.") for task, names in SUPPORTED.items()}
STOPS = {"rmse": "rmse", "mae": "mae", "r2": "rmse"}
"""What boosting is stopped by, by the metric that is optimised: r2 rises as rmse falls. All others are stopped by the log loss, since ranks
settle before probabilities do."""
MAX_ROUNDS = 2000  # as for LightGBM: early stopping ends nearly every fit long before
WORKERS, ROUNDS = "num_workers", "n_estimators"
OF_SPARK = (WORKERS, "launch_tracker_on_driver")
OURS = frozenset({
    "objective", "eval_metric", "early_stopping_rounds", "random_state", "n_jobs", "feature_types", "enable_categorical",
    "monotone_constraints", "missing", "callbacks", "feature_weights", "importance_type",
})  # fmt: skip
OF_CLASSES = "scale_pos_weight"
TWO = 2  # classes: of more, XGBoost has another objective
_LACKING = {"binary": "no probabilities of two classes", "regression": "no numbers that are learned by their error"}
_WHY_NOT = {
    "regression": "weighs classes, and a regression has none: take it out",
    "multiclass": "weighs one of two classes, and there are more: take model.class_weight: balanced, or model.sample_weight",
}
_LOGGER = "XGBoost-PySpark"


def is_xgboost_spark(estimator: str) -> bool:
    """Whether something of `xgboost.spark` is named."""
    return estimator.replace(":", ".").startswith(f"{MODULE}.")


def check_params(estimator: str, names: Sequence[str], *, task: str = "binary") -> None:
    """Refuse what is no classifier, and parameters that XGBoost does not have or that are ours to set.

    Raises:
        ConfigError: Says which, with the nearest known name; or that the extra is missing.
    """
    find_named(estimator)
    refuse_task(estimator, task, SUPPORTED)
    if estimator.replace(":", ".") not in SUPPORTED[task]:
        lacking = _LACKING.get(task, "no probabilities of several classes")
        raise ConfigError(
            f"model.estimator: {estimator} is not supported: it gives {lacking}. Take {SUPPORTED[task][0]}."
        )
    refuse_ours(estimator, names, OURS)
    if task in _WHY_NOT and OF_CLASSES in names:
        raise ConfigError(f"{estimator}: the parameter {OF_CLASSES!r} {_WHY_NOT[task]}.")
    refuse_unknown(estimator, names, [*(name for name in list_known(PLAIN[task]) if name not in OURS), *OF_SPARK])


def check_wishes(model: Model, names: Sequence[str]) -> None:
    """Refuse a parameter that would weigh the classes a second time, a limit of memory, and counts that are none.

    Raises:
        ConfigError: Names it, and which of the two to take.
    """
    check_cluster_wishes(model)
    if model.class_weight is not None and OF_CLASSES in names:
        raise ConfigError(
            f"{model.estimator}: the parameter {OF_CLASSES!r} would say a second time what model.class_weight says: keep one "
            "of the two."
        )
    for name in (WORKERS, ROUNDS):
        found = model.params.get(name, 1)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise ConfigError(f"model.params.{name}: found {found!r}; expected a whole number, 1 or above.")


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Boost until the log loss of the tuning rows, or their error, falls no more; the metrics are those of that round."""
    measured = {"validation_indicator_col": IS_VALID, "early_stopping_rounds": settings.early_stopping_rounds}
    rounds = settings.params.get(ROUNDS, MAX_ROUNDS)
    with tell_failures(settings.estimator):
        every, _, valid = open_stored(folder, task=settings.task, classes=len(settings.classes))
        valid.require_learnable("to tune on")
        fitted = _fit(every, settings, {**measured, "eval_metric": _name_stop(settings), ROUNDS: rounds})
        return TrialFit(metrics=measure_stored(valid, KIND, fitted), rounds=int(fitted.best_iteration) + 1)


def fit_stored(folder: str, settings: FitSettings, rounds: int, *, with_valid: bool) -> Any:
    """Boost for as many rounds as given, on the rows of a matrix folder with or without those to tune on."""
    every, train, _ = open_stored(folder, task=settings.task, classes=len(settings.classes))
    return _fit(every if with_valid else train, settings, {ROUNDS: rounds})


def fit_final(rows: Part, settings: FitSettings, rounds: int) -> Any:
    """Boost for as many rounds as given, on a few rows of the driver."""
    known, task, classes = keep_known(rows, settings.classes), settings.task, len(settings.classes)
    require_learnable(known.labels, "to fit on", task=task)
    return _fit(store_part(_add_absent(known, classes), task=task, classes=classes), settings, {ROUNDS: rounds})


def _add_absent(rows: Part, classes: int) -> Part:
    """With a row of no weight for each class that a sample has no row of: XGBoost takes as many classes as there are different labels."""
    absent = np.setdiff1d(np.arange(classes), rows.labels)
    if not len(absent):
        return rows
    features = np.vstack([rows.features, np.full((len(absent), rows.features.shape[1]), np.nan)])
    weights = np.ones(len(rows.labels)) if rows.weights is None else rows.weights
    return Part(features, np.append(rows.labels, absent), np.append(weights, np.zeros(len(absent))))


def weigh_columns(fitted: Any, names: Sequence[str]) -> dict[str, float]:
    """Share of all splits' gain."""
    gains = fitted.get_booster().get_score(importance_type="total_gain")
    total = float(sum(gains.values())) or 1.0
    shares = {name: float(gains.get(f"x{at}", 0.0)) / total for at, name in enumerate(names)}
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def _name_stop(settings: FitSettings) -> str:
    stop = STOPS.get(settings.metric, "logloss")
    return f"m{stop}" if len(settings.classes) > TWO else stop


def _fit(rows: StoredRows, settings: FitSettings, asked: Mapping[str, Any]) -> Any:
    rows = rows.keep_known()
    weighed = rows.weigh(settings.class_weight, tuned="early_stopping_rounds" in asked)
    given = {
        "verbosity": 0,
        **settings.params,
        **asked,
        "features_col": rows.names,
        "label_col": LABEL,
        "random_state": settings.seed,
        "feature_types": ["c" if at in set(settings.categorical_positions) else "q" for at in range(rows.width)],
        WORKERS: _count_workers(rows, settings.params.get(WORKERS)),
        **({} if weighed is rows else {"weight_col": ROW_WEIGHT}),
        **({"monotone_constraints": tuple(settings.directions)} if any(settings.directions) else {}),
    }
    with tell_failures(settings.estimator):
        _quiet_log()
        model = find_named(settings.estimator)(**given, verbose=False).fit(weighed.deal(given[WORKERS]))
        return _detach(model)


def _detach(model: Any) -> Any:
    """The classifier or regressor that Spark's model asks; on a worker that scores it has one thread, as all others."""
    fitted = model._xgb_sklearn_model  # noqa: SLF001  # there is no other way to it but through a file
    return fitted.set_params(n_jobs=1)


def _count_workers(rows: StoredRows, asked: int | None) -> int:
    """As many as the rows are worth and the cluster has room for, unless it is said.

    Raises:
        TrainingError: More are asked for than tasks can run at a time: XGBoost needs all of them at once, and would wait for ever.
    """
    slots = int(find_session().sparkContext.defaultParallelism)
    if asked is not None and not 1 <= asked <= slots:
        raise TrainingError(
            f"{MODULE}: {WORKERS} is {asked}; expected 1 to {slots}, which is how many tasks this Spark runs at a time."
        )
    return asked or min(rows.count_partitions(), slots)


def _quiet_log() -> None:
    """XGBoost tells each fit at length where nobody has said how loud it may be."""
    logger = logging.getLogger(_LOGGER)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
