"""What every estimator can do. An estimator is a module with these functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sparkml_ops.config.model import ClassWeight, Model
from sparkml_ops.config.tasks import HIGHER_IS_BETTER
from sparkml_ops.training.matrix import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FitSettings:
    """What a fit is asked for, beside its rows.

    Attributes:
        estimator: `lightgbm`, or a class by its dotted path.
        params: The estimator's parameters.
        metric: What is optimised: one of the task's metrics.
        seed: Fixes what is drawn.
        early_stopping_rounds: Boosting stops after so many rounds without gain on the tuning rows.
        categorical_positions: Positions of the matrix's columns that hold codes of levels.
        class_weight: How much the rows of each class count, beside the weights that rows have themselves.
        directions: Of each column of the matrix: 1 where the prediction may only rise with it, -1 where it may only fall, 0
            where it is free; empty where all are.
        threads: Of the last fit; None for all cores.
        task: What is to be predicted.
        classes: Of several classes their names: labels are positions among them, and one past the last is any other class.
    """

    estimator: str
    params: Mapping[str, Any]
    metric: str
    seed: int
    early_stopping_rounds: int
    categorical_positions: Sequence[int]
    class_weight: ClassWeight | None = None
    directions: Sequence[int] = ()
    threads: int | None = None
    task: str = "binary"
    classes: Sequence[str] = ()


@dataclass(frozen=True)
class TrialFit:
    """What one set of parameters is worth on the tuning rows.

    Attributes:
        metrics: Figures on the tuning rows, among them the one that is optimised.
        rounds: Boosting rounds at the best figure; 0 where there are none.
    """

    metrics: Mapping[str, float]
    rounds: int


@dataclass(frozen=True)
class JudgedFit:
    """A fit on some rows to fit on, and what it says of rows to tune on.

    Attributes:
        answers: Probability for each row to tune on, by a model in which the row had no say.
        rounds: Boosting rounds that all rows to tune on find best; 0 where there are none.
    """

    answers: "NDArray[np.float64]"
    rounds: int


class Estimator(Protocol):
    """Fits one kind of model."""

    KIND: str
    """Name of the kind in `models/kinds` that reads and asks what is fitted here."""

    def check_params(self, estimator: str, names: Sequence[str], *, task: str = "binary") -> None:
        """Raise ConfigError when the estimator cannot be had, is none of the task, or has no such parameters."""
        ...

    def check_wishes(self, model: Model, names: Sequence[str]) -> None:
        """Raise ConfigError when the estimator cannot heed weights or directions, or parameters of these names contradict them."""
        ...

    def fit_trial(self, folder: str, settings: FitSettings) -> TrialFit:
        """Fit on the weighted training rows of a matrix folder and judge on its tuning rows, each of which counts once; one thread."""
        ...

    def fit_final(self, rows: Part, settings: FitSettings, rounds: int) -> Any:
        """Fit on all given rows, with all cores and the number of rounds that a trial found best."""
        ...

    def weigh_columns(self, fitted: Any, names: Sequence[str]) -> dict[str, float]:
        """Share of the model's gain that each encoded column has, highest first; empty where it is not known."""
        ...


class ClusterEstimator(Estimator, Protocol):
    """Fits one kind of model by jobs of the whole cluster, which are started from the driver: `fit_trial` too."""

    def fit_stored(self, folder: str, settings: FitSettings, rounds: int, *, with_valid: bool) -> Any:
        """Fit on the rows of a matrix folder where they lie, with or without those to tune on; `fit_final` takes samples alone."""
        ...


def find_loss(metric: str, value: float) -> float:
    """What a search minimises."""
    return 1.0 - value if metric in HIGHER_IS_BETTER else value
