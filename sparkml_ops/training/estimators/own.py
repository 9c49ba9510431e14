"""Users' own trainers: a class with `fit(features, labels, …)` and `predict(features)`, nothing more.

`fit` may ask by name for what `GIVEN` lists; it is given what it asks for and nothing else.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.models.kinds import own as kind
from sparkml_ops.models.kinds.trust import TRUST_VARIABLE, list_named_packages
from sparkml_ops.training.estimators._base import FitSettings, TrialFit
from sparkml_ops.training.estimators.figures import keep_known, measure_answers, require_learnable, type_labels
from sparkml_ops.training.estimators.named import find_named, list_required, refuse_unknown
from sparkml_ops.training.matrix import Part, map_matrix
from sparkml_ops.training.weights import weigh_part

KIND = "own"
IN_TRIALS = ("valid_features", "valid_labels")
GIVEN = ("sample_weight", *IN_TRIALS, "categorical_positions", "seed", "rounds", "classes")
FOUND_ROUNDS = "rounds_"
"""Attribute in which a trial's trainer leaves how many rounds were best; the last fit, which has no tuning rows, is given them."""
PROVEN_ROWS = 100  # that a stored trainer must answer as before; a lost weight shows in a few


def is_own(estimator: str) -> bool:
    """Whether it names a class that can be fitted and keeps to no interface of scikit-learn's."""
    try:
        found = find_named(estimator)
    except ConfigError:
        return False  # told by who checks the parameters
    theirs = hasattr(found, "predict_proba") or hasattr(found, "get_params")
    return inspect.isclass(found) and hasattr(found, "fit") and not theirs


def check_params(estimator: str, names: Sequence[str], *, task: str = "binary") -> None:
    """Refuse a class that lacks something, asks for what is not given, or could not be read back.

    Raises:
        ConfigError: Says what, with the nearest known parameter.
    """
    found = find_named(estimator)
    package = found.__module__.split(".")[0]
    if package not in list_named_packages():
        raise ConfigError(
            f"Models of the package {package!r} would not be read back: it is not trusted. If it is yours, name it in "
            f"the environment variable {TRUST_VARIABLE}, here and where the model is used."
        )
    _check_methods(estimator, found, task)
    _check_fit(estimator, list(inspect.signature(found.fit).parameters.values())[1:])
    parameters = inspect.signature(found).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        refuse_unknown(estimator, names, list(parameters))
    missing = [name for name in list_required(found) if name not in names]
    if missing:
        raise ConfigError(
            f"model.estimator: {estimator} needs the parameters {', '.join(missing)}: give them in model.params."
        )


def check_wishes(model: Model, names: Sequence[str]) -> None:  # noqa: ARG001
    """Refuse weights where `fit` does not ask for them, and directions, which nobody could answer for.

    Raises:
        ConfigError: Says which wish.
    """
    asked = inspect.signature(find_named(model.estimator).fit).parameters
    weighed = [key for key in ("class_weight", "sample_weight") if getattr(model, key) is not None]
    if weighed and "sample_weight" not in asked:
        raise ConfigError(
            f"model.{weighed[0]}: {model.estimator} takes no weights of rows: its fit has no argument sample_weight. Add it, "
            "or leave the weights out."
        )
    if model.monotone:
        raise ConfigError(
            f"model.monotone: whether {model.estimator} keeps a direction is its own affair. Take model.monotone out, or "
            "another estimator, such as lightgbm."
        )


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Fit on the training rows, and judge by what is read back once it is stored: a loss on that way shows at once."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    matrix = map_matrix(folder)
    require_learnable(matrix.valid.labels, "to tune on", task=settings.task)
    with threadpool_limits(limits=1):
        fitted = _fit(matrix.train, settings, valid=matrix.valid)
        features = np.asarray(matrix.valid.features)
        answers = kind.predict_values(fitted, features, task=settings.task)
        _require_kept(fitted, features[:PROVEN_ROWS], answers[:PROVEN_ROWS], task=settings.task)
    _require_all_classes(fitted, answers, settings.classes)
    metrics = measure_answers(matrix.valid.labels, answers, task=settings.task)
    return TrialFit(metrics=metrics, rounds=_read_rounds(fitted))


def fit_final(rows: Part, settings: FitSettings, rounds: int) -> Any:
    """Fit on all given rows, with the rounds that a trial left; there are none to tune on."""
    return _fit(rows, settings, valid=None, rounds=rounds or None)


def weigh_columns(fitted: Any, names: Sequence[str]) -> dict[str, float]:  # noqa: ARG001
    """Not known in general."""
    return {}


def _read_rounds(fitted: Any) -> int:
    """0 where a trainer has none.

    Raises:
        TrainingError: What it left is no number of rounds, or its fit does not ask for it.
    """
    found = getattr(fitted, FOUND_ROUNDS, None)
    if found is None:
        return 0
    name = kind.name_class(type(fitted))
    if isinstance(found, bool) or not isinstance(found, int | np.integer) or found < 1:
        raise TrainingError(f"{name} left {FOUND_ROUNDS} = {found!r}; expected a whole number from 1 on.")
    if "rounds" not in inspect.signature(type(fitted).fit).parameters:
        raise TrainingError(
            f"{name} left {FOUND_ROUNDS} = {found}, but its fit does not ask for rounds: the last fit would not heed them. "
            "Add the argument rounds=None."
        )
    return int(found)


def _fit(rows: Part, settings: FitSettings, *, valid: Part | None, rounds: int | None = None) -> Any:
    rows = keep_known(rows, settings.classes)
    valid = None if valid is None else keep_known(valid, settings.classes)
    require_learnable(rows.labels, "to fit on", task=settings.task)
    found = find_named(settings.estimator)
    asked = inspect.signature(found.fit).parameters
    offered = _offer(weigh_part(rows, settings.class_weight), settings, valid) | {"rounds": rounds}
    try:
        trainer = found(**settings.params)
        trainer.fit(
            np.asarray(rows.features),
            type_labels(rows.labels, settings.task),
            **{name: value for name, value in offered.items() if name in asked},
        )
    except MemoryError:
        raise
    except Exception as error:
        raise TrainingError(
            f"{settings.estimator} could not be fitted: {kind.tell_failure(error)}. The class is yours: `sparkml-ops --debug …` "
            "shows where it failed."
        ) from error
    return trainer


def _offer(rows: Part, settings: FitSettings, valid: Part | None) -> dict[str, Any]:
    given: dict[str, Any] = {
        "sample_weight": rows.weights,
        "categorical_positions": list(settings.categorical_positions),
        "seed": settings.seed,
        "classes": list(settings.classes),
    }
    if valid is None:
        return given
    return given | {
        "valid_features": np.asarray(valid.features),
        "valid_labels": type_labels(valid.labels, settings.task),
    }


def _require_kept(fitted: Any, features: Any, answers: Any, *, task: str) -> None:
    if not np.array_equal(kind.predict_values(kind.copy_estimator(fitted), features, task=task), answers):
        raise TrainingError(
            f"{kind.name_class(type(fitted))} answers otherwise once it is stored and read back: what `save` gives, or its "
            "attributes, must hold all that `predict` needs, and `predict` must draw nothing."
        )


def _require_all_classes(fitted: Any, answers: Any, classes: Sequence[str]) -> None:
    if classes and answers.shape[1] != len(classes):
        raise TrainingError(
            f"{kind.name_class(type(fitted))}.predict answered {answers.shape[1]} probabilities a row; expected {len(classes)}, in the order "
            f"of the classes: {', '.join(classes[:5])}{' …' if len(classes) > 5 else ''}."  # noqa: PLR2004  # as many examples as elsewhere
        )


def _check_methods(estimator: str, found: Any, task: str) -> None:
    if not callable(getattr(found, "predict", None)):
        answers = "numbers" if task == "regression" else "probabilities"
        raise ConfigError(f"model.estimator: {estimator} has no predict(self, features), which gives the {answers}.")
    kept = [name for name in ("save", "load") if hasattr(found, name)]
    if len(kept) == 1:
        raise ConfigError(
            f"model.estimator: {estimator} has {kept[0]} alone; expected both, save(self) -> bytes and a classmethod "
            "load(cls, content), or neither."
        )
    if kept and not isinstance(inspect.getattr_static(found, "load"), classmethod | staticmethod):
        raise ConfigError(f"model.estimator: {estimator}.load must be a classmethod that takes the bytes of save.")


def _check_fit(estimator: str, arguments: list[inspect.Parameter]) -> None:
    """The two that are given by position, then those that are asked for by name."""
    by_name = [one for one in arguments[2:] if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if len(arguments) < 2 or any(one.kind is one.KEYWORD_ONLY for one in arguments[:2]):  # noqa: PLR2004
        raise ConfigError(
            f"model.estimator: {estimator}.fit must take features and labels: fit(self, features, labels, …)."
        )
    unknown = [one.name for one in by_name if one.default is one.empty and one.name not in GIVEN]
    if unknown:
        raise ConfigError(
            f"model.estimator: {estimator}.fit asks for {', '.join(unknown)}, which is not given; it may ask for "
            f"{', '.join(GIVEN)}, by these names."
        )
    bare = [one.name for one in by_name if one.default is one.empty and one.name in IN_TRIALS]
    if bare:
        raise ConfigError(
            f"model.estimator: {estimator}.fit asks for {', '.join(bare)} without a default. The final fit has no rows to "
            f"tune on: write {bare[0]}=None."
        )
