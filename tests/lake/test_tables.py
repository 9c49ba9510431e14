"""Writes are exactly once, whatever happens in between."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.testing import assertDataFrameEqual

from sparkml_ops.errors import ConfigError, ConflictError, TableNotFoundError
from sparkml_ops.lake import (
    Commit,
    Lake,
    MergeRules,
    append_once,
    create_table,
    find_write,
    list_tables,
    merge_rows,
    read_table,
    replace_slice,
    replace_table,
    table_exists,
    table_version,
)
from sparkml_ops.lake.tables import CREATE_OPTIONS


def orders(lake: Lake, *rows: tuple[int | None, str]) -> DataFrame:
    return lake.spark.createDataFrame(list(rows), "id int, day string")


def content(lake: Lake, version: int | None = None) -> set[tuple[int | None, str]]:
    return {(row.id, row.day) for row in read_table(lake, "orders", version=version).collect()}


def test_an_append_creates_the_table_and_says_what_it_wrote(lake: Lake) -> None:
    commit = append_once(lake, "orders", orders(lake, (1, "mon"), (2, "mon")), write_id="mon")
    assert (commit.status, commit.rows, commit.version) == ("committed", 2, 0)
    assert list_tables(lake) == ["orders"]


def test_the_same_write_again_adds_nothing_and_makes_no_version(lake: Lake) -> None:
    for _ in range(3):
        commit = append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    assert commit.status == "skipped_duplicate"
    assert (commit.rows, table_version(lake, "orders"), content(lake)) == (1, 0, {(1, "mon")})


def test_an_older_batch_after_a_newer_one_is_not_lost(lake: Lake) -> None:
    for day in ("wed", "tue", "mon"):
        append_once(lake, "orders", orders(lake, (1, day)), write_id=day)
    assert content(lake) == {(1, "mon"), (1, "tue"), (1, "wed")}


def test_other_content_under_the_same_name_is_refused(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon", fingerprint="a")
    with pytest.raises(ConflictError, match="'mon' is in effect since v0 with other content"):
        append_once(lake, "orders", orders(lake, (2, "mon")), write_id="mon", fingerprint="b")
    assert content(lake) == {(1, "mon")}


def test_a_batch_that_a_restore_took_back_is_written_again(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    append_once(lake, "orders", orders(lake, (2, "tue")), write_id="tue")
    lake.spark.sql(f"RESTORE delta.`{lake.root}/orders` TO VERSION AS OF 0").collect()
    assert find_write(lake, "orders", "tue") is None
    assert find_write(lake, "orders", "mon") is not None
    commit = append_once(lake, "orders", orders(lake, (2, "tue")), write_id="tue")
    assert commit.status == "committed"
    assert content(lake) == {(1, "mon"), (2, "tue")}


def test_a_merge_that_a_restore_took_back_is_written_again(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    for _ in range(2):
        merge_rows(lake, "orders", orders(lake, (1, "tue")), rules=MergeRules(["id"]), write_id="tue")
        lake.spark.sql(f"RESTORE delta.`{lake.root}/orders` TO VERSION AS OF 0").collect()
    commit = merge_rows(lake, "orders", orders(lake, (1, "tue")), rules=MergeRules(["id"]), write_id="tue")
    assert (commit.status, content(lake)) == ("committed", {(1, "tue")})


def test_a_restore_by_time_is_followed_too(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    at = lake.spark.sql(f"DESCRIBE HISTORY delta.`{lake.root}/orders`").first()["timestamp"]
    append_once(lake, "orders", orders(lake, (2, "tue")), write_id="tue")
    lake.spark.sql(f"RESTORE delta.`{lake.root}/orders` TO TIMESTAMP AS OF '{at}'").collect()
    assert append_once(lake, "orders", orders(lake, (2, "tue")), write_id="tue").status == "committed"
    assert content(lake) == {(1, "mon"), (2, "tue")}


def test_a_merge_updates_inserts_and_takes_null_for_equal_to_null(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon"), (None, "mon")), write_id="a")
    commit = merge_rows(lake, "orders", orders(lake, (None, "tue"), (2, "tue")), rules=MergeRules(["id"]), write_id="b")
    assert commit.rows == 2
    assert content(lake) == {(1, "mon"), (None, "tue"), (2, "tue")}


def test_the_marks_of_a_merge_reach_no_other_write(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="a")
    merge_rows(lake, "orders", orders(lake, (1, "tue")), rules=MergeRules(["id"]), write_id="b")
    orders(lake, (3, "wed")).write.format("delta").mode("append").save(f"{lake.root}/orders")
    assert content(lake) == {(1, "tue"), (3, "wed")}


def test_a_slice_replaces_its_rows_and_nothing_else(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon"), (2, "o'tue\\")), write_id="a")
    commit = replace_slice(
        lake, "orders", orders(lake, (3, "o'tue\\"), (4, "o'tue\\")), where={"day": "o'tue\\"}, write_id="b"
    )
    assert (commit.rows, content(lake)) == (2, {(1, "mon"), (3, "o'tue\\"), (4, "o'tue\\")})


def test_a_slice_that_is_set_back_to_an_earlier_content_is_written_again(lake: Lake) -> None:
    for number, made_from in ((1, "a"), (2, "b"), (1, "a"), (1, "a")):
        commit = replace_slice(
            lake, "orders", orders(lake, (number, "mon")), where={"day": "mon"}, write_id="mon", fingerprint=made_from
        )
    assert commit.status == "skipped_duplicate"
    assert (table_version(lake, "orders"), content(lake)) == (2, {(1, "mon")})


def test_a_table_that_is_set_back_to_an_earlier_content_is_written_again(lake: Lake) -> None:
    for number, made_from in ((1, "a"), (2, "b"), (1, "a"), (1, "a")):
        commit = replace_table(lake, "orders", orders(lake, (number, "mon")), write_id="orders", fingerprint=made_from)
    assert commit.status == "skipped_duplicate"
    assert (table_version(lake, "orders"), content(lake)) == (2, {(1, "mon")})


def test_a_merge_keeps_what_is_newer_and_removes_what_is_missing(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "b"), (2, "b"), (3, "a")), write_id="a")
    rules = MergeRules(["id"], newest_by="day", remove_missing={"day": "a"})
    merge_rows(lake, "orders", orders(lake, (1, "a"), (2, "c")), rules=rules, write_id="b")
    assert content(lake) == {(1, "b"), (2, "c")}


def test_a_slice_refuses_rows_that_do_not_belong_to_it(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="a")
    with pytest.raises(Exception, match="a row is not where|DELTA_REPLACE_WHERE_MISMATCH"):
        replace_slice(lake, "orders", orders(lake, (2, "tue")), where={"day": "mon"}, write_id="b")
    assert content(lake) == {(1, "mon")}


def test_a_replaced_table_keeps_its_earlier_versions(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="a")
    wider = orders(lake, (2, "tue")).selectExpr("id", "day", "1.5D AS price")
    replace_table(lake, "orders", wider, write_id="b")
    assertDataFrameEqual(read_table(lake, "orders"), wider)
    assert content(lake, version=0) == {(1, "mon")}


def test_an_empty_frame_makes_an_empty_table(lake: Lake) -> None:
    assert append_once(lake, "orders", orders(lake), write_id="a").rows == 0
    assert content(lake) == set()


def test_a_missing_table_or_version_is_named(lake: Lake) -> None:
    assert not table_exists(lake, "orders")
    with pytest.raises(TableNotFoundError, match="shop has no table orders"):
        read_table(lake, "orders")
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="a")
    with pytest.raises(TableNotFoundError, match=r"orders@v7 of shop is gone or never was; the newest is v0"):
        read_table(lake, "orders", version=7)


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", "a b", "x; DROP TABLE y", "a`b", "a\0b", "名前", "%2e%2e", "1a", "a" * 300]
)
def test_an_ugly_table_name_is_refused_before_anything_is_touched(lake: Lake, name: str) -> None:
    with pytest.raises(ConfigError, match="no table name"):
        append_once(lake, name, orders(lake, (1, "mon")), write_id="a")


def test_threads_that_append_at_once_all_land(lake: Lake) -> None:
    frames = {f"w{i}": orders(lake, (i, "mon")) for i in range(4)}
    threads = [
        threading.Thread(target=append_once, args=(lake, "orders", frame), kwargs={"write_id": name})
        for name, frame in frames.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(lake) == {(i, "mon") for i in range(4)}


def test_the_same_calls_work_on_tables_of_a_catalog(lake: Lake) -> None:
    catalog = replace(lake, database="`spark_catalog`.`shop_db`")
    assert list_tables(catalog) == [], "the schema is not there yet, and looking does not make it"
    statuses = [
        append_once(catalog, "orders", orders(lake, (1, "mon")), write_id="a").status,
        append_once(catalog, "orders", orders(lake, (1, "mon")), write_id="a").status,
        merge_rows(catalog, "orders", orders(lake, (2, "tue")), rules=MergeRules(["id"]), write_id="b").status,
        replace_slice(catalog, "orders", orders(lake, (3, "tue")), where={"day": "tue"}, write_id="c").status,
        append_once(catalog, "orders", orders(lake, (4, "wed")), write_id="d").status,
    ]
    assert statuses == ["committed", "skipped_duplicate", "committed", "committed", "committed"]
    assert content(catalog) == {(1, "mon"), (3, "tue"), (4, "wed")}
    assert content(catalog, version=1) == {(1, "mon")}
    assert list_tables(catalog) == ["orders"]
    assert lake.spark.sql("SELECT count(*) AS n FROM shop_db.orders").first()["n"] == 3


def merge_into(lake: Lake, table: str, rows: DataFrame, *, write_id: str) -> Commit:
    return merge_rows(lake, table, rows, rules=MergeRules(["id"]), write_id=write_id)


def replace_tuesday(lake: Lake, table: str, rows: DataFrame, *, write_id: str) -> Commit:
    return replace_slice(lake, table, rows, where={"day": "tue"}, write_id=write_id)


@pytest.mark.parametrize("write", [replace_table, merge_into, replace_tuesday])
def test_the_first_write_into_a_catalog_is_found_again(lake: Lake, write: Any) -> None:
    catalog = replace(lake, database="`spark_catalog`.`shop_db`")
    table = f"first_{write.__name__}"
    first = write(catalog, table, orders(lake, (1, "tue")), write_id="a")
    again = write(catalog, table, orders(lake, (1, "tue")), write_id="a")
    assert (first.status, first.rows, again.status, again.version) == (
        "committed",
        1,
        "skipped_duplicate",
        first.version,
    )


def test_a_table_of_a_catalog_keeps_its_properties_through_every_write(lake: Lake) -> None:
    catalog = replace(lake, database="`spark_catalog`.`shop_db`")
    properties = {"delta.enableChangeDataFeed": "true"}
    create_table(catalog, "kept", orders(lake).schema, comment="why it is there", properties=properties)
    append_once(catalog, "kept", orders(lake, (1, "mon")), write_id="a")
    replace_slice(catalog, "kept", orders(lake, (2, "mon")), where={"day": "mon"}, write_id="b")
    replace_table(catalog, "kept", orders(lake, (3, "mon")), write_id="c")
    detail = lake.spark.sql("DESCRIBE DETAIL shop_db.kept").first()
    assert detail["description"] == "why it is there"
    assert detail["properties"] == properties | CREATE_OPTIONS
