"""Killed while a view's table is brought up to date, and built again: the table is as if nothing had happened."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from sparkml_ops.config.load import load_use_case
from sparkml_ops.features import build_features
from sparkml_ops.features.compute import compute_features
from sparkml_ops.lake import Lake, append_once, open_lake, read_table, replace_table
from tests.flow_project import outside_environment

pytestmark = pytest.mark.slow

COMMIT = "sparkml_ops.lake.writes.commit_once features_money"
EVENTS = "customer string, at timestamp, money double"
USE_CASE = {
    "name": "shop",
    "sources": {
        "orders": {
            "path": "/nowhere/*.csv",
            "format": "csv",
            "key": ["customer", "at"],
            "columns": {"customer": {"type": "string"}, "at": {"type": "timestamp"}, "money": {"type": "double"}},
        }
    },
    "features": {
        "money": {
            "entity": ["customer"],
            "timestamp": "at",
            "from": "orders",
            "aggregate": [{"of": "money", "ops": ["sum", "count"], "windows": ["1h", "3d"]}],
        }
    },
    "dataset": {
        "from": "orders",
        "entity": ["customer"],
        "key": ["customer"],
        "timestamp": "at",
        "label": "money > 5",
        "features": ["money"],
        "split": {"by": "time", "train_until": "2024-01-02", "valid_until": "2024-01-03"},
    },
    "model": {"task": "binary"},
    "scoring": {"from": "orders", "as_of": "at"},
}


def draw(lake: Lake, first: int, last: int) -> None:
    events = lake.spark.range(first, last).selectExpr(
        "concat('c', id % 7) AS customer",
        "timestamp_seconds(1704067200 + id * 600) AS at",
        "CAST(id AS DOUBLE) AS money",
    )
    write = replace_table if first == 0 else append_once
    write(lake, "clean_orders", events.coalesce(1), write_id=f"from-{first}")


def build_and_die(folder: Path, point: str) -> int:
    command = [sys.executable, "-m", "tests.faults.killed", *point.split(), "--", "features", "build", "shop"]
    return subprocess.run(
        command, cwd=folder, env=outside_environment(), start_new_session=True, check=False, timeout=600,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ).returncode  # fmt: skip


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_killed_and_built_again(spark: SparkSession, tmp_path: Path, when: str) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "base.yml").write_text(
        f"lake: {{root: {tmp_path}/lake}}\nmlflow: {{tracking_uri: 'sqlite://'}}\n"
    )
    (tmp_path / "conf" / "local.yml").write_text(
        "spark: {conf: {spark.master: 'local[1]', spark.sql.shuffle.partitions: 2}}\n"
    )
    (tmp_path / "conf" / "shop.yml").write_text(yaml.safe_dump(USE_CASE))
    use_case = load_use_case("shop", conf_dir=tmp_path / "conf")
    lake = open_lake(use_case, spark)
    draw(lake, 0, 500)
    build_features(use_case, lake)
    draw(lake, 480, 520)  # some of them twice, so that rows that are there change
    assert build_and_die(tmp_path, f"{when} {COMMIT}") == -signal.SIGKILL
    result = build_features(use_case, lake)
    assert result.views["money"].status == ("skipped_duplicate" if when == "after" else "committed")
    whole = compute_features(read_table(lake, "clean_orders"), use_case.features["money"], name="money")
    table = read_table(lake, "features_money")
    assert table.exceptAll(whole).isEmpty()
    assert whole.exceptAll(table).isEmpty()
