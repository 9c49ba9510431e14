"""The probability that a label of 0 or 1 is 1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.score_arrays import count_arrays
from sparkml_ops.models.score_counts import ScoreCounts, count_scores
from sparkml_ops.models.score_metrics import METRICS, compute_metrics, group_calibration
from sparkml_ops.models.slices import compare_slices
from sparkml_ops.models.tasks._base import CalibrationGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "METRICS",
    "NO_ANSWER",
    "SLICED_BY",
    "TRIVIAL_VARIES",
    "compare_slices",
    "compute_metrics",
    "count_arrays",
    "count_blocks",
    "count_scores",
    "describe_labels",
    "find_reason",
    "is_possible",
    "list_calibration",
]

SLICED_BY = "roc_auc"
TRIVIAL_VARIES = False  # its ROC AUC is a half on any rows
NO_ANSWER = "no probability"


def count_blocks(counts: ScoreCounts) -> int:
    """How many blocks were counted."""
    return len(counts.rows)


def describe_labels(counts: ScoreCounts) -> Mapping[str, float]:
    """Rows, and those with label 1."""
    return {"rows": int(counts.rows.sum()), "positives": int(counts.positives.sum())}


def find_reason(counts: ScoreCounts) -> str | None:
    """Why ranking metrics are missing."""
    rows, positives = int(counts.rows.sum()), int(counts.positives.sum())
    if not rows:
        return "no row has a label"
    if positives in (0, rows):
        return f"all {rows} labels are {int(positives > 0)}: ranking metrics need both classes"
    return None


def list_calibration(counts: ScoreCounts) -> list[CalibrationGroup]:
    """The mean prediction beside the share of positives."""
    groups = group_calibration(counts)
    sums = [part.sum(axis=0) for part in (groups["rows"], groups["positives"], groups["probability"])]
    return [
        CalibrationGroup(rows=int(rows), predicted=float(probability / rows), observed=float(positives / rows))
        for rows, positives, probability in zip(*sums, strict=True)
        if rows
    ]


def is_possible(answers: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Numbers from 0 to 1."""
    possible: NDArray[np.bool_] = np.isfinite(answers) & (answers >= 0) & (answers <= 1)
    return possible
