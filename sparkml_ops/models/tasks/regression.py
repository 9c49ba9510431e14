"""A number as answer to a label that is a number; figures are in its unit."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F

from sparkml_ops.models.error_counts import ErrorCounts, count_arrays, count_scores
from sparkml_ops.models.error_metrics import METRICS, compute_metrics, compute_variance
from sparkml_ops.models.error_slices import compare_slices
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

SLICED_BY = "rmse"
TRIVIAL_VARIES = True  # a day of large labels is hard for any model
NO_ANSWER = "no finite number"


def count_blocks(counts: ErrorCounts) -> int:
    """How many blocks were counted."""
    return len(counts.rows)


def describe_labels(counts: ErrorCounts) -> Mapping[str, float]:
    """Rows, mean and standard deviation of the labels, and rows whose label is 0, of which `mape` says nothing."""
    rows = int(counts.rows.sum())
    if not rows:
        return {"rows": 0}
    variance = float(compute_variance(counts, np.ones((1, len(counts.rows))))[0])
    return {
        "rows": rows,
        "label_mean": counts.centre + float(counts.label.sum()) / rows,
        "label_stddev": variance**0.5,
        "label_zero": rows - int(counts.not_zero.sum()),
    }


def find_reason(counts: ErrorCounts) -> str | None:
    """Why r2 is missing."""
    rows = int(counts.rows.sum())
    if not rows:
        return "no row has a label"
    if not compute_variance(counts, np.ones((1, len(counts.rows))))[0]:
        return f"all {rows} labels are {counts.centre:g}: r2 needs labels that differ"
    return None


def list_calibration(counts: ErrorCounts) -> list[CalibrationGroup]:
    """The mean prediction beside the mean label."""
    sums = [part.sum(axis=0) for part in (counts.rows, counts.predicted, counts.label)]
    return [
        CalibrationGroup(int(rows), counts.centre + float(predicted / rows), counts.centre + float(label / rows))
        for rows, predicted, label in zip(*sums, strict=True)
        if rows
    ]


def list_confusion(counts: ErrorCounts) -> list[ConfusionCell]:  # noqa: ARG001
    """None: answers are numbers."""
    return []


def learn_trivial(rows: "DataFrame", label: str) -> float:
    """The mean of the labels."""
    return float(rows.agg(F.avg(label)).collect()[0][0])


def is_possible(answers: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Finite numbers."""
    return np.isfinite(answers)
