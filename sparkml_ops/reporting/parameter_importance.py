"""Which parameters the figure of the trials depends on: a random forest on the trials, and the values of one parameter shuffled. Pure.

Importance is how much worse the forest predicts trials that it was not fitted on when one parameter's values are shuffled among
them (Breiman 2001, "Random Forests", section 10), in five folds, as a share of what all parameters lose together. A forest on trials as the model of a
search: Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter Importance". Figures are replaced
by their ranks, so that one trial that went astray does not count for all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.reporting.parameter_axes import ParameterAxis
from sparkml_ops.reporting.searched import TriedParams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MINIMUM_TRIALS, TRIALS_PER_PARAMETER = 12, 4
TREES, REPEATS, FOLDS, SEED = 100, 20, 5, 0
_ABSENT = -1.0  # below all places, which are from 0 to 1


@dataclass(frozen=True)
class ParameterImportance:
    """How far the trials tell of parameters.

    Attributes:
        shares: By parameter, largest first; together 1, or all 0 where shuffling made nothing worse.
        explained: Share of the variance that the forest explains in trials that it has not seen; at most 1.
        trials: Trials that it rests on.
    """

    shares: tuple[tuple[str, float], ...]
    explained: float
    trials: int


def count_needed(axes: Sequence[ParameterAxis]) -> int:
    """Trials below which importance would be chance."""
    return max(MINIMUM_TRIALS, TRIALS_PER_PARAMETER * len(axes))


def find_importance(trials: Sequence[TriedParams], axes: Sequence[ParameterAxis]) -> ParameterImportance | None:
    """The importance of each parameter that was varied; None when the trials are too few, or all alike."""
    import numpy as np
    from scipy.stats import rankdata
    from sklearn.model_selection import KFold

    known = [trial for trial in trials if trial.figure is not None]
    if not axes or len(known) < count_needed(axes) or len({trial.figure for trial in known}) == 1:
        return None
    places = [[axis.find_place(trial.params) for axis in axes] for trial in known]
    matrix = np.array([[_ABSENT if place is None else place for place in row] for row in places])
    ranks = rankdata([trial.figure for trial in known])
    random = np.random.default_rng(SEED)
    folds = KFold(FOLDS, shuffle=True, random_state=SEED).split(matrix)
    errors = np.sum([_measure_fold(matrix, ranks, fold, random) for fold in folds], axis=0) / len(known)
    lost = np.maximum(errors[1:] - errors[0], 0)  # below zero is chance
    parts = lost / (lost.sum() or 1.0)
    shares = sorted(
        zip((axis.name for axis in axes), map(float, parts), strict=True), key=lambda one: (-one[1], one[0])
    )
    return ParameterImportance(tuple(shares), float(1 - errors[0] / ranks.var()), len(known))


def _measure_fold(
    matrix: "NDArray[np.float64]",
    ranks: "NDArray[np.float64]",
    fold: "tuple[NDArray[np.int64], NDArray[np.int64]]",
    random: "np.random.Generator",
) -> "NDArray[np.float64]":
    """Sums of squared errors over the trials left out: as they are, then with each parameter shuffled, the mean of all repeats."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    fitted, left_out = fold
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=SEED, n_jobs=1)
    forest.fit(matrix[fitted], ranks[fitted])
    asked = np.repeat(matrix[left_out][None], 1 + matrix.shape[1] * REPEATS, axis=0)
    for number in range(1, len(asked)):
        column = (number - 1) // REPEATS
        # drawn from all trials: a fold has too few values of its own
        asked[number, :, column] = random.choice(matrix[:, column], size=len(left_out))
    answers = forest.predict(asked.reshape(-1, matrix.shape[1])).reshape(len(asked), -1)
    squares = ((answers - ranks[left_out]) ** 2).sum(axis=1)
    return np.concatenate([squares[:1], squares[1:].reshape(-1, REPEATS).mean(axis=1)])
