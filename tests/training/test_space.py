"""What is written in the configuration is what is drawn."""

import numpy as np
import pytest
from hyperopt.pyll.stochastic import sample

from sparkml_ops.config.model import Distribution
from sparkml_ops.training.space import build_space, decode_params


def draw(distribution: dict, times: int = 300) -> list:
    space = {"x": Distribution.model_validate(distribution)}
    expressions, random = build_space(space), np.random.default_rng(0)
    return [decode_params(space, sample(expressions, random))["x"] for _ in range(times)]


def test_loguniform_bounds_are_values_and_small_ones_come_as_often() -> None:
    drawn = draw({"loguniform": [0.01, 1]})
    assert 0.01 <= min(drawn) < 0.02
    assert 0.5 < max(drawn) <= 1
    assert 0.4 < np.mean(np.array(drawn) < 0.1) < 0.6


def test_steps_of_whole_numbers_give_whole_numbers() -> None:
    drawn = draw({"quniform": [2, 6, 1]})
    assert set(drawn) == {2, 3, 4, 5, 6}
    assert all(isinstance(value, int) for value in drawn)


def test_steps_never_leave_the_bounds() -> None:
    assert set(draw({"quniform": [7, 21, 5]})) == {7, 10, 15, 20}
    assert min(draw({"qloguniform": [3, 300, 10]})) == 3


def test_steps_of_fractions_give_fractions() -> None:
    assert set(np.round(draw({"quniform": [0.5, 1, 0.25]}), 9)) == {0.5, 0.75, 1.0}


def test_choices_come_as_they_were_written() -> None:
    assert set(draw({"choice": ["gbdt", 3, None, True]})) == {"gbdt", 3, None, True}


@pytest.mark.parametrize("bounds", [[0, 1], [-5, 5]])
def test_uniform_draws_between_its_bounds(bounds: list[float]) -> None:
    drawn = draw({"uniform": bounds})
    assert bounds[0] <= min(drawn) < np.mean(bounds) < max(drawn) <= bounds[1]
