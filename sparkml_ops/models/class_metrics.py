"""Metrics of several classes from counts by block. Pure: arrays in, arrays out. A metric that is not defined is NaN."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.score_metrics import compute_calibration_error, compute_roc_auc, divide, group_calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkml_ops.models.class_counts import ClassCounts

METRICS = ("log_loss", "accuracy", "macro_f1", "roc_auc", "brier", "ece")


def compute_metrics(counts: "ClassCounts", weights: "NDArray[np.float64]") -> dict[str, "NDArray[np.float64]"]:
    """All metrics, for each row of weights.

    * log_loss: mean of `-ln p` of the label's class, clipped as scikit-learn does; 36 where the model does not know the class.
    * accuracy: share of the rows whose most probable class is the label, the first of equals in the order of the classes.
    * macro_f1: mean of the classes' F1, of those that are label or answer of a row, as scikit-learn defines it.
    * roc_auc: mean over the classes of ROC AUC of one against the rest, of those that are the label of some rows and not of all. Rows whose
      probabilities share a bin count as tied; of a class that the model does not know it is a half.
    * brier: mean of `sum((p - y)²)` over the classes (Brier 1950), from 0 to 2.
    * ece: expected calibration error of the most probable class (Guo et al. 2017), over ten groups of like probabilities.

    Args:
        counts: Counts by block.
        weights: How often each block counts, shape (resamples, blocks).

    Returns:
        Values of shape (resamples,), by metric.
    """
    rows = weights @ counts.top.rows.sum(axis=1)
    return {
        "log_loss": divide(weights @ counts.top.log_loss, rows),
        "accuracy": divide(weights @ counts.top.positives.sum(axis=1), rows),
        "macro_f1": compute_macro_f1(counts, weights),
        "roc_auc": compute_macro_auc(counts, weights),
        "brier": divide(weights @ counts.top.squared_error, rows),
        "ece": compute_calibration_error(*(weights @ part for part in group_calibration(counts.top).values())),
    }


def compute_macro_f1(counts: "ClassCounts", weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Mean over the classes of `2 tp / (labels + answers)`, shape (resamples,)."""
    known, extra = counts.known, len(counts.names) - counts.known
    hits = weights @ np.pad(np.einsum("bii->bi", counts.confusion[:, :known]), ((0, 0), (0, extra)))
    answers = weights @ np.pad(counts.confusion.sum(axis=1), ((0, 0), (0, extra)))
    both = weights @ counts.confusion.sum(axis=2) + answers
    return _average(np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0), both > 0)


def compute_macro_auc(counts: "ClassCounts", weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Mean over the classes of ROC AUC of one against the rest, shape (resamples,)."""
    labels = weights @ counts.confusion.sum(axis=2)
    areas = np.full(labels.shape, 0.5)
    for at in range(counts.known):
        positives = weights @ counts.hits[:, at]
        areas[:, at] = compute_roc_auc(positives, weights @ counts.rows[:, at] - positives)
    is_defined = (labels > 0) & (labels < labels.sum(axis=1, keepdims=True))
    return _average(np.where(is_defined, areas, 0.0), is_defined)


def _average(values: "NDArray[np.float64]", which: "NDArray[np.bool_]") -> "NDArray[np.float64]":
    """Mean along the last axis of those that count."""
    return divide(np.where(which, values, 0.0).sum(axis=1), which.sum(axis=1).astype(np.float64))
