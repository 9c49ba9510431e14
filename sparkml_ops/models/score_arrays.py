"""Labels and probabilities in memory -> the same counts that `count_scores` makes of rows in Spark."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.score_counts import BINS, EPSILON, LOGIT_LIMIT, ScoreCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_arrays(
    labels: "NDArray[np.float64]", probabilities: "NDArray[np.float64]", blocks: "NDArray[np.int64]"
) -> ScoreCounts:
    """Count predictions by block and bin.

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: Of label 1, shape (rows,).
        blocks: The block of each row, from 0 on without gaps, shape (rows,).
    """
    shape = (int(blocks.max(initial=-1)) + 1, BINS)
    p = np.clip(probabilities, EPSILON, 1 - EPSILON)
    logit = np.clip(np.log(p / (1 - p)), -LOGIT_LIMIT, LOGIT_LIMIT)
    at = blocks * BINS + np.minimum((logit + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * BINS, BINS - 1).astype(np.int64)

    def spread(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        return np.bincount(at, weights=values, minlength=shape[0] * BINS).reshape(shape).astype(np.float64)

    return ScoreCounts(
        rows=spread(np.ones(len(labels))),
        positives=spread(labels),
        probability=spread(probabilities),
        log_loss=spread(-np.where(labels == 1, np.log(p), np.log(1 - p))).sum(axis=1),
        squared_error=spread((probabilities - labels) ** 2).sum(axis=1),
    )
