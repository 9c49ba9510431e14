"""Killed in the middle of stages and run again: the tables equal those of a run that was never killed.

By default at some of the points, evenly chosen; `SPARKML_OPS_TEST_KILLS=12` takes all of them, once each.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.lake import Lake, list_tables, read_table
from tests.flights_sample import make_project
from tests.flow_project import outside_environment, run_cli, shared_options

pytestmark = pytest.mark.slow

COMMIT = "sparkml_ops.lake.writes.commit_once"
POINTS = [
    f"during {COMMIT} clean_flights",
    f"after {COMMIT} clean_flights",
    f"before {COMMIT} features_route_delays",
    f"during {COMMIT} features_plane_delays",
    f"after {COMMIT} training_set_",
    "before sparkml_ops.training.train.register_model",
    "after sparkml_ops.training.train.register_model",
    "before sparkml_ops.promotion.promote.move_aliases",
    f"after {COMMIT} predictions",
    f"before {COMMIT} predictions_current",
    f"after {COMMIT} predictions_current",
    "before sparkml_ops.monitoring.monitor.raise_alerts",
]
KILLS = min(int(os.environ.get("SPARKML_OPS_TEST_KILLS", "2")), len(POINTS))
SOURCES = frozenset({"flights", "weather", "planes", "airports"})
MADE_ANEW = (
    "run_id", "scored_at", "published_at", "_ingested_at", "created_at", "as_of", "labels_until", "decision_id", "decided_at", "evidence",
)  # fmt: skip
"""Columns that differ between any two runs; `as_of` only in `training_sets`, where it is the moment of asking."""


def run_and_die(folder: Path, point: str) -> int:
    run = ("--env", "test", *shared_options(), "run", "flights")
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", *point.split(), "--", *run],
        cwd=folder, env=outside_environment(), start_new_session=True, check=False, timeout=1800,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ).returncode  # fmt: skip


def fingerprint(rows: DataFrame, table: str) -> tuple[object, ...]:
    """Count and hash over all columns that the same data must give again; maps are compared as text, doubles rounded."""
    left_out = [c for c in MADE_ANEW if c in rows.columns and not (c == "as_of" and table != "training_sets")]
    told_by_versions = ("fingerprint", "predictions_version", "current_version", "gates", "checks", "history")
    rows = rows.drop(*left_out, "_source_file", "_batch_id", *told_by_versions)
    columns = [F.col(name).cast("string") if kind.startswith("map") else F.col(name) for name, kind in rows.dtypes]
    hashed = F.xxhash64(*columns)
    return tuple(rows.agg(F.count(hashed), F.sum(hashed.cast("decimal(38,0)")), F.bit_xor(hashed)).first())


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("killed"))
    for point in (POINTS[number * len(POINTS) // KILLS] for number in range(KILLS)):
        assert run_and_die(folder, point) == -signal.SIGKILL, f"never came to: {point}"
    ended = run_cli(folder, "run", "flights")
    assert ended.returncode == 0, ended.stderr[-4000:]
    return folder


def test_the_tables_equal_those_of_a_run_that_was_never_killed(
    killed: Path, untouched: Path, spark: SparkSession
) -> None:
    whole = Lake(spark, str(untouched / "flights"), None, "flights", SOURCES)
    other = Lake(spark, str(killed / "data/lake/flights"), None, "flights", SOURCES)
    tables = [
        t
        for t in list_tables(whole)
        if t.startswith(("clean_", "quarantine_", "features_", "training_set", "promotions"))
    ]
    tables += ["predictions", "predictions_current", "prediction_batches"]
    found = {table: fingerprint(read_table(other, table), table) for table in tables}
    assert found == {table: fingerprint(read_table(whole, table), table) for table in tables}


def test_a_batch_is_there_once_in_the_history(killed: Path, spark: SparkSession) -> None:
    history = spark.sql(f"DESCRIBE HISTORY delta.`{killed / 'data/lake/flights/clean_flights'}`")
    assert (
        history.where("operation LIKE '%WRITE%' OR operation LIKE '%REPLACE%' OR operation LIKE '%CREATE%'").count()
        == 1
    )


def test_no_mlflow_run_stays_running(killed: Path) -> None:
    import sqlite3

    statuses = dict(
        sqlite3.connect(killed / "data" / "mlflow.db").execute("SELECT status, count(*) FROM runs GROUP BY status")
    )
    assert "RUNNING" not in statuses
    assert statuses["FINISHED"] >= 3


def test_the_next_run_changes_nothing(killed: Path) -> None:
    ended = run_cli(killed, "run", "flights")
    assert (ended.returncode, ended.stdout) == (0, "No changes.\n"), ended.stderr[-3000:]
