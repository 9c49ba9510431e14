"""What an estimator of scikit-learn's kind is given: the matrix as it is, or prepared.

The matrix as it is has NaN for missing values and codes of levels. It goes to what a function of the user's has made, and to classes
that handle both natively; those are told which columns hold levels. Anything else is given filled, scaled columns, one per level.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.training.estimators.named import find_named

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = "categorical_features"
_SAME_TREES = {"deterministic": True, "force_row_wise": True, "verbosity": -1}
"""Of LightGBM's own classes, unless parameters say otherwise: it would time two ways and take the faster, which need not give the same trees."""


def takes_matrix(estimator: str, made: Any) -> bool:
    """Whether it is given the matrix as it is."""
    is_native = _is_xgboost(made) or _is_lightgbm(made) or _takes_levels(made)
    return not inspect.isclass(find_named(estimator)) or bool(is_native)


def tell_levels(made: Any, positions: Sequence[int], width: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """Tell an estimator that handles levels natively where they are, unless its parameters do.

    Args:
        made: Not fitted.
        positions: Of the columns that hold codes of levels.
        width: Columns of the matrix.
        params: That are set already.

    Returns:
        What its `fit` is to be given beside the rows.
    """
    if _is_lightgbm(made):
        made.set_params(**{name: value for name, value in _SAME_TREES.items() if name not in params})
        return {"categorical_feature": list(positions)} if positions else {}
    if not positions:
        return {}
    if _is_xgboost(made) and not {"feature_types", "enable_categorical"} & set(params):
        types = ["c" if position in set(positions) else "q" for position in range(width)]
        made.set_params(enable_categorical=True, feature_types=types)
    elif _takes_levels(made) and LEVELS not in params:
        made.set_params(**{LEVELS: list(positions)})
    return {}


def fill_empty(features: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The matrix with 0 in the columns that have no value in any row, which scikit-learn's histograms cannot bin.

    A column that is the same in all rows is never split on, so the model answers as if it were not there.
    """
    empty = [at for at in np.flatnonzero(np.isnan(features[0])) if np.isnan(features[:, at]).all()]
    if not empty:
        return features
    filled = features.copy()
    filled[:, empty] = 0.0
    return filled


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
    spread = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore"),
    )
    parts = [("numbers", scaled, numbers), ("levels", spread, list(categorical))]
    return ColumnTransformer(parts, sparse_threshold=0.3 if sparse else 0)


def spread_directions(preparation: Any, directions: Sequence[int], positions: Sequence[int]) -> "NDArray[np.int64]":
    """The directions by the columns that come out of the preparation.

    Numbers come in their order, scaled by a positive factor, which keeps a direction; columns of levels have none.
    """
    width = max(part.stop for part in preparation.output_indices_.values())
    categorical = set(positions)
    numbers = [direction for at, direction in enumerate(directions) if at not in categorical]
    spread = np.zeros(width, dtype=np.int64)
    spread[preparation.output_indices_["numbers"]] = numbers
    return spread


def takes_sparse(classifier: Any) -> bool:
    """Whether it fits sparse matrices; those that keep to sklearn's interface without its tags are taken at their word."""
    from sklearn.utils import get_tags

    return not hasattr(classifier, "__sklearn_tags__") or bool(get_tags(classifier).input_tags.sparse)


def _is_xgboost(made: Any) -> bool:
    return type(made).__module__.startswith("xgboost.") and "feature_types" in made.get_params(deep=False)


def _is_lightgbm(made: Any) -> bool:
    """Its own classes, and what is derived from them: their `fit` takes the positions of columns of levels."""
    is_theirs = any(found.__module__.startswith("lightgbm.") for found in type(made).__mro__)
    return is_theirs and "categorical_feature" in inspect.signature(made.fit).parameters


def _takes_levels(made: Any) -> bool:
    from sklearn.utils import get_tags

    if not hasattr(made, "__sklearn_tags__") or LEVELS not in made.get_params(deep=False):
        return False
    return bool(get_tags(made).input_tags.allow_nan)
