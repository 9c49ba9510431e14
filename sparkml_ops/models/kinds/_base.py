"""What every kind of estimator can do. A kind is a module with these functions."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EstimatorKind(Protocol):
    """Writes, reads and asks estimators of one kind; matrices are float64 of shape (rows, encoded columns)."""

    FILE_NAME: str

    def dump_estimator(self, estimator: Any) -> bytes:
        """The estimator in a format that runs no code when it is read."""
        ...

    def load_estimator(self, content: bytes) -> Any:
        """Read what `dump_estimator` wrote."""
        ...

    def predict_values(self, estimator: Any, matrix: "NDArray[np.float64]", *, task: str) -> "NDArray[np.float64]":
        """What the task asks for, shape (rows,), with one thread: probability of the positive class, or of a regression the number.

        Of several classes the probabilities of each, shape (rows, classes); the last ones may be missing where no row of them was fitted on.
        """
        ...

    def has_contributions(self, estimator: Any) -> bool:
        """Whether `find_contributions` has an answer."""
        ...

    def find_contributions(self, estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """What each encoded column adds to the log odds, or of a regression to the answer, shape (rows, encoded columns).

        Of several classes to the score of the row's most probable one, before the softmax.
        """
        ...

    def count_contribution_steps(self, estimator: Any) -> int:
        """How much work the contributions of one row are; the unit is a leaf of a tree."""
        ...
