"""Metrics of probabilities from binned counts. Pure: arrays in, arrays out.

Counts have the bins on their last axis, lowest probability first; all other axes are kept, so that all resamples of a
bootstrap are computed at once. Within a bin, rows count as tied. A metric that is not defined is NaN.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkml_ops.models.score_counts import ScoreCounts

METRICS = ("roc_auc", "pr_auc", "log_loss", "brier", "ece")
CALIBRATION_BINS = 10


def compute_metrics(counts: "ScoreCounts", weights: "NDArray[np.float64]") -> dict[str, "NDArray[np.float64]"]:
    """All metrics, for each row of weights.

    Args:
        counts: Counts by block and bin.
        weights: How often each block counts, shape (resamples, blocks).

    Returns:
        Values of shape (resamples,), by metric.
    """
    positives, negatives = weights @ counts.positives, weights @ counts.negatives
    rows = weights @ counts.rows.sum(axis=1)
    return {
        "roc_auc": compute_roc_auc(positives, negatives),
        "pr_auc": compute_average_precision(positives, negatives),
        "log_loss": divide(weights @ counts.log_loss, rows),
        "brier": divide(weights @ counts.squared_error, rows),
        "ece": compute_calibration_error(*(weights @ part for part in group_calibration(counts).values())),
    }


def compute_roc_auc(positives: "NDArray[np.float64]", negatives: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Chance that a positive scores above a negative, ties counted half.

    The Mann-Whitney statistic (Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve").
    """
    below = np.cumsum(negatives, axis=-1) - negatives
    wins = np.sum(positives * (below + negatives / 2), axis=-1)
    return divide(wins, positives.sum(axis=-1) * negatives.sum(axis=-1))


def compute_average_precision(
    positives: "NDArray[np.float64]", negatives: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Precision at each step of recall, weighted by the step: `sum((R_n - R_(n-1)) P_n)`, as scikit-learn defines it.

    Davis and Goadrich 2006 show why the area must not be taken by straight lines between the points.
    """
    hits = np.cumsum(positives[..., ::-1], axis=-1)
    taken = hits + np.cumsum(negatives[..., ::-1], axis=-1)
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    defined = np.where(negatives.sum(axis=-1) > 0, positives.sum(axis=-1), 0)
    return divide(np.sum(precision * positives[..., ::-1], axis=-1), defined)


def compute_calibration_error(
    rows: "NDArray[np.float64]", positives: "NDArray[np.float64]", probability: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Expected calibration error: `sum(n_b / n * |observed_b - predicted_b|)` over groups of like predictions.

    Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning", with groups of equal size
    instead of equal width (Nixon et al. 2019), since rare events leave most groups of equal width empty.
    """
    return divide(np.abs(positives - probability).sum(axis=-1), rows.sum(axis=-1))


def group_calibration(counts: "ScoreCounts") -> Mapping[str, "NDArray[np.float64]"]:
    """Counts by block and calibration group, shape (blocks, groups): ten groups of like predictions."""
    per_bin = counts.rows.sum(axis=0)
    middle = np.cumsum(per_bin) - per_bin / 2
    group = np.minimum(middle / max(per_bin.sum(), 1) * CALIBRATION_BINS, CALIBRATION_BINS - 1).astype(np.int64)
    into_group = np.eye(CALIBRATION_BINS)[group]
    return {
        "rows": counts.rows @ into_group,
        "positives": counts.positives @ into_group,
        "probability": counts.probability @ into_group,
    }


def divide(numerator: "NDArray[np.float64]", denominator: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The quotient; NaN where the denominator is not above zero."""
    quotient = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
