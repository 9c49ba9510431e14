"""Hyperopt: its space, its algorithms, and its record of trials. It is asked for one proposal at a time, and runs nothing itself."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sparkml_ops.config.search import Distribution, Search, Space
from sparkml_ops.training.proposers._base import seed_of
from sparkml_ops.training.space import nested_space

_CHATTY_LOGGERS = ("hyperopt", "hyperopt.tpe", "hyperopt.atpe")


class HyperoptProposer:
    """Proposes by `model.search.algorithm`."""

    def __init__(self, search: Search) -> None:
        from hyperopt import Trials
        from hyperopt.base import Domain

        self._search = search
        self._domain = Domain(lambda drawn: drawn, build_space(search.space))
        self._trials = Trials()

    def propose(self, number: int) -> dict[str, float]:
        """The draw of the trial of this number; with the same trials told, always the same."""
        with _quiet_hyperopt():
            (record,) = self._suggest(number, seed_of(self._search.seed, number))
        return {label: float(values[0]) for label, values in record["misc"]["vals"].items() if values}

    def learn(self, number: int, draw: Mapping[str, float], loss: float | None) -> None:
        """Add a trial to Hyperopt's record."""
        from hyperopt.base import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK

        labels = list(self._domain.params)
        misc = {
            "tid": number,
            "cmd": self._domain.cmd,
            "workdir": None,
            "idxs": {label: [number] * (label in draw) for label in labels},
            "vals": {label: [_to_drawn(self._domain.params[label], draw[label])] if label in draw else [] for label in labels},
        }
        result: dict[str, Any] = {"status": STATUS_FAIL} if loss is None else {"status": STATUS_OK, "loss": loss}
        (record,) = self._trials.new_trial_docs([number], [None], [result], [misc])
        record["state"] = JOB_STATE_DONE
        self._trials.insert_trial_docs([record])
        self._trials.refresh()

    def _suggest(self, number: int, seed: int) -> Any:
        from hyperopt import anneal, atpe, rand, tpe

        search, asked = self._search, ([number], self._domain, self._trials, seed)
        if search.algorithm == "tpe":
            # Hyperopt's own 20 random trials would be all there are in a search of 20.
            return tpe.suggest(*asked, n_startup_jobs=min(20, max(5, search.max_trials // 3)), verbose=False)
        return {"random": rand, "anneal": anneal, "adaptive": atpe}[search.algorithm].suggest(*asked)


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
        return hp.pchoice(label, [(weighted.p, option) for weighted, option in zip(distribution.pchoice, options, strict=True)])
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
def _quiet_hyperopt() -> Iterator[None]:
    """Keep Hyperopt's notes off stderr: what they say is in the trials."""
    import hyperopt  # noqa: F401  # it sets its loggers' levels when it is imported

    levels = {name: logging.getLogger(name).level for name in _CHATTY_LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
