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
FORMS = ("linear", "votes", "boosted", "line", "sum", "softmax")
"""`line` and `sum` answer with numbers; what knows the first three alone refuses the files of the others, and takes no number for a probability."""


@dataclass(frozen=True)
class LinearModel:
    """Log odds, or the numbers of a regression, are a sum over columns, of which levels have one each (`Filling.spread`)."""

    filling: Filling
    coefficients: "NDArray[np.float64]"
    intercept: float
    gives_numbers: bool = False


@dataclass(frozen=True)
class SoftmaxModel:
    """The score of each class is a sum over columns, of which levels have one each; probabilities are the softmax of the scores.

    Attributes:
        coefficients: Shape (spread columns, classes).
        intercepts: Shape (classes,).
    """

    filling: Filling
    coefficients: "NDArray[np.float64]"
    intercepts: "NDArray[np.float64]"


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


MllibModel = LinearModel | SoftmaxModel | TreeModel


def dump_estimator(estimator: MllibModel) -> bytes:
    """All arrays, by name."""
    arrays: dict[str, Any] = {"fills": estimator.filling.fills, "levels": estimator.filling.levels}
    if isinstance(estimator, LinearModel):
        form = FORMS.index("line" if estimator.gives_numbers else "linear")
        arrays |= {"form": form, "coefficients": estimator.coefficients, "intercept": estimator.intercept}
    elif isinstance(estimator, SoftmaxModel):
        form = FORMS.index("softmax")
        arrays |= {"form": form, "coefficients": estimator.coefficients, "intercept": estimator.intercepts}
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
        if form == "softmax":
            return SoftmaxModel(filling, arrays["coefficients"], arrays["intercept"])
        forest = Forest(**{field.name: arrays[field.name] for field in fields(Forest)})
    except (KeyError, ValueError, IndexError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"The file {FILE_NAME} is damaged: {error}") from error
    return TreeModel(filling, forest, is_boosted=form != "votes")


def predict_values(estimator: MllibModel, matrix: "NDArray[np.float64]", *, task: str) -> "NDArray[np.float64]":
    """Probability of the class 1, or the number, as MLlib's `transform` gives it up to the order of sums; with one thread.

    Of several classes the probabilities of all, shape (rows, classes).
    """
    from scipy.special import expit

    if isinstance(estimator, SoftmaxModel):
        return _take_softmax(estimator, matrix)
    if isinstance(estimator, LinearModel):
        positions, values = estimator.filling.spread(matrix)
        margins = (estimator.coefficients[positions] * values).sum(axis=1) + estimator.intercept
        return np.asarray(margins if estimator.gives_numbers else expit(margins), dtype=np.float64)
    sums = estimator.forest.add_values(estimator.filling.fill(matrix))
    if estimator.gives_numbers:
        return np.asarray(sums[:, 0], dtype=np.float64)
    if estimator.is_boosted:
        return np.asarray(expit(2 * sums[:, 1]), dtype=np.float64)  # Friedman 1999: F is half the log odds
    return _share_votes(sums, task)


def _share_votes(sums: "NDArray[np.float64]", task: str) -> "NDArray[np.float64]":
    """Of two classes the share of the class 1, of several that of each.

    Leaves whose rows have no weight know nothing. MLlib answers with zeros, which of several classes are no probabilities: all are alike then.
    """
    votes, is_several = sums.sum(axis=1, keepdims=True), task == "multiclass"
    unknown = np.full_like(sums, 1 / sums.shape[1] if is_several else 0.0)
    shares: NDArray[np.float64] = np.divide(sums, votes, out=unknown, where=votes > 0)
    return shares if is_several else shares[:, 1]


def _take_softmax(estimator: SoftmaxModel, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Column by column, since the products of all columns and classes at once would be many times the rows."""
    positions, values = estimator.filling.spread(matrix)
    scores = np.tile(estimator.intercepts, (len(matrix), 1))
    for at in range(positions.shape[1]):
        scores += estimator.coefficients[positions[:, at]] * values[:, at, None]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))  # none above 1, so that none is infinite
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def has_contributions(estimator: MllibModel) -> bool:
    """Only a linear model of one score says what each column adds; of several classes each would have a sum of its own."""
    return isinstance(estimator, LinearModel)


def find_contributions(estimator: MllibModel, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Coefficient times what a number is above the value for missing ones; of levels the level's coefficient.

    Raises:
        ModelError: It is not linear.
    """
    if not isinstance(estimator, LinearModel):
        raise ModelError("Trees of Spark MLlib, and its lines of several classes, do not say what their columns add.")
    filling = estimator.filling
    positions, values = filling.spread(matrix)
    above = values - np.where(filling.levels < 0, filling.fills, 0.0)
    return np.asarray(estimator.coefficients[positions] * above, dtype=np.float64)


def count_contribution_steps(estimator: MllibModel) -> int:
    """One multiplication for each coefficient, which is next to nothing."""
    return len(estimator.coefficients) if isinstance(estimator, LinearModel) else 0
