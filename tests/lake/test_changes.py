"""Rows that came and went between two versions, by the history alone."""

from delta.tables import DeltaTable
from pyspark.sql import DataFrame

from sparkml_ops.lake import Lake, append_once, replace_slice, replace_table
from sparkml_ops.lake.changes import RowChanges, count_changes, count_rows


def test_every_kind_of_commit_is_counted_and_the_way_back_too(lake: Lake) -> None:
    def numbers(*span: int) -> DataFrame:
        return lake.spark.range(*span).selectExpr("id", "id % 2 AS odd").coalesce(1)

    replace_table(lake, "t", numbers(10), write_id="a")
    append_once(lake, "t", numbers(10, 15), write_id="b")
    replace_slice(lake, "t", numbers(20, 24).where("odd = 1"), where={"odd": 1}, write_id="c")
    table = DeltaTable.forPath(lake.spark, f"{lake.root}/t")
    table.delete("id = 2")
    table.optimize().executeCompaction()
    replace_table(lake, "t", numbers(3), write_id="d")

    expected = {
        (0, 1): RowChanges(added=5),
        (1, 2): RowChanges(added=2, removed=7),
        (2, 3): RowChanges(removed=1),
        (3, 4): RowChanges(),
        (4, 5): RowChanges(added=3, removed=9),
        (5, 0): RowChanges(added=17, removed=10),
        (0, 0): RowChanges(),
    }
    assert {span: count_changes(lake, "t", since=span[0], until=span[1]) for span in expected} == expected
    assert (count_rows(lake, "t", version=1), count_rows(lake, "t", version=99)) == (15, None)


def test_where_the_history_does_not_tell_nothing_is_made_up(lake: Lake) -> None:
    replace_table(lake, "t", lake.spark.range(3), write_id="a")
    append_once(lake, "t", lake.spark.range(2), write_id="b")
    DeltaTable.forPath(lake.spark, f"{lake.root}/t").restoreToVersion(0)
    assert count_changes(lake, "t", since=0, until=2) is None
    assert count_changes(lake, "t", since=0, until=7) is None
    assert count_changes(lake, "nothing", since=0, until=1) is None
