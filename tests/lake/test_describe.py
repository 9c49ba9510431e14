"""What a table means stands in the table, for every SQL user."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from sparkml_ops.lake import Lake, append_once, change_version, read_table, replace_table, table_version
from sparkml_ops.lake.describe import Meaning, describe_table, with_comments
from sparkml_ops.lake.upkeep import describe_detail

ORDERS = Meaning(
    "Orders: it's one a row",
    {"id": "number of the `order`", "day": "weekday's name", "gone": "no such column"},
    {"sparkml_ops.owner": "ops@example.org"},
    never_null=("id",),
)


def orders(lake: Lake, *rows: tuple[int | None, str]) -> DataFrame:
    return lake.spark.createDataFrame(list(rows), "id int, day string").coalesce(1)


def comments(lake: Lake) -> dict[str, str | None]:
    return {column.name: column.metadata.get("comment") for column in read_table(lake, "orders").schema}


def test_comments_properties_and_checks_are_written_once_and_change_no_row(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    assert describe_table(lake, "orders", ORDERS)
    version = table_version(lake, "orders")
    assert (version, change_version(lake, "orders")) == (3, 0)
    assert not describe_table(lake, "orders", ORDERS)
    assert table_version(lake, "orders") == version
    detail = describe_detail(lake, "orders")
    assert detail.description == "Orders: it's one a row"
    assert detail.properties["sparkml_ops.owner"] == "ops@example.org"
    assert comments(lake) == {"id": "number of the `order`", "day": "weekday's name"}
    with pytest.raises(Exception, match="sparkml_ops_never_null_id"):
        append_once(lake, "orders", orders(lake, (None, "tue")), write_id="tue")
    append_once(lake, "orders", orders(lake, (2, "wed")), write_id="wed")
    assert read_by_others(Path(lake.root, "orders")) == ["mon", "wed"]

    # Another contract without the key: the table is replaced, and its check goes.
    replaced = with_comments(lake.spark.createDataFrame([("thu", 4)], "day string, number int"), ORDERS.columns)
    replace_table(lake, "orders", replaced, write_id="thu")
    assert read_table(lake, "orders").collect()[0].asDict() == {"day": "thu", "number": 4}
    assert comments(lake) == {"day": "weekday's name", "number": None}
    assert describe_detail(lake, "orders").description == "Orders: it's one a row"
    assert not describe_table(lake, "orders", ORDERS)


def read_by_others(folder: Path) -> list[str]:
    import duckdb
    from deltalake import DeltaTable
    from duckdb_extensions import import_extension

    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    by_duckdb = [row[0] for row in connection.execute(f"SELECT day FROM delta_scan('{folder}')").fetchall()]
    table = DeltaTable(folder)
    assert sorted(table.to_pyarrow_table()["day"].to_pylist()) == sorted(by_duckdb)
    assert table.metadata().description == "Orders: it's one a row"
    assert [field.metadata.get("comment") for field in table.schema().fields] == [
        *("number of the `order`", "weekday's name")
    ]
    return sorted(by_duckdb)
