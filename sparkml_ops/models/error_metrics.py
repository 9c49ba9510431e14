"""Metrics of a regression from sums by block. Pure: arrays in, arrays out. A metric that is not defined is NaN."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.score_metrics import divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkml_ops.models.error_counts import ErrorCounts

METRICS = ("rmse", "mae", "r2", "bias", "mape")
SAME = 1e-12
"""Labels whose standard deviation is below this share of their size are one number: the rest is rounding."""


def compute_metrics(counts: "ErrorCounts", weights: "NDArray[np.float64]") -> dict[str, "NDArray[np.float64]"]:
    """All metrics, for each row of weights.

    * rmse: root of the mean of `(p - y)²`; mae: mean of `|p - y|`; both in units of the label.
    * r2: `1 - sum((p - y)²) / sum((y - mean y)²)`, as scikit-learn defines it; the mean is that of the resample.
    * bias: mean of `p - y`: above zero where the model says too much.
    * mape: mean of `|p - y| / |y|`, of the rows whose label is not 0: there it has no value.

    Args:
        counts: Sums by block and group.
        weights: How often each block counts, shape (resamples, blocks).

    Returns:
        Values of shape (resamples,), by metric.
    """
    rows, squared = _add_up(counts.rows, weights), _add_up(counts.squared, weights)
    mean_square = divide(squared, rows)
    return {
        "rmse": np.sqrt(mean_square),
        "mae": divide(_add_up(counts.absolute, weights), rows),
        "r2": 1 - divide(mean_square, compute_variance(counts, weights)),
        "bias": divide(_add_up(counts.error, weights), rows),
        "mape": divide(_add_up(counts.relative, weights), _add_up(counts.not_zero, weights)),
    }


def compute_variance(counts: "ErrorCounts", weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Variance of the labels, shape (resamples,); 0 where they are all the same but for rounding."""
    rows = _add_up(counts.rows, weights)
    mean = divide(_add_up(counts.label, weights), rows)
    variance = divide(_add_up(counts.label_squared, weights), rows) - mean**2
    floor = np.square(SAME * (abs(counts.centre) + np.abs(mean)))
    differing: NDArray[np.float64] = np.where(variance > floor, variance, 0.0)
    return differing


def _add_up(sums: "NDArray[np.float64]", weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Of shape (blocks, groups) -> (resamples,)."""
    summed: NDArray[np.float64] = weights @ sums.sum(axis=1)
    return summed
