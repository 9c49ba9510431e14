"""What any model must beat: the mean of the labels, and a straight line through the same features."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.config.tasks import METRICS
from sparkml_ops.models import FeatureEncoder, PackagedModel, TrivialAnswer
from sparkml_ops.training.estimators import FitSettings
from sparkml_ops.training.estimators.sklearn import KIND, fit_final
from sparkml_ops.training.matrix import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINEAR_ROWS = 100_000  # a straight line through some dozen columns is known by then; more rows only take time
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "binary": ("sklearn.linear_model.LogisticRegression", {"max_iter": 200}),
    "regression": ("sklearn.linear_model.Ridge", {}),
    "multiclass": ("sklearn.linear_model.LogisticRegression", {"max_iter": 200}),
}
"""By task: the class of the straight line, and its parameters."""


@dataclass(frozen=True)
class Baselines:
    """What a candidate is held against: the models that know least, and the one that serves.

    Attributes:
        linear: A straight line.
        base_rate: What the trivial model always answers.
        champion: The model that serves at present, where there is one that can answer for these rows.
    """

    linear: PackagedModel
    base_rate: TrivialAnswer
    champion: PackagedModel | None = None


def fit_baselines(rows: Part, encoder: FeatureEncoder, *, name: str, seed: int, task: str = "binary") -> Baselines:
    """Fit both on the rows that the candidate was fitted on."""
    return Baselines(
        fit_linear(rows, encoder, name=name, seed=seed, task=task), find_base_rate(rows.labels, encoder.classes)
    )


def find_base_rate(labels: "NDArray[np.float64]", classes: Sequence[str] = ()) -> TrivialAnswer:
    """Mean of the labels, or the share of each class: the best answer of a model that knows no features."""
    if not classes:
        return float(np.mean(labels))
    return dict(zip(classes, map(float, share_classes(labels, len(classes))), strict=True))


def share_classes(labels: "NDArray[np.float64]", classes: int) -> "NDArray[np.float64]":
    """The share of each class among the rows of known classes, shape (classes,)."""
    counts = np.bincount(labels.astype(np.int64), minlength=classes)[:classes]
    shares: NDArray[np.float64] = counts / max(counts.sum(), 1)
    return shares


def fit_linear(rows: Part, encoder: FeatureEncoder, *, name: str, seed: int, task: str = "binary") -> PackagedModel:
    """Logistic regression, or ridge regression, on the same encoded columns, fitted on at most `LINEAR_ROWS` rows, evenly spaced in time; each counts once."""
    from sklearn.exceptions import ConvergenceWarning

    taken = np.linspace(0, len(rows.labels) - 1, min(len(rows.labels), LINEAR_ROWS)).astype(np.int64)
    estimator, params = LINES[task]
    settings = FitSettings(
        estimator=estimator,
        params=params,
        task=task,
        metric=METRICS[task][-1],
        seed=seed,
        early_stopping_rounds=1,
        categorical_positions=encoder.categorical_positions,
        classes=encoder.classes,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a baseline do not matter
        fitted = fit_final(Part(rows.features[taken], rows.labels[taken]), settings, 0)
    return PackagedModel(name=f"{name} (linear baseline)", task=task, kind=KIND, encoder=encoder, estimator=fitted)
