"""What a backend of the search can do."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Proposer(Protocol):
    """Says what to try next. It is told of every trial that ended, also of those of an earlier process."""

    def propose(self, number: int) -> Mapping[str, float]:
        """The draw of the trial of this number (`space.py`); with the same trials told, always the same."""
        ...

    def learn(self, number: int, draw: Mapping[str, float], loss: float | None) -> None:
        """Take in what became of a draw; no loss where the trial failed."""
        ...


def seed_of(seed: int, number: int) -> int:
    """A seed of its own for each trial, so that a search that goes on draws what it would have drawn."""
    return int(np.random.default_rng([seed, number]).integers(2**31 - 1))
