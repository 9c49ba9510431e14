"""Rows put where the rows of their keys are, or where a condition holds: by one job, and by Delta's own commands where it must be one of them."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.lake import (
    Lake,
    Places,
    append_once,
    find_replaced,
    put_rows,
    read_table,
    replace_where,
    table_version,
)
from sparkml_ops.lake.changes import RowChanges, count_changes
from tests.lake.test_conflicts import hold_back, wait_for
from tests.lake.test_tables import content, orders


@pytest.fixture
def stored(lake: Lake) -> Lake:
    """A table of three files with a row or two each."""
    append_once(lake, "orders", orders(lake, (1, "mon"), (2, "mon")).coalesce(1), write_id="a")
    append_once(lake, "orders", orders(lake, (3, "mon")).coalesce(1), write_id="b")
    append_once(lake, "orders", orders(lake, (4, "mon")).coalesce(1), write_id="c")
    return lake


def find(lake: Lake, *keys: int) -> Places:
    """Where the rows of these keys are."""
    found = read_table(lake, "orders").where(F.col("id").isin(*keys)).select("_metadata.file_name").collect()
    return Places(["id"], table_version(lake, "orders"), {row["file_name"] for row in found}, len(found))


def put(lake: Lake, rows: DataFrame, places: Places, *, rows_put: int, write_id: str = "ours") -> Any:
    """Put rows in; what the commit did, and what its log says."""
    commit = put_rows(lake, "orders", rows, places=places, rows_put=rows_put, write_id=write_id)
    file = Path(lake.root, "orders", "_delta_log", f"{commit.version:020}.json")
    return commit, [json.loads(line) for line in file.read_text().splitlines()]


def test_only_the_files_that_hold_the_keys_are_written_anew(stored: Lake) -> None:
    commit, log = put(stored, orders(stored, (2, "tue"), (5, "tue")), find(stored, 2, 5), rows_put=2)
    assert content(stored) == {(1, "mon"), (2, "tue"), (3, "mon"), (4, "mon"), (5, "tue")}
    assert (commit.rows, commit.status) == (2, "committed")
    info = next(line["commitInfo"] for line in log if "commitInfo" in line)
    assert info["operation"] == "MERGE"
    told = {name: int(figure) for name, figure in info["operationMetrics"].items()}
    assert told["numTargetRowsInserted"] == told["numTargetRowsUpdated"] == told["numTargetRowsCopied"] == 1
    assert told["numTargetFilesRemoved"] == 1 == sum("remove" in line for line in log)
    added = [json.loads(line["add"]["stats"]) for line in log if "add" in line]
    assert sum(one["numRecords"] for one in added) == 3
    assert all({"minValues", "maxValues", "nullCount"} <= set(one) for one in added)
    again, _ = put(stored, orders(stored, (2, "wed")), find(stored, 2), rows_put=1)
    assert (again.status, again.version) == ("skipped_duplicate", commit.version)


def test_new_keys_touch_no_file(stored: Lake) -> None:
    _, log = put(stored, orders(stored, (8, "tue"), (9, "tue")), find(stored, 8, 9), rows_put=2)
    assert not any("remove" in line for line in log)
    assert {(8, "tue"), (9, "tue"), (1, "mon")} <= content(stored)


def test_a_file_of_which_no_row_stays_is_gone(stored: Lake) -> None:
    put(stored, orders(stored, (3, "tue"), (4, "tue")), find(stored, 3, 4), rows_put=2)
    assert content(stored) == {(1, "mon"), (2, "mon"), (3, "tue"), (4, "tue")}
    assert content(stored, version=2) == {(number, "mon") for number in (1, 2, 3, 4)}


def test_where_the_table_has_moved_on_it_is_a_merge(stored: Lake) -> None:
    before = find(stored, 2)
    append_once(stored, "orders", orders(stored, (6, "mon")), write_id="d")
    put(stored, orders(stored, (2, "tue"), (6, "tue")), before, rows_put=2)
    assert content(stored) == {(1, "mon"), (2, "tue"), (3, "mon"), (4, "mon"), (6, "tue")}


def test_where_a_file_is_not_known_it_is_a_merge(stored: Lake) -> None:
    lost = Places(["id"], table_version(stored, "orders"), {""}, 1)
    put(stored, orders(stored, (2, "tue")), lost, rows_put=1)
    assert content(stored) == {(1, "mon"), (2, "tue"), (3, "mon"), (4, "mon")}


def test_another_writers_rows_in_between_are_kept(stored: Lake, tmp_path: Path) -> None:
    """One who knows nothing of leases adds a row of the same key while ours are written."""
    rows = hold_back(orders(stored, (2, "tue"), (7, "tue")), tmp_path)
    ours = threading.Thread(target=put, args=(stored, rows, find(stored, 2, 7)), kwargs={"rows_put": 2})
    ours.start()
    wait_for(tmp_path / "reading")
    other = orders(stored, (7, "mon"), (8, "mon"))
    other.write.format("delta").mode("append").save(f"{stored.root}/orders")
    (tmp_path / "go").touch()
    ours.join()
    assert content(stored) == {(1, "mon"), (2, "tue"), (3, "mon"), (4, "mon"), (7, "tue"), (8, "mon")}


def test_a_change_feed_is_kept(stored: Lake) -> None:
    table = f"delta.`{stored.root}/orders`"
    stored.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    commit, _ = put(stored, orders(stored, (2, "tue")), find(stored, 2), rows_put=1)
    feed = stored.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", commit.version)
    changes = {(row["id"], row["_change_type"]) for row in feed.load(f"{stored.root}/orders").collect()}
    assert changes == {(2, "update_preimage"), (2, "update_postimage")}


def test_rows_that_break_a_check_of_the_table_are_refused(stored: Lake) -> None:
    stored.spark.sql(f"ALTER TABLE delta.`{stored.root}/orders` ADD CONSTRAINT small CHECK (id < 100)")
    before = table_version(stored, "orders")
    with pytest.raises((PySparkException, Py4JJavaError), match="CHECK constraint small"):
        put(stored, orders(stored, (500, "tue")), find(stored, 500), rows_put=1)
    assert table_version(stored, "orders") == before


def replace_from(lake: Lake, first: int, *rows: tuple[int | None, str]) -> Any:
    """Replace all rows from this number on."""
    return replace_where(lake, "orders", orders(lake, *rows), condition=f"id >= {first}", write_id="range")


def test_a_range_is_replaced_in_the_files_that_may_have_some_of_it(stored: Lake) -> None:
    append_once(stored, "orders", orders(stored, (None, "mon"), (9, "mon")).coalesce(1), write_id="d")
    commit = replace_from(stored, 2, (2, "tue"), (7, "tue"), (8, "tue"))
    assert content(stored) == {(1, "mon"), (None, "mon"), (2, "tue"), (7, "tue"), (8, "tue")}
    assert (commit.rows, commit.version) == (3, 4)
    assert count_changes(stored, "orders", since=3, until=4) == RowChanges(added=3, removed=4)
    _, log = put(stored, orders(stored, (1, "wed")), find(stored, 1), rows_put=1)
    assert sum("remove" in line for line in log) == 1, "the rows that stayed keep their files"


@pytest.mark.parametrize("rows", [[], [(5, "tue")]], ids=["none", "one"])
def test_a_range_may_hold_nothing_before_and_after(stored: Lake, rows: list[tuple[int, str]]) -> None:
    commit = replace_from(stored, 5, *rows)
    assert content(stored) == {(1, "mon"), (2, "mon"), (3, "mon"), (4, "mon"), *rows}
    assert commit.rows == len(rows)


def test_what_was_found_of_a_range_before_the_table_moved_on_is_looked_for_again(stored: Lake) -> None:
    found = find_replaced(stored, "orders", "id >= 2")
    assert found is not None
    assert (found.rows, found.version) == (3, table_version(stored, "orders"))
    append_once(stored, "orders", orders(stored, (9, "mon"), (0, "mon")).coalesce(1), write_id="between")
    commit = replace_where(stored, "orders", orders(stored, (2, "tue")), condition=found, write_id="range")
    assert content(stored) == {(0, "mon"), (1, "mon"), (2, "tue")}
    assert count_changes(stored, "orders", since=found.version + 1, until=commit.version) == RowChanges(
        added=1, removed=4
    )


def test_a_range_is_looked_for_in_files_that_may_hold_some_of_it(stored: Lake) -> None:
    everything, nothing = find_replaced(stored, "orders", "true"), find_replaced(stored, "orders", "id > 4")
    assert everything is not None
    assert nothing is not None
    assert (everything.rows, len(nothing.files), nothing.rows) == (4, 0, 0)


def test_a_range_of_a_table_with_a_change_feed_is_replaced_by_delta(stored: Lake) -> None:
    stored.spark.sql(f"ALTER TABLE delta.`{stored.root}/orders` SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    commit = replace_from(stored, 2, (2, "tue"))
    feed = stored.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", commit.version)
    changes = {(row["id"], row["_change_type"]) for row in feed.load(f"{stored.root}/orders").collect()}
    assert changes == {(2, "delete"), (3, "delete"), (4, "delete"), (2, "insert")}


def test_another_writers_rows_in_a_range_are_replaced_as_well(stored: Lake, tmp_path: Path) -> None:
    """One who knows nothing of leases adds a row to the range while ours are written."""
    rows = hold_back(orders(stored, (2, "tue")), tmp_path)
    ours = threading.Thread(
        target=replace_where, args=(stored, "orders", rows), kwargs={"condition": "id >= 2", "write_id": "range"}
    )
    ours.start()
    wait_for(tmp_path / "reading")
    orders(stored, (7, "mon")).write.format("delta").mode("append").save(f"{stored.root}/orders")
    (tmp_path / "go").touch()
    ours.join()
    assert content(stored) == {(1, "mon"), (2, "tue")}


def test_a_range_with_a_row_that_breaks_a_check_is_refused(stored: Lake) -> None:
    stored.spark.sql(f"ALTER TABLE delta.`{stored.root}/orders` ADD CONSTRAINT small CHECK (id < 100)")
    with pytest.raises((PySparkException, Py4JJavaError), match="CHECK constraint small"):
        replace_from(stored, 2, (500, "tue"))
    assert content(stored) == {(1, "mon"), (2, "mon"), (3, "mon"), (4, "mon")}
