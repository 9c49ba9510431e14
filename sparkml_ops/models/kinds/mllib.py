"""Spark MLlib's models as NumPy arrays: no JVM is needed to ask them. The file is NumPy's `npz`, which holds numbers and no code."""

import io
import zipfile
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.errors import ModelError
from sparkml_ops.models.kinds.filled import Filling
from sparkml_ops.models.kinds.forest import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE_NAME = "model.npz"
FORMS = ("linear", "votes", "boosted", "line", "sum")
"""The last two answer with numbers; what knows the first three alone refuses their files, and takes no number for a probability."""


@dataclass(frozen=True)
class LinearModel:
    """Log odds, or the numbers of a regression, are a sum over columns, of which levels have one each (`Filling.spread`)."""

    filling: Filling
    coefficients: "NDArray[np.float64]"
    intercept: float
    gives_numbers: bool = False


@dataclass(frozen=True)
class TreeModel:
    """Trees that vote with the shares of the classes in their leaves, or add to half the log odds where they are boosted.

    Those of a regression add to the number: they are kept as boosted ones, whatever grew them.
    """

    filling: Filling
    forest: Forest
    is_boosted: bool

    @property
    def gives_numbers(self) -> bool:
        """Whether leaves have numbers, and no classes."""
        return bool(self.forest.values.shape[1] == 1)


MllibModel = LinearModel | TreeModel


def dump_estimator(estimator: MllibModel) -> bytes:
    """All arrays, by name."""
    arrays: dict[str, Any] = {"fills": estimator.filling.fills, "levels": estimator.filling.levels}
    if isinstance(estimator, LinearModel):
        form = FORMS.index("line" if estimator.gives_numbers else "linear")
        arrays |= {"form": form, "coefficients": estimator.coefficients, "intercept": estimator.intercept}
    else:
        found = {field.name: getattr(estimator.forest, field.name) for field in fields(Forest)}
        form = FORMS.index("sum" if estimator.gives_numbers else "boosted" if estimator.is_boosted else "votes")
        arrays |= {"form": form, **found}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def load_estimator(content: bytes) -> MllibModel:
    """Read what `dump_estimator` wrote.

    Raises:
        ModelError: The file is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        filling, form = Filling(arrays["fills"], arrays["levels"]), FORMS[int(arrays["form"])]
        if form in ("linear", "line"):
            return LinearModel(filling, arrays["coefficients"], float(arrays["intercept"]), form == "line")
        forest = Forest(**{field.name: arrays[field.name] for field in fields(Forest)})
    except (KeyError, ValueError, IndexError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"The file {FILE_NAME} is damaged: {error}") from error
    return TreeModel(filling, forest, is_boosted=form != "votes")


def predict_values(estimator: MllibModel, matrix: "NDArray[np.float64]", *, task: str) -> "NDArray[np.float64]":  # noqa: ARG001  # the arrays say it
    """Probability of the class 1, or the number, as MLlib's `transform` gives it up to the order of sums; with one thread."""
    from scipy.special import expit

    if isinstance(estimator, LinearModel):
        positions, values = estimator.filling.spread(matrix)
        margins = (estimator.coefficients[positions] * values).sum(axis=1) + estimator.intercept
        return np.asarray(margins if estimator.gives_numbers else expit(margins), dtype=np.float64)
    sums = estimator.forest.add_values(estimator.filling.fill(matrix))
    if estimator.gives_numbers:
        return np.asarray(sums[:, 0], dtype=np.float64)
    if estimator.is_boosted:
        return np.asarray(expit(2 * sums[:, 1]), dtype=np.float64)  # Friedman 1999: F is half the log odds
    votes = sums.sum(axis=1)
    share: NDArray[np.float64] = np.divide(sums[:, 1], votes, out=np.zeros(len(votes)), where=votes > 0)
    return share


def has_contributions(estimator: MllibModel) -> bool:
    """Only a linear model says what each column adds."""
    return isinstance(estimator, LinearModel)


def find_contributions(estimator: MllibModel, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Coefficient times what a number is above the value for missing ones; of levels the level's coefficient.

    Raises:
        ModelError: It is not linear.
    """
    if not isinstance(estimator, LinearModel):
        raise ModelError("Trees of Spark MLlib do not say what their columns add.")
    filling = estimator.filling
    positions, values = filling.spread(matrix)
    above = values - np.where(filling.levels < 0, filling.fills, 0.0)
    return np.asarray(estimator.coefficients[positions] * above, dtype=np.float64)


def count_contribution_steps(estimator: MllibModel) -> int:
    """One multiplication for each coefficient, which is next to nothing."""
    return len(estimator.coefficients) if isinstance(estimator, LinearModel) else 0
