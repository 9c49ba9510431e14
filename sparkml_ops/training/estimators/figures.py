"""Rows that can be learned from, and what answers to the tuning rows are worth."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.config.tasks import METRICS
from sparkml_ops.errors import TrainingError
from sparkml_ops.models import find_task
from sparkml_ops.training.matrix import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray


def require_learnable(labels: "NDArray[np.float64]", purpose: str, *, task: str) -> None:
    """Refuse rows of which no difference can be learned.

    Raises:
        TrainingError: Says which label is there alone.
    """
    if can_learn(labels):
        return
    raise TrainingError(_tell_alone(purpose, len(labels), label=labels[0] if len(labels) else 0.0, task=task))


def require_span(rows: float, span: tuple[float, float], purpose: str, *, task: str) -> None:
    """As `require_learnable`, of rows of which the lowest and the highest label are known.

    Raises:
        TrainingError: Says which label is there alone.
    """
    if not rows or span[0] == span[1]:
        raise TrainingError(_tell_alone(purpose, int(rows), label=span[0], task=task))


def can_learn(labels: "NDArray[np.float64]") -> bool:
    """Whether there are labels, and not all are the same."""
    return bool(len(labels)) and float(np.min(labels)) != float(np.max(labels))


def type_labels(labels: "NDArray[np.float64]", task: str) -> "NDArray[Any]":
    """Labels as estimators take them: classes as whole numbers, numbers as they are."""
    return np.asarray(labels, dtype=np.float64 if task == "regression" else np.int64)


def keep_known(rows: Part, classes: Sequence[str]) -> Part:
    """The rows to fit on: those of a class that train does not have are left out, since no model could answer with it."""
    if not classes or not len(rows.labels) or rows.labels.max() < len(classes):
        return rows
    return rows.take(np.flatnonzero(rows.labels < len(classes)))


def measure_answers(
    labels: "NDArray[np.float64]", answers: "NDArray[np.float64]", *, task: str = "binary"
) -> dict[str, float]:
    """The figures of the tuning rows, each of which counts once."""
    from sklearn import metrics

    if task == "multiclass":
        return _measure_classes(labels, answers)
    judges: dict[str, dict[str, Any]] = {
        "binary": {
            "roc_auc": metrics.roc_auc_score,
            "pr_auc": metrics.average_precision_score,
            "log_loss": metrics.log_loss,
        },
        "regression": {
            "rmse": metrics.root_mean_squared_error,
            "mae": metrics.mean_absolute_error,
            "r2": metrics.r2_score,
        },
    }
    return {name: float(judge(labels, answers)) for name, judge in judges[task].items()}


def _measure_classes(labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> dict[str, float]:
    asked = find_task("multiclass")
    counts = asked.count_arrays(labels, answers, np.zeros(len(labels), dtype=np.int64))
    found = asked.compute_metrics(counts, np.ones((1, 1)))
    return {name: float(found[name][0]) for name in METRICS["multiclass"]}


def _tell_alone(purpose: str, rows: int, *, label: float, task: str) -> str:
    found = f"all {rows} rows have the label {label:g}" if rows else "there are none"
    if task == "multiclass" and rows:  # a label is the position of a class here, which says nothing to a reader
        found = f"all {rows} rows are of one class"
    wanted = "both classes" if task == "binary" else "labels that differ"
    return f"The rows {purpose} need {wanted}; {found}. Change dataset.split or dataset.label."
