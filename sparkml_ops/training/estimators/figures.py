"""Rows that can be learned from, and what answers to the tuning rows are worth."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def require_both_classes(labels: "NDArray[np.float64]", purpose: str) -> None:
    """Refuse rows of which no difference can be learned.

    Raises:
        TrainingError: Says which class is there alone.
    """
    positives = float(np.sum(labels))
    require_classes(np.array([len(labels) - positives, positives]), purpose)


def require_classes(counts: "NDArray[np.float64]", purpose: str) -> None:
    """As `require_both_classes`, of rows that were counted by class.

    Raises:
        TrainingError: Says which class is there alone.
    """
    rows = int(counts.sum())
    if not counts.all():
        found = f"all {rows} rows have the label {int(counts[1] > 0)}" if rows else "there are none"
        raise TrainingError(f"The rows {purpose} need both classes; {found}. Change dataset.split or dataset.label.")


def measure_answers(labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> dict[str, float]:
    """The figures of the tuning rows, each of which counts once."""
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    judges = {"roc_auc": roc_auc_score, "pr_auc": average_precision_score, "log_loss": log_loss}
    return {name: float(judge(labels, answers)) for name, judge in judges.items()}
