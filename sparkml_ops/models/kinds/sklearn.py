"""scikit-learn estimators and what keeps to their interface, in skops' format: no pickle, named types only."""

import re
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError
from sparkml_ops.models.kinds.trust import TRUST_VARIABLE, list_trusted_packages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_NAME = "model.skops"
TWO = 2  # classes: of more, each has coefficients of its own
TRUSTED_TYPES = ("functools.partial",)
"""Of packages that are not trusted as a whole; the function that is bound is a type of its own, and looked at too."""


def dump_estimator(estimator: Any) -> bytes:
    """The estimator in skops' format."""
    import skops.io

    content: bytes = skops.io.dumps(estimator)
    return content


def load_estimator(content: bytes) -> Any:
    """Read an estimator, if every type in it is from a trusted package.

    Raises:
        ModelError: The file is damaged, or names types of other packages; reading those could run anybody's code.
    """
    import skops.io

    try:
        named = skops.io.get_untrusted_types(data=content)
    except zipfile.BadZipFile as error:
        raise ModelError(f"The skops model file is damaged: {error}") from error
    refused = list_refused(named)
    if refused:
        raise ModelError(
            f"The model file holds types of packages that are not trusted: {', '.join(refused[:5])}. "
            f"Trusted: {', '.join(list_trusted_packages())}; name further packages in the environment variable "
            f"{TRUST_VARIABLE} if the model is yours."
        )
    return skops.io.loads(content, trusted=named)


def list_refused(types: Iterable[str]) -> list[str]:
    """Those of some types, named with their package, that are not read from a model file."""
    trusted = list_trusted_packages()
    return sorted(name for name in types if name.split(".")[0] not in trusted and name not in TRUSTED_TYPES)


def predict_values(estimator: Any, matrix: "NDArray[np.float64]", *, task: str) -> "NDArray[np.float64]":
    """Probability of the class 1, or of a regression the number, with one thread; of several classes (rows, classes).

    A class that none of the rows had that were fitted on has the probability 0.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        if task == "regression":
            answers = np.asarray(estimator.predict(matrix), dtype=np.float64)
            return answers[:, 0] if answers.shape == (len(matrix), 1) else answers
        probabilities = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
    classes = np.asarray(estimator.classes_, dtype=np.int64)
    if task != "multiclass":
        return probabilities[:, list(classes).index(1)]
    spread = np.zeros((len(matrix), int(classes.max()) + 1))
    spread[:, classes] = probabilities
    return spread


def has_contributions(estimator: Any) -> bool:
    """Only a linear model says what each column adds, behind steps whose columns each come from one column of the matrix."""
    return (
        hasattr(estimator, "steps")
        and hasattr(estimator[-1], "coef_")
        and len(getattr(estimator[-1], "classes_", ())) <= TWO
        and _answers_with_sums(estimator[-1])
        and _find_origins(estimator) is not None
    )


def find_contributions(estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Coefficient times prepared value, summed over the prepared columns that come from one encoded column."""
    import numpy as np
    from scipy import sparse

    origins = _find_origins(estimator) or []
    prepared = sparse.csr_matrix(estimator[:-1].transform(matrix))
    weights = sparse.csr_matrix(
        (np.ravel(estimator[-1].coef_), (np.arange(len(origins)), origins)), shape=(len(origins), matrix.shape[1])
    )
    return np.asarray((prepared @ weights).todense(), dtype=np.float64)


def count_contribution_steps(estimator: Any) -> int:
    """One multiplication for each coefficient, which is next to nothing."""
    return int(estimator[-1].coef_.size)


def _answers_with_sums(linear: Any) -> bool:
    """Whether columns add to the answer itself, or to its log odds: the regressors with another link (Poisson, Gamma) add to its logarithm."""
    link = getattr(getattr(linear, "_base_loss", None), "link", None)
    return link is None or type(link).__name__ == "IdentityLink"


def _find_origins(estimator: Any) -> list[int] | None:
    """Column of the matrix that each prepared column comes from; None where steps mix columns or do not tell."""
    try:
        inputs = [f"x{position}" for position in range(estimator.n_features_in_)]
        names = estimator[:-1].get_feature_names_out(inputs)
    except (AttributeError, ValueError, TypeError):
        return None
    found = [re.fullmatch(r"x(\d+)(_[^ ^]*)?", name.split("__")[-1]) for name in names]
    return None if None in found else [int(match[1]) for match in found if match is not None]
