"""Rows in which two versions of a table differ, read from the files that one of them has and the other has not."""

from pathlib import Path

import pytest

from sparkml_ops.lake import append_once, find_difference, table_version


@pytest.fixture
def numbers(lake):
    append_once(lake, "t", lake.spark.range(0, 6, 1, 2), write_id="a")
    return lake


def tell(lake, since, until):
    difference = find_difference(lake, "t", since=since, until=until)
    return sorted(row["id"] for row in difference.read_rows().collect()), difference.share


def test_what_came_went_and_changed_is_found_and_what_was_written_anew_is_not(numbers):
    lake = numbers
    table = f"delta.`{lake.root}/t`"
    append_once(lake, "t", lake.spark.range(100, 102).coalesce(1), write_id="b")
    assert tell(lake, 0, 1)[0] == [100, 101]
    lake.spark.sql(f"OPTIMIZE {table}")
    assert tell(lake, 1, 2)[0] == []
    lake.spark.sql(f"UPDATE {table} SET id = id + 50 WHERE id = 3")
    lake.spark.sql(f"DELETE FROM {table} WHERE id = 101")
    last = table_version(lake, "t")
    assert tell(lake, 2, last)[0] == [3, 53, 101]
    assert tell(lake, 0, last)[0] == [3, 53, 100]
    lake.spark.sql(f"RESTORE {table} TO VERSION AS OF 0")
    assert tell(lake, 0, last + 1) == ([], 0.0)


def test_rows_with_deletion_vectors(numbers):
    lake = numbers
    table = f"delta.`{lake.root}/t`"
    lake.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    lake.spark.sql(f"DELETE FROM {table} WHERE id = 1")
    assert tell(lake, 0, table_version(lake, "t"))[0] == [1]


def test_maps_cannot_be_compared_so_every_row_of_the_files_counts(lake):
    rows = lake.spark.sql("SELECT id, map('a', id) AS m FROM range(3)").coalesce(1)
    append_once(lake, "m", rows, write_id="a")
    lake.spark.sql(f"DELETE FROM delta.`{lake.root}/m` WHERE id = 1")
    found = find_difference(lake, "m", since=0, until=1).read_rows()
    assert sorted(row["id"] for row in found.collect()) == [0, 0, 1, 2, 2]


def test_a_log_that_was_cleaned_up_does_not_tell(numbers):
    lake = numbers
    append_once(lake, "t", lake.spark.range(100, 102).coalesce(1), write_id="b")
    Path(lake.root, "t", "_delta_log", f"{1:020}.json").unlink()
    assert find_difference(lake, "t", since=0, until=1) is None
