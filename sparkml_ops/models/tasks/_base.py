"""What a task knows of its answers: how they are counted, judged and compared. A task is a module with these functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sparkml_ops.config.tasks import HIGHER_IS_BETTER, NEAR_ZERO_IS_BETTER

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.models.slices import SliceResult


TrivialAnswer = float | Mapping[str, float]
"""The mean of the labels, or the share of each class by name."""


@dataclass(frozen=True)
class CalibrationGroup:
    """A tenth of the rows, alike in their prediction: the mean prediction beside the mean label, which for 0 and 1 is the share of positives."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class ConfusionCell:
    """Rows of one class that were taken for one class, the same or another."""

    label: str
    answer: str
    rows: int


class Task(Protocol):
    """Counts scored rows in a size that is bounded, and makes figures of the counts; those of one task fit no other."""

    METRICS: tuple[str, ...]
    """Figures that `compute_metrics` gives, in the order in which they are told."""
    SLICED_BY: str
    """The figure that slices are compared by."""
    TRIVIAL_VARIES: bool
    """Whether the trivial model's figures move with the days that are drawn, so that it must be compared on the same ones."""
    NO_ANSWER: str
    """What an impossible answer is, to follow "with what is"."""

    def count_scores(
        self, scored: "DataFrame", *, label: str, predictions: Sequence[str], block: "str | Column"
    ) -> Sequence[Any]:
        """Count each prediction column; rows without a label are left out. All have the same blocks."""
        ...

    def count_arrays(
        self, labels: "NDArray[np.float64]", answers: "NDArray[np.float64]", blocks: "NDArray[np.int64]"
    ) -> Any:
        """The same of arrays of shape (rows,); blocks are numbered from 0 on without gaps."""
        ...

    def count_blocks(self, counts: Any) -> int:
        """How many blocks were counted."""
        ...

    def compute_metrics(self, counts: Any, weights: "NDArray[np.float64]") -> dict[str, "NDArray[np.float64]"]:
        """Values of shape (resamples,) by metric, for weights of shape (resamples, blocks); NaN where one is not defined."""
        ...

    def describe_labels(self, counts: Any) -> Mapping[str, float]:
        """What is told of the labels beside the figures; `rows` among it."""
        ...

    def find_reason(self, counts: Any) -> str | None:
        """Why figures are missing that the labels do not allow; None where they allow all."""
        ...

    def list_calibration(self, counts: Any) -> list[CalibrationGroup]:
        """Groups of like predictions, lowest first."""
        ...

    def list_confusion(self, counts: Any) -> list[ConfusionCell]:
        """Rows by label and answer; none where the answers are no classes."""
        ...

    def learn_trivial(self, rows: "DataFrame", label: str) -> "TrivialAnswer":
        """What a model that knows no features answers, learned of labelled rows."""
        ...

    def is_possible(self, answers: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which answers could be right, shape (rows,)."""
        ...

    def compare_slices(
        self,
        scored: "DataFrame",
        *,
        by: Sequence[str],
        label: str,
        candidate: str,
        champion: str,
        minimum_rows: int = 1,
    ) -> "list[SliceResult]":
        """`SLICED_BY` of two prediction columns on every slice."""
        ...


def measure_gain(metric: str, new: Any, old: Any) -> Any:
    """By how much the new figure is better than the old one, above zero where it is; numbers or arrays of the same shape."""
    if metric in NEAR_ZERO_IS_BETTER:
        return np.abs(old) - np.abs(new)
    return new - old if metric in HIGHER_IS_BETTER else old - new
