"""A probability for each of several classes; the label is the name of one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.class_arrays import count_arrays, is_possible
from sparkml_ops.models.class_counts import ClassCounts, count_scores
from sparkml_ops.models.class_metrics import METRICS, compute_metrics
from sparkml_ops.models.class_slices import compare_slices
from sparkml_ops.models.tasks import binary
from sparkml_ops.models.tasks._base import CalibrationGroup, ConfusionCell

if TYPE_CHECKING:
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

SLICED_BY = "accuracy"
TRIVIAL_VARIES = True  # a day of the most frequent class is easy for it
NO_ANSWER = "no probabilities that add up to 1"


def count_blocks(counts: ClassCounts) -> int:
    """How many blocks were counted."""
    return len(counts.confusion)


def describe_labels(counts: ClassCounts) -> Mapping[str, float]:
    """Rows, classes among the labels, and rows whose class the model does not know: these count as wrong."""
    by_class = counts.confusion.sum(axis=(0, 2))
    return {
        "rows": int(by_class.sum()),
        "classes": int(np.count_nonzero(by_class)),
        "unknown_class": int(by_class[counts.known :].sum()),
    }


def find_reason(counts: ClassCounts) -> str | None:
    """Why roc_auc is missing."""
    by_class = counts.confusion.sum(axis=(0, 2))
    if not by_class.sum():
        return "no row has a label"
    if np.count_nonzero(by_class) == 1:
        return f"all {int(by_class.sum())} labels are {counts.names[int(by_class.argmax())]}: roc_auc needs labels that differ"
    return None


def list_calibration(counts: ClassCounts) -> list[CalibrationGroup]:
    """The mean probability of the most probable class beside the share of rows that are of it."""
    return binary.list_calibration(counts.top)


def list_confusion(counts: ClassCounts) -> list[ConfusionCell]:
    """Rows by label and most probable class, of those pairs that there are, in the order of the classes."""
    pairs = counts.confusion.sum(axis=0)
    return [
        ConfusionCell(counts.names[label], counts.names[answer], int(pairs[label, answer]))
        for label, answer in np.argwhere(pairs)
    ]


def learn_trivial(rows: "DataFrame", label: str) -> Mapping[str, float]:
    """The share of each class."""
    counted = rows.where(f"`{label}` IS NOT NULL").groupBy(label).count().collect()
    total = sum(row["count"] for row in counted)
    return {row[label]: row["count"] / total for row in sorted(counted)}
