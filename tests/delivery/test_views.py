"""Views by role and version, and readers that are not Spark: the same rows everywhere."""

import duckdb
import pytest
from deltalake import DeltaTable
from duckdb_extensions import import_extension

from sparkml_ops.delivery.views import View, list_views, write_views
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake import Lake
from tests.delivery.conftest import History

NAMES = ["predictions_current", "predictions_champion", "predictions_v1", "predictions_v2"]


def test_each_engine_finds_the_same_rows_by_role_and_version(history: History) -> None:
    lake = history.lake
    views = list_views(lake)
    assert [view.name for view in views] == NAMES
    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    for _ in range(2):  # made anew, they are the same
        for statement in write_views(lake, views, engine="duckdb"):
            connection.execute(statement)
        for statement in write_views(lake, views, engine="spark"):
            lake.spark.sql(statement)
    try:
        for name in NAMES:
            query = f'SELECT "order", prediction FROM shop.{name}'
            by_duckdb = sorted(connection.execute(query).fetchall())
            by_spark = sorted(tuple(row) for row in lake.spark.sql(query.replace('"', "`")).collect())
            assert by_duckdb == by_spark
            assert len(by_spark) == {"predictions_v1": 8, "predictions_v2": 7, "predictions_champion": 15}.get(name, 7)
    finally:
        lake.spark.sql("DROP SCHEMA shop CASCADE")
    current = DeltaTable(f"{lake.root}/predictions_current").to_pyarrow_table()
    assert (
        dict(zip(current["order"].to_pylist(), current["prediction"].to_pylist(), strict=True))
        == history.states[history.restored]
    )


def test_a_change_feed_tells_other_readers_what_changed(history: History) -> None:
    table = DeltaTable(f"{history.lake.root}/predictions_current")
    feed = table.load_cdf(starting_version=history.second, ending_version=history.second).read_all()
    kinds = dict(zip(feed.column("order").to_pylist(), feed.column("_change_type").to_pylist(), strict=False))
    assert (kinds["NULL"], kinds["new"], kinds[""]) == ("delete", "insert", "update_postimage")


def test_in_a_catalog_views_have_a_schema_of_their_own(lake: Lake) -> None:
    catalog = Lake(lake.spark, lake.root, "`main`.`ops_shop`", "shop", frozenset())
    made = write_views(catalog, [View("predictions_v3", "predictions", "model_version = 3", "it's")], engine="spark")
    assert made[0] == "CREATE SCHEMA IF NOT EXISTS `main`.`ops_shop_views`"
    head, _, query = made[1].partition(" AS ")
    assert head == "CREATE OR REPLACE VIEW `main`.`ops_shop_views`.`predictions_v3` COMMENT 'it\\'s'"
    assert query == "SELECT * FROM `main`.`ops_shop`.`predictions` WHERE model_version = 3"


def test_nothing_was_scored_yet(lake: Lake) -> None:
    with pytest.raises(TableNotFoundError, match="nothing was scored yet"):
        list_views(lake)
