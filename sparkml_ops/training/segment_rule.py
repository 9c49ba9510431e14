"""Whether a segment's own model is better than its parent's, by more than chance explains.

Of each row to tune on the loss of the parent's model minus that of its own is taken, so that what is hard for both falls out (a paired
test: Dietterich 1998, "Approximate statistical tests for comparing supervised classification learning algorithms"). Rows of a day
are not independent, so the error of the mean is also taken by days, and the worse of the two counts (Cameron and Miller 2015, "A
practitioner's guide to cluster-robust inference", with one degree of freedom less than days). Among a thousand segments some look better by
chance: Benjamini and Hochberg's step-up rule keeps the share of such among the kept (1995, "Controlling the false discovery rate").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINIMUM_VALID_ROWS = 20  # as the part valid needs as a whole
MINIMUM_DAYS = 5  # as intervals by days need; of fewer, rows alone decide
_TINY = 1e-15  # a probability of 0 or 1 that is wrong has no finite loss


@dataclass(frozen=True)
class Gain:
    """By how much log loss falls with a segment's own model.

    Attributes:
        mean: Over the rows to tune on.
        lower: That it is at least, by a one-sided bound of the asked confidence; of this segment alone.
        p: Probability of such a gain where there is none above the asked minimum.
    """

    mean: float
    lower: float
    p: float


def find_losses(labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Log loss of each row."""
    of_label = np.where(labels == 1, answers, 1 - answers)
    losses: NDArray[np.float64] = -np.log(np.clip(of_label, _TINY, 1))
    return losses


def measure_gain(
    differences: "NDArray[np.float64]", days: "NDArray[np.int32]", *, minimum: float, confidence: float
) -> Gain:
    """Judge the differences of rows.

    Args:
        differences: Loss of the parent's model minus that of the segment's own, shape (rows,); at least two.
        days: The day of each row.
        minimum: Gain that is asked for.
        confidence: Of the lower bound.
    """
    from scipy import stats

    mean, rows = float(np.mean(differences)), len(differences)
    centred = differences - mean
    errors = [(float(np.sqrt((centred**2).sum() / (rows - 1) / rows)), rows - 1)]
    of_day = np.unique(days, return_inverse=True)[1].ravel()
    sums = np.bincount(of_day, weights=centred)
    if len(sums) >= MINIMUM_DAYS:
        count = len(sums)
        errors.append((float(np.sqrt((sums**2).sum() * count / (count - 1))) / rows, count - 1))
    found = [
        (float(stats.t.sf((mean - minimum) / error, freedom)), mean - float(stats.t.ppf(confidence, freedom)) * error)
        for error, freedom in errors
        if error > 0
    ]
    if not found:  # all rows gain the same
        return Gain(mean, mean, float(mean <= minimum))
    return Gain(mean, min(lower for _, lower in found), max(p for p, _ in found))


def choose_kept(chances: Sequence[float], share: float) -> list[bool]:
    """Which of some tests to believe, so that of those at most this share is expected to be believed by chance."""
    order = np.argsort(chances, kind="stable")
    passed = np.flatnonzero(np.asarray(chances)[order] <= share * np.arange(1, len(chances) + 1) / max(len(chances), 1))
    kept = np.zeros(len(chances), dtype=bool)
    if len(passed):
        kept[order[: passed[-1] + 1]] = True
    return [bool(one) for one in kept]
