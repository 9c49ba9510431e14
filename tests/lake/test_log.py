"""The log as it is read from its files is what Delta says of it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.lake import Lake, MergeRules, append_once, create_table, merge_rows, replace_slice, replace_table
from sparkml_ops.lake.log import read_log
from sparkml_ops.lake.tables import _ask_history

COLUMNS = "id int, day string"


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a table `orders` to which much has happened."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("lake") / "shop"), None, "shop", frozenset())

    def rows(*found: tuple[int, str]) -> DataFrame:
        return spark.createDataFrame(list(found), COLUMNS)

    append_once(lake, "orders", rows((1, "mon")), write_id="mon", fingerprint='a "quoted" one')
    append_once(lake, "orders", rows((2, "tue")), write_id="tue")
    merge_rows(lake, "orders", rows((2, "wed"), (3, "wed")), rules=MergeRules(["id"]), write_id="wed")
    replace_slice(lake, "orders", rows((4, "wed")), where={"day": "wed"}, write_id="slice")
    name = f"delta.`{lake.root}/orders`"
    at = spark.sql(f"DESCRIBE HISTORY {name}").first()["timestamp"]
    for statement in (
        f"RESTORE {name} TO VERSION AS OF 0",
        f"RESTORE {name} TO TIMESTAMP AS OF '{at}'",
        f"OPTIMIZE {name} ZORDER BY (id)",
        f"DELETE FROM {name} WHERE id = 1",
        f"UPDATE {name} SET day = 'Ümläut' WHERE id = 4",
        f"ALTER TABLE {name} SET TBLPROPERTIES ('team' = 'ours')",
        f"ALTER TABLE {name} ADD CONSTRAINT positive CHECK (id > 0)",
    ):
        spark.sql(statement).collect()
    replace_table(lake, "orders", rows((7, "sun")), write_id="all")
    return lake


@pytest.mark.parametrize("limit", [None, 1, 3, 100])
def test_it_is_what_delta_tells(shop: Lake, limit: int | None) -> None:
    assert read_log(Path(shop.root) / "orders", limit=limit) == _ask_history(shop, "orders", limit)


def test_instants_of_commits_are_those_that_the_table_keeps_itself(lake: Lake) -> None:
    properties = {"delta.enableInCommitTimestamps": "true"}
    schema = lake.spark.createDataFrame([], COLUMNS).schema
    create_table(lake, "orders", schema, comment="orders", properties=properties)
    folder = Path(lake.root) / "orders"
    (folder / "_delta_log" / f"{0:020}.json").touch()
    assert read_log(folder) == _ask_history(lake, "orders", None)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:150])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a version is gone": lambda log: (log / f"{3:020}.json").unlink(),
    "a version is torn": lambda log: cut(log / f"{3:020}.json"),
    "a line is no action": lambda log: (log / f"{3:020}.json").write_text("5\n"),
    "there is no log": lambda log: log.rename(log.parent / "_log"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_delta_is_asked_where_the_files_do_not_tell_it_all(damage: str, shop: Lake, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(Path(shop.root) / "orders", tmp_path / "orders"))
    assert read_log(folder) is not None
    DAMAGES[damage](folder / "_delta_log")
    assert read_log(folder) is None


def test_other_writers_put_spaces_in_and_tell_of_the_commit_last(shop: Lake, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(Path(shop.root) / "orders", tmp_path / "orders"))
    told = read_log(folder)
    commit = folder / "_delta_log" / f"{1:020}.json"
    times = commit.stat()
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    commit.write_text(
        "".join(f"{json.dumps(action, indent=None, separators=(', ', ' : '))}\n" for action in actions[::-1])
    )
    os.utime(commit, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "commitInfo" in actions[0]
    assert read_log(folder) == told
