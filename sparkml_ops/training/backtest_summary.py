"""What the windows of a backtest say together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparkml_ops.models import HIGHER_IS_BETTER

FIRST = "first"
"""The model of the first window that could be fitted, asked in all later ones."""
_LEAST_GAINS = 3  # of fewer windows nothing is said about the mean
Figures = Mapping[str, Mapping[str, Mapping[str, float | None]]]


@dataclass(frozen=True)
class Spread:
    """The metric of one model over the windows; `deviation` is the standard deviation, None of fewer than two."""

    windows: int
    mean: float | None
    deviation: float | None
    lowest: float | None
    highest: float | None


def summarize_windows(figures: Sequence[Figures], metric: str) -> dict[str, Spread]:
    """The metric over all windows that were judged, by model."""
    models = dict.fromkeys(model for one in figures for model in one)
    return {model: _spread([_read(one, model, metric) for one in figures]) for model in models}


def tell_ageing(figures: Sequence[Figures], metric: str) -> str:
    """Whether a model gets worse with its age: that of the first window beside the one fitted just before each later one.

    The mean of the differences has an interval by Student's t. Windows share rows to fit on, so that it is a rough one.
    """
    from scipy.stats import t

    pairs = [(_read(one, "candidate", metric), _read(one, FIRST, metric)) for one in figures]
    sign = 1 if metric in HIGHER_IS_BETTER else -1
    losses = np.array([sign * (fresh - old) for fresh, old in pairs if fresh is not None and old is not None])
    if len(losses) < _LEAST_GAINS:
        return f"whether it gets worse with age cannot be told from {len(losses)} windows after the first; {_LEAST_GAINS} are needed"
    mean = float(losses.mean())
    half = float(t.ppf(0.975, len(losses) - 1) * losses.std(ddof=1) / np.sqrt(len(losses)))
    told = (
        f"the model of the first window, asked in the {len(losses)} later ones, loses {mean:.4f} [{mean - half:.4f}, {mean + half:.4f}] of "
        f"{metric} on average against one fitted just before each"
    )
    if mean - half > 0:
        return f"it gets worse with age: {told}"
    if mean + half < 0:
        return f"newer rows make it worse: {told}"
    return f"no ageing that these windows could show: {told}"


def _read(figures: Figures, model: str, metric: str) -> float | None:
    return figures.get(model, {}).get(metric, {}).get("value")


def _spread(values: Sequence[float | None]) -> Spread:
    known = [value for value in values if value is not None]
    if not known:
        return Spread(0, None, None, None, None)
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(len(known), float(np.mean(known)), deviation, min(known), max(known))
