"""Numbers as labels that a model which has not seen them finds implausible.

A label is implausible that lies far outside of what the labels of rows with a like prediction lie from theirs. How far is said by the
modified z-score of Iglewicz and Hoaglin (1993, "How to detect and handle outliers"): 0.6745 (r - median r) / MAD, which the outliers
themselves do not stretch. They call 3.5 an outlier where residuals are normal. Residuals of real models have longer tails: beyond 8 lie
0.03 % of Laplace's distribution and 1.8 % of a lognormal one (sigma 1), which is below the share from which on a training is told of it.
Of labels that are mostly one number, such as sums that are mostly 0, the MAD says nothing; so the label must also lie three standard
deviations away, which on one side more than one row in ten cannot (Cantelli's inequality).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTLYING, DEVIATIONS = 8.0, 3.0
GROUPS = 10  # of like predictions: errors grow with what is predicted
GROUP_ROWS = 50  # of which a median absolute deviation is known to a sixth
_NORMAL, _NORMAL_MEAN = 0.6745, 0.7979
"""Median and mean of the absolute values of a normal distribution with standard deviation 1; the second stands in where the MAD is 0."""


@dataclass(frozen=True)
class Plausible:
    """What label minus prediction is among rows of like predictions, lowest first.

    Attributes:
        edges: Predictions up to it are of the group, shape (groups - 1,).
        centres: Median, shape (groups,).
        limits: How far from it is plausible, shape (groups,); infinite where nothing can be told.
    """

    edges: "NDArray[np.float64]"
    centres: "NDArray[np.float64]"
    limits: "NDArray[np.float64]"

    def measure(self, labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """How far labels lie from what is plausible, shape (rows,): from 1 on they are not."""
        at = np.searchsorted(self.edges, answers, side="left")
        return np.asarray(np.abs(labels - answers - self.centres[at]) / self.limits[at])


def learn_plausible(labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> Plausible:
    """Learn it from labels and answers of a model that was not fitted on them, shape (rows,)."""
    groups = max(1, min(GROUPS, len(labels) // GROUP_ROWS))
    edges = np.unique(np.quantile(answers, np.arange(1, groups) / groups)) if len(answers) else np.zeros(0)
    at, residuals = np.searchsorted(edges, answers, side="left"), labels - answers
    found = [_look_at(residuals[at == group]) for group in range(len(edges) + 1)]
    return Plausible(edges, *(np.array(values) for values in zip(*found, strict=True)))


def find_implausible(labels: "NDArray[np.float64]", answers: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """Positions of the rows whose label is implausible, the farthest first."""
    far = learn_plausible(labels, answers).measure(labels, answers)
    found = np.flatnonzero(far >= 1)
    return found[np.argsort(-far[found], kind="stable")]


def _look_at(residuals: "NDArray[np.float64]") -> tuple[float, float]:
    if not len(residuals):
        return 0.0, float("inf")
    centre = float(np.median(residuals))
    away = np.abs(residuals - centre)
    spread = float(np.median(away)) / _NORMAL or float(np.mean(away)) / _NORMAL_MEAN
    limit = max(OUTLYING * spread, DEVIATIONS * float(np.std(residuals)))
    return centre, limit or float("inf")


def express_distance(plausible: Plausible, label: Any, answer: Any) -> Any:
    """`measure` of Spark columns."""
    from pyspark.sql import functions as F

    centre, limit = F.lit(float(plausible.centres[-1])), F.lit(float(plausible.limits[-1]))
    for edge, a, b in reversed(list(zip(plausible.edges, plausible.centres[:-1], plausible.limits[:-1], strict=True))):
        centre = F.when(answer <= float(edge), float(a)).otherwise(centre)
        limit = F.when(answer <= float(edge), float(b)).otherwise(limit)
    return F.abs(label.cast("double") - answer - centre) / limit
