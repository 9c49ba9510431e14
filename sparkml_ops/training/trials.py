"""One trial of a search: what it tried, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

TrialStatus = Literal["ok", "failed", "cancelled"]


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what became of it.

    Attributes:
        number: Counts from 0, in the order in which they were proposed.
        draw: What was drawn (`space.py`).
        params: All parameters, fixed ones too.
        status: Failed trials have a cause; cancelled ones were stopped because the search ended.
        loss: What is minimised; None unless it is ok.
        metrics: Figures on the tuning rows.
        rounds: Boosting rounds at the best figure.
        started_at: When it started, UTC.
        ended_at: When it ended, UTC.
        peak_mb: The most memory that its worker had while it ran, in megabytes; None where the system does not tell.
        cause: Why it failed; the last line says it shortest.
    """

    number: int
    draw: Mapping[str, float]
    params: Mapping[str, Any]
    status: TrialStatus
    loss: float | None
    metrics: Mapping[str, float]
    rounds: int
    started_at: datetime
    ended_at: datetime
    peak_mb: float | None = None
    cause: str | None = None


def find_best(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest loss, the earliest of equals."""
    return min((trial for trial in trials if trial.loss is not None), key=lambda trial: (trial.loss, trial.number))
