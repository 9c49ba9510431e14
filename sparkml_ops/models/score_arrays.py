"""Labels and probabilities in memory -> the same counts that `count_scores` makes of rows in Spark."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.score_counts import BINS, EPSILON, LOGIT_LIMIT, ScoreCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_arrays(
    labels: "NDArray[np.float64]", answers: "NDArray[np.float64]", blocks: "NDArray[np.int64]"
) -> ScoreCounts:
    """Count predictions by block and bin.

    Args:
        labels: 0 or 1, shape (rows,).
        answers: Probabilities of label 1, shape (rows,).
        blocks: The block of each row, from 0 on without gaps, shape (rows,).
    """
    shape = (int(blocks.max(initial=-1)) + 1, BINS)
    p = np.clip(answers, EPSILON, 1 - EPSILON)
    at = blocks * BINS + find_bins(answers)

    def spread(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        return np.bincount(at, weights=values, minlength=shape[0] * BINS).reshape(shape).astype(np.float64)

    return ScoreCounts(
        rows=spread(np.ones(len(labels))),
        positives=spread(labels),
        probability=spread(answers),
        log_loss=spread(-np.where(labels == 1, np.log(p), np.log(1 - p))).sum(axis=1),
        squared_error=spread((answers - labels) ** 2).sum(axis=1),
    )


def find_bins(probabilities: "NDArray[np.float64]", bins: int = BINS) -> "NDArray[np.int64]":
    """The bin of each probability on the scale of its log odds, as `find_bin` has it; of the same shape."""
    p = np.clip(probabilities, EPSILON, 1 - EPSILON)
    logit = np.clip(np.log(p / (1 - p)), -LOGIT_LIMIT, LOGIT_LIMIT)
    found: NDArray[np.int64] = np.minimum((logit + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * bins, bins - 1).astype(np.int64)
    return found
