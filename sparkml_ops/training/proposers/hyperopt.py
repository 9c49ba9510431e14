"""Hyperopt: its space, its algorithms, and its record of trials. It is asked for one proposal at a time, and runs nothing itself."""

import logging
import math
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from sparkml_ops.config.search import Distribution, Search, Space
from sparkml_ops.errors import ConfigError
from sparkml_ops.models.tracking import quiet_loggers
from sparkml_ops.training.proposers._base import seed_of
from sparkml_ops.training.space import list_dimensions, nested_space

_NOT_ADAPTIVE = ("uniformint", "qnormal", "qlognormal", "pchoice")
_CHATTY_LOGGERS = ("hyperopt", "hyperopt.tpe", "hyperopt.atpe")


class HyperoptProposer:
    """Proposes by `model.search.algorithm`."""

    def __init__(self, search: Search) -> None:
        """Make Hyperopt's space.

        Raises:
            ConfigError: The adaptive algorithm does not know one of the distributions.
        """
        from hyperopt import Trials
        from hyperopt.base import Domain

        for label, distribution in list_dimensions(search.space):
            if search.algorithm == "adaptive" and distribution.kind in _NOT_ADAPTIVE:
                raise ConfigError(
                    f"model.search.space, {label}: found {distribution.kind}, which Hyperopt's adaptive algorithm does not know; "
                    "use quniform, randint or choice, or algorithm: tpe."
                )
        self._search = search
        self._domain = Domain(lambda drawn: drawn, build_space(search.space))
        self._trials = Trials()

    def propose(self, number: int) -> dict[str, float]:
        """The draw of the trial of this number; with the same trials told, always the same."""
        with _quiet_hyperopt():
            (record,) = self._suggest(number, seed_of(self._search.seed, number))
        return {label: float(values[0]) for label, values in record["misc"]["vals"].items() if values}

    def learn(self, number: int, draw: Mapping[str, float], loss: float | None) -> None:
        """Add a trial to Hyperopt's record, which has no use for one without a loss."""
        from hyperopt.base import JOB_STATE_DONE, STATUS_OK
        from hyperopt.utils import coarse_utcnow

        if loss is None:
            return
        labels = list(self._domain.params)
        misc = {
            "tid": number,
            "cmd": self._domain.cmd,
            "workdir": None,
            "idxs": {label: [number] * (label in draw) for label in labels},
            "vals": {
                label: [_to_drawn(self._domain.params[label], draw[label])] if label in draw else [] for label in labels
            },
        }
        (record,) = self._trials.new_trial_docs([number], [None], [{"status": STATUS_OK, "loss": loss}], [misc])
        record["state"] = JOB_STATE_DONE
        record["book_time"] = record["refresh_time"] = coarse_utcnow()  # the adaptive algorithm reads them
        self._trials.insert_trial_docs([record])
        self._trials.refresh()

    def _suggest(self, number: int, seed: int) -> Any:
        from hyperopt import anneal, atpe, rand, tpe

        search, asked = self._search, ([number], self._domain, self._trials, seed)
        if search.algorithm == "tpe":
            # Hyperopt's own 20 random trials would be all there are in a search of 20.
            return tpe.suggest(*asked, n_startup_jobs=min(20, max(5, search.max_trials // 3)), verbose=False)
        if search.algorithm == "adaptive":
            with _seed_everything(seed):
                return atpe.suggest(*asked)
        return {"random": rand, "anneal": anneal}[search.algorithm].suggest(*asked)


def build_space(space: Space) -> dict[str, Any]:
    """Hyperopt's expression of each dimension; one of no meaning where there is none, since Hyperopt needs one."""
    from hyperopt import hp

    return _build_expressions(space, "") or {"_nothing": hp.choice("_nothing", [None])}


def _build_expressions(space: Space, prefix: str) -> dict[str, Any]:
    return {name: _build_expression(f"{prefix}{name}", distribution) for name, distribution in space.items()}


def _build_expression(label: str, distribution: Distribution) -> Any:
    from hyperopt import hp

    options = [
        _build_expressions(nested_space(option), f"{label}/{position}/") or position
        for position, option in enumerate(distribution.options)
    ]
    if distribution.choice is not None:
        return hp.choice(label, options)
    if distribution.pchoice is not None:
        return hp.pchoice(
            label, [(weighted.p, option) for weighted, option in zip(distribution.pchoice, options, strict=True)]
        )
    kind, numbers = distribution.kind, list(distribution.numbers)
    if "log" in kind:  # Hyperopt wants logarithms, and the step as it is
        numbers[0] = math.log(numbers[0])
        if kind.endswith("uniform"):
            numbers[1] = math.log(numbers[1])
    if kind.endswith("int"):
        numbers = [int(number) for number in numbers]
    return getattr(hp, kind)(label, *numbers)


def _to_drawn(expression: Any, value: float) -> float:
    """Hyperopt takes positions and whole numbers as integers only."""
    return int(value) if expression.name in {"randint", "categorical", "uniformint"} else value


@contextmanager
def _seed_everything(seed: int) -> Iterator[None]:
    """The adaptive algorithm takes no seed: it draws from the process's own generators, which go on afterwards as if it had not."""
    before, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002  # they are what it draws from
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of correlations of too few trials
            yield
    finally:
        random.setstate(before)
        np.random.set_state(numbers)  # noqa: NPY002


@contextmanager
def _quiet_hyperopt() -> Iterator[None]:
    """Keep Hyperopt's notes off stderr: what they say is in the trials."""
    import hyperopt  # noqa: F401  # it sets its loggers' levels when it is imported

    with quiet_loggers(_CHATTY_LOGGERS, logging.CRITICAL):
        yield
