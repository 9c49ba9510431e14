"""Optuna, an extra: its samplers propose, and run nothing themselves."""

import warnings
from collections.abc import Mapping
from typing import Any

from sparkml_ops.config.search import Distribution, Search, Space
from sparkml_ops.errors import ConfigError, SetupError
from sparkml_ops.training.proposers._base import seed_of
from sparkml_ops.training.space import list_dimensions, nested_space

_ALGORITHMS = ("tpe", "random")
_MISSING_KINDS = ("normal", "qnormal", "lognormal", "qlognormal", "pchoice")


class OptunaProposer:
    """Proposes by Optuna's TPE or at random; an interrupted search is told again and goes on."""

    def __init__(self, search: Search) -> None:
        """Refuse what Optuna does not have.

        Raises:
            SetupError: Optuna is not installed.
            ConfigError: The algorithm or a distribution is none of Optuna's.
        """
        try:
            import optuna
        except ImportError as error:
            raise SetupError(
                "model.search.backend: optuna needs an extra: pip install 'sparkml-ops[optuna]'"
            ) from error
        _refuse_unknown(search)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._search, self._optuna = search, optuna
        self._study = optuna.create_study(direction="minimize")

    def propose(self, number: int) -> dict[str, float]:
        """The draw of the trial of this number; with the same trials told, always the same."""
        samplers, seed = self._optuna.samplers, seed_of(self._search.seed, number)
        startup = min(20, max(5, self._search.max_trials // 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of options that Optuna calls experimental
            self._study.sampler = (
                samplers.RandomSampler(seed)
                if self._search.algorithm == "random"
                else samplers.TPESampler(n_startup_trials=startup, seed=seed, constant_liar=True)
            )
        trial = self._study.ask()
        draw = self._ask(trial, self._search.space, prefix="")
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)  # what it was worth is told by `learn`
        return draw

    def learn(self, number: int, draw: Mapping[str, float], loss: float | None) -> None:  # noqa: ARG002  # Optuna numbers by itself
        """Add a trial to Optuna's study."""
        if loss is None:
            return
        dimensions = {label: one for label, one in list_dimensions(self._search.space) if label in draw}
        distributions = {label: self._to_optuna(one) for label, one in dimensions.items()}
        values = {label: _to_value(one, draw[label]) for label, one in dimensions.items()}
        self._study.add_trial(self._optuna.trial.create_trial(params=values, distributions=distributions, value=loss))

    def _ask(self, trial: Any, space: Space, *, prefix: str) -> dict[str, float]:
        draw: dict[str, float] = {}
        for name, distribution in space.items():
            label = f"{prefix}{name}"
            value = self._ask_one(trial, label, self._to_optuna(distribution))
            draw[label] = float(value)
            if distribution.options:
                option = distribution.options[int(value)]
                draw |= self._ask(trial, nested_space(option), prefix=f"{label}/{int(value)}/")
        return draw

    def _ask_one(self, trial: Any, label: str, distribution: Any) -> float:
        kinds = self._optuna.distributions
        if isinstance(distribution, kinds.CategoricalDistribution):
            return float(trial.suggest_categorical(label, distribution.choices))
        suggest = trial.suggest_int if isinstance(distribution, kinds.IntDistribution) else trial.suggest_float
        return float(suggest(label, distribution.low, distribution.high, log=distribution.log))

    def _to_optuna(self, distribution: Distribution) -> Any:
        kinds = self._optuna.distributions
        if distribution.options:
            return kinds.CategoricalDistribution(tuple(range(len(distribution.options))))
        kind, (low, high, *_) = distribution.kind, distribution.numbers
        if kind == "randint":
            return kinds.CategoricalDistribution(tuple(range(int(low), int(high))))
        if kind == "uniformint":
            return kinds.IntDistribution(int(low), int(high))
        if "log" in kind:  # steps are taken when the draw is read
            return kinds.FloatDistribution(low, high, log=True)
        return kinds.FloatDistribution(low, high)


def _to_value(distribution: Distribution, drawn: float) -> float:
    is_whole = bool(distribution.options) or distribution.kind.endswith("int")
    return int(drawn) if is_whole else drawn


def _refuse_unknown(search: Search) -> None:
    if search.algorithm not in _ALGORITHMS:
        raise ConfigError(
            f"model.search.algorithm: found {search.algorithm}, which Optuna does not have; expected {' or '.join(_ALGORITHMS)}, "
            "or backend: hyperopt."
        )
    for label, distribution in list_dimensions(search.space):
        if distribution.kind in _MISSING_KINDS:
            raise ConfigError(
                f"model.search.space, {label}: found {distribution.kind}, which Optuna does not have; use bounds, or backend: hyperopt."
            )
