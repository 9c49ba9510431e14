"""What a feature column is made of, down to what comes in; and views and columns found by words."""

from pathlib import Path

import pytest
from config_sample import USE_CASE

from sparkml_ops.config.column_reads import list_personal_features, trace_view
from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.config.view_search import search_views, suggest_word
from tests.flights_sample import PROJECT


@pytest.fixture(scope="module")
def use_case() -> UseCase:
    return load_use_case("flights", env="local", conf_dir=PROJECT / "conf")


def trace(use_case: UseCase, **keys: object) -> dict[str, tuple[tuple[str, ...], bool]]:
    view = FeatureView.model_validate({"entity": ["origin"], "timestamp": "dep_at", "from": "flights"} | keys)
    traced = trace_view(use_case.model_copy(update={"features": {"v": view}}), "v")
    return {name: (reads.columns, reads.is_known) for name, reads in traced.items()}


def test_an_expression_reads_the_columns_in_it(use_case: UseCase) -> None:
    view = trace_view(use_case, "origin_weather")
    assert view["gust"].columns == ("weather.wind_gust", "weather.wind_speed")
    assert view["origin"].columns == ("weather.origin", "weather.observed_at")
    assert view["origin"].raw == ("weather.origin", "weather.time_hour")


def test_a_query_is_followed_through_joins_and_names(use_case: UseCase) -> None:
    traced = trace_view(use_case, "carrier_delays")
    assert traced["dep_delay_p90_1d"].columns == ("flights.dep_delay",)
    assert set(traced["carrier"].columns) == {"flights.carrier", "flights.dep_at", "flights.arr_time", "airports.tzone"}
    assert {"flights.time_hour", "flights.minute"} <= set(traced["carrier"].raw)


def test_a_view_of_a_view_is_followed_to_the_sources(use_case: UseCase) -> None:
    second = {"entity": ["origin"], "timestamp": "timestamp", "known_at": "_known_at"}
    views = {
        "plain": second | {"from": "features_origin_weather", "select": {"more": "gust + 1"}},
        "asked": second
        | {
            "from": "SELECT *, temp AS warm FROM features_plain JOIN features_origin_weather USING (origin)",
            "select": {"warm": "warm"},
        },
    }
    features = use_case.features | {name: FeatureView.model_validate(view) for name, view in views.items()}
    changed = use_case.model_copy(update={"features": features})
    assert trace_view(changed, "plain")["more"].columns == ("weather.wind_gust", "weather.wind_speed")
    assert set(trace_view(changed, "plain")["origin"].columns) == {"weather.origin", "weather.observed_at"}
    assert trace_view(changed, "asked")["warm"].columns == ("weather.temp",)


def test_conditions_buckets_and_ratios_count(use_case: UseCase) -> None:
    aggregate = {
        "of": "air_time",
        "ops": ["sum"],
        "windows": ["1d"],
        "where": "distance > 5",
        "by": {"carrier": ["UA"]},
    }
    found = trace(use_case, aggregate=[aggregate], derive={"share": "air_time_sum_UA_1d / 2"})
    both = (("flights.air_time", "flights.distance", "flights.carrier"), True)
    assert (found["air_time_sum_UA_1d"], found["share"]) == (both, both)


@pytest.mark.parametrize(
    ("relation", "sql", "expected"),
    [
        ({"sql": "SELECT *, dep_delay * 2 AS d FROM flights"}, "d", (("flights.dep_delay",), True)),
        ({"sql": "WITH a AS (SELECT dep_delay z, * FROM clean_flights) SELECT *, z + 1 AS q FROM a"}, "q + z", (("flights.dep_delay",), True)),
        ({"sql": "SELECT origin, dep_at, count(*) AS n FROM flights GROUP BY ALL"}, "n", ((), True)),
        ({"sql": "SELECT f.*, a.lat FROM flights f JOIN airports a ON f.dest = a.faa"}, "LAT", (("airports.lat",), True)),
        ({"python": "some.module:function"}, "anything", ((), False)),
        ("flights", "1", ((), True)),
    ],
)  # fmt: skip
def test_forms_of_a_relation(use_case: UseCase, relation: object, sql: str, expected: object) -> None:
    assert trace(use_case, **{"from": relation, "select": {"c": sql}})["c"] == expected


def test_every_column_of_the_flights_is_traced(use_case: UseCase) -> None:
    assert all(
        reads.is_known and reads.raw for view in use_case.features for reads in trace_view(use_case, view).values()
    )


def test_views_and_columns_are_found_by_all_words_nearest_first(use_case: UseCase) -> None:
    found = [(hit.view, hit.column) for hit in search_views(use_case, "p90 AIRPORT")]
    assert found[0][0] == "origin_delays"
    assert set(found[0:3]) == {("origin_delays", f"dep_delay_p90_{window}") for window in ("1h", "3h", "1d")}
    first = search_views(use_case, "plane")[0]
    assert (first.view, first.column) == ("plane", None)
    assert {hit.view for hit in search_views(use_case, "ops@example.org")} == set(use_case.features)
    assert search_views(use_case, "  ") == search_views(use_case, "nothing of it") == []
    assert suggest_word(use_case, "carier_delays") == "carrier_delays"


def test_descriptions_of_columns_are_found_too(use_case: UseCase) -> None:
    plane = use_case.features["plane"].model_copy(
        update={"columns": FeatureView.model_validate({"entity": ["a"], "from": "b", "select": {"seats": "seats"}, "columns": {"seats": {"description": "Sitzplätze", "owner": "ann"}}}).columns}
    )  # fmt: skip
    described = use_case.model_copy(update={"features": {"plane": plane}})
    (hit,) = search_views(described, "SITZPLÄTZE")
    assert (hit.view, hit.column, hit.where) == ("plane", "seats", ("meaning",))
    assert [one.column for one in search_views(described, "ann")] == ["seats"]


def test_personal_data_is_followed_into_the_training_row(project: Path) -> None:
    derived = 'weekday: "dayofweek(ordered_on)"'
    text = USE_CASE.replace("age: {type: int}", "age: {type: int, pii: true}").replace(
        "channel: {type: string,", "channel: {type: string, pii: true,"
    )
    assert list_personal_features(load_use_case("shop")) == frozenset()
    (project / "conf" / "shop.yml").write_text(
        text.replace(derived, f"{derived}\n    decade: floor(customer__AGE / 10)\n    is_old: decade > 6")
    )
    assert list_personal_features(load_use_case("shop")) == {
        "channel", "customer__age", "customer__is_adult", "decade", "is_old",
    }  # fmt: skip
