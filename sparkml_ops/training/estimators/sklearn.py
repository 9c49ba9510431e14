"""scikit-learn classifiers, regressors, pipelines, and whatever keeps to their interface."""

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.models.class_arrays import widen_answers
from sparkml_ops.models.kinds import sklearn as kind
from sparkml_ops.models.kinds.trust import TRUST_VARIABLE
from sparkml_ops.training.estimators._base import FitSettings, JudgedFit, TrialFit
from sparkml_ops.training.estimators.figures import keep_known, measure_answers, require_learnable, type_labels
from sparkml_ops.training.estimators.named import (
    find_named,
    list_known,
    list_required,
    make_estimator,
    refuse_unknown,
)
from sparkml_ops.training.estimators.preparation import (
    fill_empty,
    prepare_columns,
    spread_directions,
    takes_matrix,
    takes_sparse,
    tell_levels,
)
from sparkml_ops.training.matrix import Matrix, Part, map_matrix
from sparkml_ops.training.weights import weigh_part

KIND = "sklearn"
DIRECTIONS = "monotonic_cst"
OF_CLASSES = ("class_weight", "scale_pos_weight", "is_unbalance")
CAN_HEED_DIRECTIONS = (
    "lightgbm",
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.ensemble.ExtraTreesClassifier",
    "sklearn.tree.DecisionTreeClassifier",
)
"""Of each of them scikit-learn has a regressor too, named so."""


def check_params(estimator: str, names: Sequence[str], *, task: str = "binary") -> None:
    """Refuse what cannot be had, does not answer the task, or makes models that could not be read back.

    Raises:
        ConfigError: Says which, with the nearest known parameter.
    """
    found = find_named(estimator)
    if inspect.isclass(found):
        require_trusted([f"{found.__module__}.{found.__qualname__}"])
        require_answers(estimator, found, task=task)
    refuse_unknown(estimator, names, list_known(estimator))
    if not inspect.isclass(found) or not list_required(found):
        _require_storable(estimator, make_estimator(estimator, {}))


def check_wishes(model: Model, names: Sequence[str]) -> None:
    """Refuse wishes that cannot be heeded, and parameters that say the same a second time.

    Raises:
        ConfigError: Says which wish, and who could heed it.
    """
    made = make_estimator(model.estimator, model.params)
    if set(names) <= set(model.params):
        require_answers(model.estimator, made, task=model.task, given=" with these parameters")
    weighed = [key for key in ("class_weight", "sample_weight") if getattr(model, key) is not None]
    if weighed and name_weights(made) is None:
        raise ConfigError(
            f"model.{weighed[0]}: {model.estimator} takes no weights of rows: its fit has no argument sample_weight. Take "
            "another estimator, such as lightgbm, or leave the weights out."
        )
    if model.monotone and not _has_parameter(made, DIRECTIONS):
        raise ConfigError(
            f"model.monotone: {model.estimator} cannot keep a direction: it has no parameter {DIRECTIONS}. These can: "
            f"{', '.join(_name_of_task(one, model.task) for one in CAN_HEED_DIRECTIONS)}."
        )
    second = {"class_weight": OF_CLASSES, "monotone": (DIRECTIONS,)}
    for key, twice in second.items():
        for name in names:
            if getattr(model, key) and name.rpartition("__")[2] in twice:
                raise ConfigError(
                    f"{model.estimator}: the parameter {name!r} would say a second time what model.{key} says: keep one of "
                    "the two."
                )


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Fit on the weighted training rows, judge on the tuning rows, each of which counts once."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    find_named(
        settings.estimator
    )  # that it is not on this worker is to be told first, and not after the rows were mapped
    matrix, task = _load_matrix(folder), settings.task
    require_learnable(matrix.valid.labels, "to tune on", task=task)
    with threadpool_limits(limits=1):
        fitted = fit_final(matrix.train, settings, 0)
        answers = kind.predict_values(fitted, np.asarray(matrix.valid.features), task=task)
    answers = widen_answers(answers, len(settings.classes))
    return TrialFit(metrics=measure_answers(matrix.valid.labels, answers, task=task), rounds=0)


def fit_final(rows: Part, settings: FitSettings, rounds: int) -> Any:  # noqa: ARG001  # it has no rounds
    """Fit on the matrix as it is where the estimator handles that, else a pipeline with our preparation before it.

    Raises:
        TrainingError: There is one label only, or the estimator refuses the rows or its parameters.
    """
    rows = keep_known(rows, settings.classes)
    require_learnable(rows.labels, "to fit on", task=settings.task)
    positions, features = list(settings.categorical_positions), np.asarray(rows.features)
    made = make_estimator(settings.estimator, settings.params, positions=positions, seed=settings.seed)
    weights = weigh_part(rows, settings.class_weight).weights
    weighed = {} if weights is None else {str(name_weights(made)): weights}
    labels = type_labels(rows.labels, settings.task)
    try:
        if not takes_matrix(settings.estimator, made):
            return _fit_prepared(made, rows, settings, weighed)
        if inspect.isclass(find_named(settings.estimator)):
            weighed |= tell_levels(made, positions, features.shape[1], settings.params)
            features = fill_empty(features)
        if any(settings.directions):
            made.set_params(**{DIRECTIONS: list(settings.directions)})
        return made.fit(features, labels, **weighed)
    except ValueError as error:
        said = " ".join(str(error).split())[:500]
        raise TrainingError(f"{settings.estimator} could not be fitted: {said}") from error


def fit_judged(train: Part, valid: Part, settings: FitSettings, rounds: int) -> JudgedFit:
    """Fit on some rows, and answer others."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        fitted = fit_final(train, settings, rounds)
        return JudgedFit(kind.predict_values(fitted, np.asarray(valid.features), task=settings.task), rounds)


def weigh_columns(fitted: Any, names: Sequence[str]) -> dict[str, float]:  # noqa: ARG001
    """Not known in general."""
    return {}


def name_weights(made: Any) -> str | None:
    """The argument of `fit` for weights of rows: a pipeline passes them on to its last step; None where there is none."""
    prefix = ""
    while getattr(made, "steps", None):
        name, made = made.steps[-1]
        prefix += f"{name}__"
    fit = getattr(made, "fit", None)
    has_weights = fit is not None and "sample_weight" in inspect.signature(fit).parameters
    return f"{prefix}sample_weight" if has_weights else None


def require_trusted(types: Sequence[str]) -> None:
    """Refuse types of packages that no model would be read back with.

    Raises:
        ConfigError: Says which variable to name the package in.
    """
    refused = kind.list_refused(types)
    if refused:
        raise ConfigError(
            f"Models of the package {refused[0].split('.')[0]!r} would not be read back: it is not trusted ({refused[0]}). "
            f"If it is yours, name it in the environment variable {TRUST_VARIABLE}, here and where the model is used."
        )


def require_answers(estimator: str, found: Any, *, task: str, given: str = "") -> None:
    """Refuse an estimator, or its class, that does not answer the task.

    Raises:
        ConfigError: Says what it lacks.
    """
    is_classifier = callable(getattr(found, "predict_proba", None))
    if task != "regression" and not is_classifier:
        raise ConfigError(f"model.estimator: {estimator} has no predict_proba{given}, so it gives no probabilities.")
    if task != "regression":
        return
    if is_classifier or _is_classifier(found):
        raise ConfigError(
            f"model.estimator: {estimator} is a classifier, and model.task is regression: take a regressor, such as "
            "sklearn.ensemble.HistGradientBoostingRegressor, or lightgbm."
        )
    if not callable(getattr(found, "predict", None)):
        raise ConfigError(f"model.estimator: {estimator} has no predict{given}, so it gives no numbers.")


def _require_storable(estimator: str, made: Any) -> None:
    import skops.io

    try:
        content = kind.dump_estimator(made)
        require_trusted(skops.io.get_untrusted_types(data=content))
        kind.load_estimator(content)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"model.estimator: {estimator} cannot be stored without running code, and so not be read back: "
            f"{type(error).__name__}: {error}. Steps must be classes, and functions with names of their own, not lambdas."
        ) from error


def _fit_prepared(made: Any, rows: Part, settings: FitSettings, weighed: dict[str, Any]) -> Any:
    from sklearn.pipeline import make_pipeline

    positions = settings.categorical_positions
    preparation = prepare_columns(rows.features.shape[1], positions, sparse=takes_sparse(made))
    prepared = preparation.fit_transform(rows.features)
    if any(settings.directions):
        made.set_params(**{DIRECTIONS: spread_directions(preparation, settings.directions, positions)})
    made.fit(prepared, type_labels(rows.labels, settings.task), **weighed)
    return make_pipeline(preparation, made)


def _is_classifier(found: Any) -> bool:
    """Also of those without `predict_proba`, which would answer with the label of a class."""
    from sklearn.base import ClassifierMixin

    return issubclass(found, ClassifierMixin) if inspect.isclass(found) else isinstance(found, ClassifierMixin)


def _name_of_task(name: str, task: str) -> str:
    return name.replace("Classifier", "Regressor") if task == "regression" else name


def _has_parameter(made: Any, name: str) -> bool:
    return hasattr(made, "get_params") and name in made.get_params(deep=False)


@lru_cache(maxsize=1)
def _load_matrix(folder: str) -> Matrix:
    """The rows, kept by the Python worker from trial to trial."""
    return map_matrix(folder)
