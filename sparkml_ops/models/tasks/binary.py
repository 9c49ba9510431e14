"""The probability that a label of 0 or 1 is 1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F

from sparkml_ops.models.score_arrays import count_arrays
from sparkml_ops.models.score_counts import ScoreCounts, count_scores
from sparkml_ops.models.score_metrics import METRICS, compute_metrics, group_calibration
from sparkml_ops.models.slices import compare_slices
from sparkml_ops.models.tasks._base import CalibrationGroup, ConfusionCell

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

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
    "learn_trivial",
    "list_calibration",
    "list_confusion",
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


def list_confusion(counts: ScoreCounts) -> list[ConfusionCell]:  # noqa: ARG001
    """None: which class a probability means is the threshold's affair."""
    return []


def learn_trivial(rows: "DataFrame", label: str) -> float:
    """The mean of the labels, which is the share of positives."""
    return float(rows.agg(F.avg(label)).collect()[0][0])


def is_possible(answers: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Numbers from 0 to 1."""
    possible: NDArray[np.bool_] = np.isfinite(answers) & (answers >= 0) & (answers <= 1)
    return possible
