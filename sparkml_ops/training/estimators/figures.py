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
    if positives in (0.0, float(len(labels))):
        found = f"all {len(labels)} rows have the label {int(positives > 0)}" if len(labels) else "there are none"
        raise TrainingError(f"The rows {purpose} need both classes; {found}. Change dataset.split or dataset.label.")


def measure_answers(labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> dict[str, float]:
    """The figures of the tuning rows, each of which counts once."""
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    judges = {"roc_auc": roc_auc_score, "pr_auc": average_precision_score, "log_loss": log_loss}
    return {name: float(judge(labels, answers)) for name, judge in judges.items()}
