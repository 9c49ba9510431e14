"""The order of the steps, read from what each relation names."""

import pytest

from sparkml_ops.config.load import load_use_case
from sparkml_ops.pipeline import list_steps
from tests.flights_sample import PROJECT


@pytest.fixture(scope="module")
def steps() -> dict[str, tuple[str, ...]]:
    use_case = load_use_case("flights", env="local", conf_dir=PROJECT / "conf")
    return {step.name: step.follows for step in list_steps(use_case)}


def test_a_step_comes_after_all_that_it_follows(steps: dict[str, tuple[str, ...]]) -> None:
    order = list(steps)
    assert all(order.index(before) < order.index(name) for name, follows in steps.items() for before in follows)


def test_a_view_follows_the_sources_that_its_query_names(steps: dict[str, tuple[str, ...]]) -> None:
    assert steps["features:origin_weather"] == ("ingest:weather",)
    assert steps["features:plane_delays"] == ("ingest:flights", "ingest:airports")
    assert steps["features:plane"] == ("ingest:planes",)


def test_the_road_ends_in_monitoring(steps: dict[str, tuple[str, ...]]) -> None:
    assert list(steps)[-5:] == ["dataset", "train", "promote", "score", "monitor"]
    assert "promote" in steps["score"]
    assert steps["monitor"] == ("ingest:flights", "score")
