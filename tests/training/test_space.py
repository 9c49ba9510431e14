"""What is written in the configuration is what is drawn, by each backend."""

from typing import Any

import numpy as np
import pytest

from sparkml_ops.config.search import Search, list_params
from sparkml_ops.errors import ConfigError
from sparkml_ops.training.proposers import Proposer, open_proposer
from sparkml_ops.training.space import decode_draw

BACKENDS = ["hyperopt", "optuna"]
NESTED = {
    "boosting": {
        "choice": ["gbdt", {"boosting": "dart", "drop_rate": {"uniform": [0.1, 0.5]}, "skip_drop": 0.5}],
    },
    "leaves": {"quniform": [2, 8, 1]},
}


def make_search(space: dict[str, Any], **more: Any) -> Search:
    return Search.model_validate({"space": space, "algorithm": "random", **more}, strict=False)


def draw(distribution: dict[str, Any], times: int = 300, **more: Any) -> list[Any]:
    search = make_search({"x": distribution}, **more)
    proposer = open_proposer(search)
    return [decode_draw(search.space, proposer.propose(number))["x"] for number in range(times)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_loguniform_bounds_are_values_and_small_ones_come_as_often(backend: str) -> None:
    drawn = draw({"loguniform": [0.01, 1]}, backend=backend)
    assert 0.01 <= min(drawn) < 0.02
    assert 0.5 < max(drawn) <= 1
    assert 0.4 < np.mean(np.array(drawn) < 0.1) < 0.6


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_of_whole_numbers_give_whole_numbers(backend: str) -> None:
    drawn = draw({"quniform": [2, 6, 1]}, backend=backend)
    assert set(drawn) == {2, 3, 4, 5, 6}
    assert all(isinstance(value, int) for value in drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_never_leave_the_bounds(backend: str) -> None:
    assert set(draw({"quniform": [7, 21, 5]}, backend=backend)) == {7, 10, 15, 20}
    assert min(draw({"qloguniform": [3, 300, 10]}, backend=backend)) == 3


def test_steps_of_fractions_give_fractions() -> None:
    assert set(np.round(draw({"quniform": [0.5, 1, 0.25]}), 9)) == {0.5, 0.75, 1.0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_numbers_have_the_bounds_that_hyperopt_gives_them(backend: str) -> None:
    assert set(draw({"uniformint": [1, 4]}, backend=backend)) == {1, 2, 3, 4}
    assert set(draw({"randint": [1, 4]}, backend=backend)) == {1, 2, 3}


def test_normals_have_the_mean_and_the_deviation_that_are_written() -> None:
    drawn = np.array(draw({"normal": [5, 2]}))
    assert abs(drawn.mean() - 5) < 0.4
    assert abs(drawn.std() - 2) < 0.3
    logs = np.log(draw({"lognormal": [100, 0.5]}))
    assert abs(logs.mean() - np.log(100)) < 0.1
    assert abs(logs.std() - 0.5) < 0.1
    assert {value % 0.5 for value in draw({"qnormal": [5, 2, 0.5]})} == {0.0}
    assert all(isinstance(value, int) for value in draw({"qlognormal": [100, 1, 10]}))


@pytest.mark.parametrize("backend", BACKENDS)
def test_choices_come_as_they_were_written(backend: str) -> None:
    assert set(draw({"choice": ["gbdt", 3, None, True]}, backend=backend)) == {"gbdt", 3, None, True}


def test_options_with_probabilities_come_as_often() -> None:
    drawn = draw({"pchoice": [{"p": 0.8, "of": "often"}, {"p": 0.2, "of": "seldom"}]})
    assert 0.7 < np.mean([value == "often" for value in drawn]) < 0.9


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_option_may_bring_parameters_of_its_own(backend: str) -> None:
    search = make_search(NESTED, backend=backend)
    proposer = open_proposer(search)
    drawn = [decode_draw(search.space, proposer.propose(number)) for number in range(60)]
    dart = [params for params in drawn if params["boosting"] == "dart"]
    assert {frozenset(params) for params in dart} == {frozenset({"boosting", "drop_rate", "skip_drop", "leaves"})}
    assert all(0.1 <= params["drop_rate"] <= 0.5 and params["skip_drop"] == 0.5 for params in dart)
    assert {frozenset(params) for params in drawn if params["boosting"] == "gbdt"} == {
        frozenset({"boosting", "leaves"})
    }
    assert list_params(search.space) == ["boosting", "drop_rate", "skip_drop", "leaves"] or set(
        list_params(search.space)
    ) == {"boosting", "drop_rate", "skip_drop", "leaves"}


def go_on(proposer: Proposer, search: Search, numbers: range) -> list[Any]:
    """Draw, and tell what it was worth."""
    drawn = []
    for number in numbers:
        drawn.append(proposer.propose(number))
        loss = None if number == 3 else float(decode_draw(search.space, drawn[-1])["leaves"])
        proposer.learn(number, drawn[-1], loss)
    return drawn


@pytest.mark.parametrize(
    ("backend", "algorithm"),
    [
        *(("hyperopt", name) for name in ("tpe", "random", "anneal", "adaptive")),
        ("optuna", "tpe"),
        ("optuna", "random"),
    ],
)
def test_a_search_that_is_told_what_was_tried_goes_on_as_it_would_have(backend: str, algorithm: str) -> None:
    search = make_search(NESTED, algorithm=algorithm, backend=backend, max_trials=20)
    whole = go_on(open_proposer(search), search, range(14))
    later = open_proposer(search)
    for number, drawn in enumerate(whole[:9]):
        later.learn(number, drawn, None if number == 3 else float(decode_draw(search.space, drawn)["leaves"]))
    assert go_on(later, search, range(9, 14)) == whole[9:]


@pytest.mark.parametrize("backend", BACKENDS)
def test_tpe_finds_what_is_good_sooner_than_chance(backend: str) -> None:
    space = {"x": {"uniform": [-10, 10]}, "y": {"uniform": [-10, 10]}}

    def find(algorithm: str, seed: int) -> float:
        search = make_search(space, algorithm=algorithm, backend=backend, max_trials=45, seed=seed)
        proposer = open_proposer(search)
        losses = []
        for number in range(45):
            drawn = proposer.propose(number)
            losses.append((drawn["x"] - 3) ** 2 + (drawn["y"] + 2) ** 2)
            proposer.learn(number, drawn, losses[-1])
        return min(losses)

    learned, chance = (np.median([find(algorithm, seed) for seed in range(5)]) for algorithm in ("tpe", "random"))
    assert learned < chance


def test_what_the_adaptive_algorithm_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="space, x: found uniformint, which Hyperopt's adaptive algorithm"):
        open_proposer(make_search({"x": {"uniformint": [1, 3]}}, algorithm="adaptive"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"algorithm": "anneal", "space": {}}, "found anneal, which Optuna does not have; expected tpe or random"),
        ({"space": {"x": {"choice": [{"y": {"normal": [0, 1]}}]}}}, "x/0/y: found normal, which Optuna does not have"),
    ],
)
def test_what_optuna_does_not_have_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_proposer(Search.model_validate({"backend": "optuna", **more}, strict=False))


@pytest.mark.parametrize(
    ("distribution", "said"),
    [
        ({"uniform": [3, 1]}, "the lowest value before the highest"),
        ({"loguniform": [0, 1]}, "values above zero"),
        ({"lognormal": [0, 1]}, "values above zero"),
        ({"quniform": [0, 1, 0]}, "a step above zero"),
        ({"normal": [0, 0]}, "a standard deviation above zero"),
        ({"randint": [0.5, 3]}, "whole numbers"),
        ({"pchoice": [{"p": 0.5, "of": 1}]}, "add up to 1"),
        ({"choice": []}, "at least 1 item"),
        ({"choice": [{"y": {"uniform": [3, 1]}}]}, "the lowest value before the highest"),
        ({"uniform": [0, 1], "choice": [1]}, "exactly one of"),
        ({}, "exactly one of"),
        ({"uniform": [float("nan"), 1]}, "finite number"),
    ],
)
def test_a_distribution_that_cannot_be_is_refused(distribution: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_search({"x": distribution})
