"""scikit-learn classifiers and whatever keeps to their interface, behind a pipeline that prepares the matrix."""

import difflib
import importlib
import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError
from sparkml_ops.models.kinds.sklearn import TRUST_VARIABLE, list_trusted_packages
from sparkml_ops.training.estimators._base import FitSettings, TrialFit
from sparkml_ops.training.matrix import Matrix, Part, map_matrix
from sparkml_ops.training.weights import weigh_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "sklearn"
DIRECTIONS = "monotonic_cst"
CAN_HEED_DIRECTIONS = (
    "lightgbm",
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.ensemble.ExtraTreesClassifier",
    "sklearn.tree.DecisionTreeClassifier",
)


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


def check_wishes(model: Model, names: Sequence[str]) -> None:
    """Refuse wishes that the class cannot heed, and parameters that say the same a second time.

    Raises:
        ConfigError: Says which wish, and who could heed it.
    """
    found = _find_class(model.estimator)
    weighed = [key for key in ("class_weight", "sample_weight") if getattr(model, key) is not None]
    if weighed and "sample_weight" not in inspect.signature(found.fit).parameters:
        raise ConfigError(
            f"model.{weighed[0]}: {model.estimator} takes no weights of rows: its fit has no argument sample_weight. Take "
            "another estimator, such as lightgbm, or leave the weights out."
        )
    if model.monotone and DIRECTIONS not in inspect.signature(found).parameters:
        raise ConfigError(
            f"model.monotone: {model.estimator} cannot keep a direction: it has no parameter {DIRECTIONS}. These can: "
            f"{', '.join(CAN_HEED_DIRECTIONS)}."
        )
    for key, name in (("class_weight", "class_weight"), ("monotone", DIRECTIONS)):
        if getattr(model, key) and name in names:
            raise ConfigError(
                f"{model.estimator}: the parameter {name!r} would say a second time what model.{key} says: keep one of "
                "the two."
            )


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Fit on the weighted training rows, judge on the tuning rows, each of which counts once."""
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
    classifier = found(**{**seed, **settings.params})
    preparation = prepare_columns(
        rows.features.shape[1], settings.categorical_positions, sparse=_takes_sparse(classifier)
    )
    prepared = preparation.fit_transform(rows.features)
    if any(settings.directions):
        classifier.set_params(**{DIRECTIONS: _spread_directions(preparation, settings)})
    weights = weigh_part(rows, settings.class_weight).weights
    weighed = {} if weights is None else {"sample_weight": weights}
    classifier.fit(prepared, rows.labels.astype(np.int64), **weighed)
    return make_pipeline(preparation, classifier)


def weigh_columns(fitted: Any, names: Sequence[str]) -> dict[str, float]:  # noqa: ARG001
    """Not known in general."""
    return {}


def prepare_columns(width: int, categorical: Sequence[int], *, sparse: bool = True) -> Any:
    """Median for missing numbers, then zero mean and unit variance; one column per level, and one for missing ones.

    Args:
        width: Columns of the matrix.
        categorical: Positions of those that hold codes of levels.
        sparse: Whether the prepared matrix may be sparse, as it is where there are many levels.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [position for position in range(width) if position not in set(categorical)]
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    spread = make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), OneHotEncoder(handle_unknown="ignore"))
    parts = [("numbers", scaled, numbers), ("levels", spread, list(categorical))]
    return ColumnTransformer(parts, sparse_threshold=0.3 if sparse else 0)


def _spread_directions(preparation: Any, settings: FitSettings) -> "NDArray[np.int64]":
    """The directions by the columns that come out of the preparation.

    Numbers come in their order, scaled by a positive factor, which keeps a direction; columns of levels have none.
    """
    width = max(part.stop for part in preparation.output_indices_.values())
    categorical = set(settings.categorical_positions)
    numbers = [direction for at, direction in enumerate(settings.directions) if at not in categorical]
    spread = np.zeros(width, dtype=np.int64)
    spread[preparation.output_indices_["numbers"]] = numbers
    return spread


def _takes_sparse(classifier: Any) -> bool:
    """Whether it fits sparse matrices; those that keep to sklearn's interface without its tags are taken at their word."""
    from sklearn.utils import get_tags

    return not hasattr(classifier, "__sklearn_tags__") or bool(get_tags(classifier).input_tags.sparse)


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
