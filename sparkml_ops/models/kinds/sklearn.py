"""scikit-learn estimators and what keeps to their interface, in skops' format: no pickle, named types only."""

import os
import re
import zipfile
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_NAME = "model.skops"
TRUSTED_PACKAGES = ("sklearn", "numpy", "scipy", "collections", "lightgbm", "xgboost")
TRUST_VARIABLE = "SPARKML_OPS_TRUSTED_PACKAGES"
"""Environment variable with further packages, separated by commas, whose classes may be read from a model file."""


def list_trusted_packages() -> tuple[str, ...]:
    """Packages whose classes may be read from a model file."""
    named = os.environ.get(TRUST_VARIABLE, "").split(",")
    return (*TRUSTED_PACKAGES, *(name.strip() for name in named if name.strip()))


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
    refused = sorted(name for name in named if name.split(".")[0] not in list_trusted_packages())
    if refused:
        raise ModelError(
            f"The model file holds types of packages that are not trusted: {', '.join(refused[:5])}. "
            f"Trusted: {', '.join(list_trusted_packages())}; name further packages in the environment variable "
            f"{TRUST_VARIABLE} if the model is yours."
        )
    return skops.io.loads(content, trusted=named)


def predict_probabilities(estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Probability of the class 1, with one thread."""
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        probabilities = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
    return probabilities[:, list(estimator.classes_).index(1)]


def has_contributions(estimator: Any) -> bool:
    """Only a linear model behind a pipeline says what each column adds."""
    return hasattr(estimator, "steps") and hasattr(estimator[-1], "coef_")


def find_contributions(estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Coefficient times prepared value, summed over the prepared columns that come from one encoded column."""
    import numpy as np
    from scipy import sparse

    inputs = [f"x{position}" for position in range(matrix.shape[1])]
    prepared = sparse.csr_matrix(estimator[:-1].transform(matrix))
    names = estimator[:-1].get_feature_names_out(inputs)
    origin = [int(re.search(r"x(\d+)", name.split("__")[-1])[1]) for name in names]  # type: ignore[index]
    weights = sparse.csr_matrix(
        (np.ravel(estimator[-1].coef_), (np.arange(len(names)), origin)), shape=(len(names), matrix.shape[1])
    )
    return np.asarray((prepared @ weights).todense(), dtype=np.float64)


def count_contribution_steps(estimator: Any) -> int:
    """One multiplication for each coefficient, which is next to nothing."""
    return int(estimator[-1].coef_.size)
