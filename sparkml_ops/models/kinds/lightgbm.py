"""LightGBM boosters, in LightGBM's own text format."""

import re
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_NAME = "model.txt"


def dump_estimator(estimator: Any) -> bytes:
    """The booster as LightGBM's text."""
    text: str = estimator.model_to_string()
    return text.encode()


def load_estimator(content: bytes) -> Any:
    """Read a booster from LightGBM's text, which holds numbers and no code.

    Raises:
        ModelError: The text is not a whole model.
    """
    import lightgbm

    try:
        return lightgbm.Booster(model_str=content.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise ModelError(f"The LightGBM model file is damaged: {error}") from error


def predict_values(estimator: Any, matrix: "NDArray[np.float64]", *, task: str) -> "NDArray[np.float64]":  # noqa: ARG001
    """What the booster's objective says, which the fit chose by the task; one thread, since Spark has already dealt the cores to tasks."""
    import numpy as np

    return np.asarray(estimator.predict(matrix, num_threads=1), dtype=np.float64)


def has_contributions(estimator: Any) -> bool:
    """Trees say what each column adds, unless their leaves are linear models, for which LightGBM has no answer."""
    return str(estimator.params.get("linear_tree", 0)).lower() not in {"1", "true"}


def find_contributions(estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Exact Shapley values of the trees (Lundberg et al. 2018, "Consistent individualized feature attribution")."""
    import numpy as np

    with_base = find_class_contributions(estimator, matrix)
    probable = with_base.sum(axis=2).argmax(axis=1)  # contributions and base add up to the class's score
    return with_base[np.arange(len(matrix)), probable, :-1]


def find_class_contributions(estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The contributions to each class's score and behind them its base, shape (rows, classes, encoded columns + 1); one class of two or none."""
    import numpy as np

    told = np.asarray(estimator.predict(matrix, num_threads=1, pred_contrib=True), dtype=np.float64)
    return told.reshape(len(matrix), estimator.num_model_per_iteration(), -1)


def count_contribution_steps(estimator: Any) -> int:
    """Leaves of all trees: each is visited once for each row."""
    return sum(int(leaves) for leaves in re.findall(r"^num_leaves=(\d+)", estimator.model_to_string(), re.MULTILINE))
