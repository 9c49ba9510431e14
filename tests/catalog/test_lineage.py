"""Who reads and writes what, and what a change reaches: by the configuration alone."""

import pytest

from sparkml_ops.catalog import follow_downstream, list_step_tables
from sparkml_ops.catalog.meanings import find_kind, find_meaning
from sparkml_ops.catalog.rules import list_rules
from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.pipeline import list_steps
from tests.flights_sample import PROJECT


@pytest.fixture(scope="module")
def use_case() -> UseCase:
    return load_use_case("flights", env="local", conf_dir=PROJECT / "conf")


def test_the_steps_are_those_of_the_pipeline_in_their_order(use_case: UseCase) -> None:
    assert [step.step for step in list_step_tables(use_case)] == [step.name for step in list_steps(use_case)]


@pytest.mark.parametrize(
    ("table", "steps"),
    [
        ("clean_planes", ["features:plane", "dataset", "train", "promote", "score", "monitor"]),
        ("training_set_ts_1", ["train", "promote", "score", "monitor"]),
        ("predictions", ["monitor"]),
        ("quarantine_flights", []),
        ("alerts", []),
    ],
)
def test_a_change_reaches_what_reads_it_and_what_is_made_of_that(
    use_case: UseCase, table: str, steps: list[str]
) -> None:
    assert list(follow_downstream(table, list_step_tables(use_case))) == steps


def test_what_a_table_means_is_told_from_the_configuration(use_case: UseCase) -> None:
    weather = find_meaning(use_case, "clean_weather")
    assert weather is not None
    assert weather.comment == "Hourly observations at the three airports"
    assert weather.columns["temp"] == "degrees Fahrenheit"
    assert weather.columns["observed_at"] == "derived: time_hour"
    assert weather.columns["_batch_id"] == "the batch that brought the row; see ingested_files"
    assert weather.never_null == ("origin", "observed_at")
    assert weather.properties["sparkml_ops.owner"] == "ops@example.org"
    assert weather.properties["sparkml_ops.primary_key"] == "origin, observed_at"
    delays = find_meaning(use_case, "features_carrier_delays")
    assert delays is not None
    assert delays.columns["dep_delay_p90_1d"] == "p90 of dep_delay over the last 1d"
    assert find_meaning(use_case, "somebody_elses") is None
    assert [find_kind(name) for name in ("quarantine_decisions", "quarantine_flights", "training_sets", "x")] == [
        *("ledger", "quarantine", "ledger", "other")
    ]


def test_rules_of_a_contract_in_words(use_case: UseCase) -> None:
    flights = use_case.sources["flights"]
    assert list_rules(flights, "flight_id") == ("key: unique and never null",)
    assert list_rules(flights, "dep_delay") == ("from -120 to 2000",)
    assert list_rules(flights, "dest") == ("never null", "matches [A-Z]{3}")
    warns = flights.model_copy(update={"on_violation": "warn"})
    assert list_rules(warns, "origin") == ("never null (only warns)", "one of EWR, JFK, LGA (only warns)")
