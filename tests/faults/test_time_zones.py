"""The same instants, whatever zone the machine, its JVM and its clock changes are in."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bad_shop import shop
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, read_table

COLUMNS = {"id": {"type": "string"}, "at": {"type": "timestamp"}, "day": {"type": "date"}, "seconds": {"type": "long"}}
DERIVED = {"told": "timestamp_seconds(seconds)", "midnight": "CAST(day AS timestamp)"}
MOMENTS = {
    "in the hour that New York leaves out": ("2026-03-08 02:30:00", datetime(2026, 3, 8, 2, 30, tzinfo=UTC)),
    "in the hour that New York has twice": ("2026-11-01T01:30:00", datetime(2026, 11, 1, 1, 30, tzinfo=UTC)),
    "the same, by its offset": ("2026-11-01T01:30:00-05:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    "on the day that Samoa never had": ("2011-12-30 12:00:00.000001", datetime(2011, 12, 30, 12, 0, 0, 1, tzinfo=UTC)),
    "on a leap day": ("2024-02-29 23:59:59", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    "before 1970": ("1969-12-31 23:59:59", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
}


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])
def zone(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[str]:
    """The zone of this process and of its JVM while a test runs; that of the session stays UTC."""
    zones, before, python = spark._jvm.java.util.TimeZone, os.environ.get("TZ"), str(request.param)
    jvm = zones.getDefault()
    os.environ["TZ"] = python
    time.tzset()
    zones.setDefault(zones.getTimeZone(python))
    yield python
    zones.setDefault(jvm)
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def seconds_of(lake: Lake) -> dict[str, tuple[int, ...]]:
    """Instants by key, in microseconds since 1970; no value passes through Python's own zone."""
    rows = read_table(lake, "clean_orders").select(
        "id", *(F.unix_micros(name) for name in ("at", "told", "midnight")), F.col("day").cast("string")
    )
    return {row[0]: tuple(row[1:]) for row in rows.collect()}


def expected() -> dict[str, tuple[int | str, ...]]:
    found: dict[str, tuple[int | str, ...]] = {}
    for key, (_, at) in MOMENTS.items():
        micros = round(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond
        midnight = round(at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000
        found[key] = (micros, micros - at.microsecond, midnight, f"{at:%Y-%m-%d}")
    return found


def test_texts_are_the_same_instants(lake: Lake, tmp_path: Path, environment: Environment, zone: str) -> None:
    lines = [
        f"{key};{text};{at:%Y-%m-%d};{round(at.replace(microsecond=0).timestamp())}"
        for key, (text, at) in MOMENTS.items()
    ]
    (tmp_path / "a.csv").write_text("\n".join(["id;at;day;seconds", *lines]))
    ingest(shop(tmp_path / "a.csv", environment, columns=COLUMNS, derive=DERIVED, delimiter=";", key=["id"]), lake)
    assert seconds_of(lake) == expected(), zone


@pytest.mark.parametrize("kind", ["us, UTC", "us, none", "ms, UTC", "us, America/New_York"])
def test_parquet_of_any_kind_has_the_same_instants(
    lake: Lake, tmp_path: Path, environment: Environment, zone: str, kind: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    unit, _, of = kind.partition(", ")
    moments = [at.replace(microsecond=0) for _, at in MOMENTS.values()]
    values = [round(at.timestamp()) * {"ms": 10**3, "us": 10**6}[unit] for at in moments]
    columns = {
        "id": list(MOMENTS),
        "at": pa.array(values, pa.int64()).cast(pa.timestamp(unit, None if of == "none" else of)),
        "day": pa.array([at.date() for at in moments], pa.date32()),
        "seconds": pa.array([round(at.timestamp()) for at in moments], pa.int64()),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    use_case = shop(tmp_path / "a.parquet", environment, format="parquet", columns=COLUMNS, derive=DERIVED, key=["id"])
    ingest(use_case, lake)
    wanted = {key: (told, told, midnight, day) for key, (_, told, midnight, day) in expected().items()}
    assert seconds_of(lake) == wanted, zone
