"""Upkeep clears away what nobody needs, and nothing else."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ageing import age_lake
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.config.maintenance import Maintenance
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.features import build_features, create_training_set, list_training_sets, recreate_training_set
from sparkml_ops.features.entity_hash import GROUP_BYTES
from sparkml_ops.lake import (
    ROW_GROUP_BYTES,
    Lake,
    append_once,
    append_rows,
    change_version,
    open_lake,
    read_table,
    replace_table,
    table_version,
)
from sparkml_ops.lake.upkeep import describe_detail
from sparkml_ops.upkeep import MaintainResult, maintain
from tests.features.shop import CUSTOMERS, CUSTOMERS_SCHEMA, LATER, NOON, ORDERS, ORDERS_SCHEMA, make_use_case


def upkeep(use_case: UseCase, **sections: Any) -> UseCase:
    return use_case.model_copy(update={"maintenance": Maintenance.model_validate(sections)})


def orders(spark: SparkSession, *, number: int) -> DataFrame:
    rows = [
        (key, who, *(None if at is None else NOON + timedelta(minutes=at) for at in (ordered, paid)), amount)
        for key, who, ordered, paid, amount in ORDERS[:number]
    ]
    return spark.createDataFrame(rows, ORDERS_SCHEMA).coalesce(1)


@pytest.fixture(scope="module")
def old_shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[UseCase, Lake]:
    """A shop of three weeks ago: training sets of orders v0 and v1, nobody's v2, and today's v3."""
    root = tmp_path_factory.mktemp("young")
    use_case = make_use_case(root, features=["profile"])
    lake = open_lake(use_case, spark)
    replace_table(lake, "clean_customers", spark.createDataFrame(CUSTOMERS, CUSTOMERS_SCHEMA).coalesce(1), write_id="c")
    for version, number in enumerate((8, 7, 6, 5)):
        replace_table(lake, "clean_orders", orders(spark, number=number), write_id=f"orders-{version}")
        if version == 0:
            build_features(use_case, lake, views=["profile"])
        if version < 2:
            create_training_set(use_case, lake, as_of=LATER)
    return use_case, age_lake(lake, tmp_path_factory.mktemp("old"), days=20)


@pytest.fixture
def shop(old_shop: tuple[UseCase, Lake], tmp_path: Path) -> tuple[UseCase, Lake]:
    use_case, lake = old_shop
    shutil.copytree(lake.root, tmp_path / "shop")
    return use_case, replace(lake, root=str(tmp_path / "shop"))


def count(lake: Lake, version: int) -> int | None:
    """Rows of a version of the orders, read through; None when its files are gone."""
    try:
        rows = read_table(lake, "clean_orders", version=version)
        return int(rows.selectExpr("count(*)", "bit_xor(xxhash64(*))").collect()[0][0])  # a count alone reads no file
    except (PySparkException, Py4JError) as error:
        if "FILE_NOT_EXIST" not in str(error):
            raise
        return None


def find(result: MaintainResult, table: str = "clean_orders") -> Any:
    return next(one for one in result.tables if one.table == table)


def test_what_training_sets_were_made_of_stays_and_what_nobody_needs_goes(shop: tuple[UseCase, Lake]) -> None:
    use_case, lake = shop
    first, second = list_training_sets(lake)
    result = maintain(use_case, lake, run_id="m1")
    assert [count(lake, version) for version in range(4)] == [8, 7, None, 5]
    for made in (first, second):
        assert recreate_training_set(use_case, lake, made.version).count() == sum(made.rows.values())
    told = find(result)
    assert (told.actions, told.files_vacuumed, told.orphans, told.lost) == (("versions_kept", "vacuumed"), 1, 0, ())
    assert [(kept.version, kept.reasons) for kept in told.kept] == [
        (0, (f"input of training set {first.version}",)),
        (1, (f"input of training set {second.version}",)),
        (3, ("the last 7d (maintenance.keep)",)),
    ]
    run = read_table(lake, "runs").where("step = 'maintain'").collect()[0]
    assert run["details"]["clean_orders"] == (
        f"versions_kept, vacuumed; kept v0: input of training set {first.version}"
    )  # fmt: skip
    figures = read_table(lake, "metrics").where("scope = 'maintain' AND subject = 'clean_orders'").collect()
    assert {row["name"]: row["value"] for row in figures}.items() >= {
        "files_vacuumed": 1.0,
        "oldest_version": 0.0,
    }.items()

    assert not maintain(use_case, lake).has_changes

    released = maintain(upkeep(use_case, keep_training_sets=1), lake)
    assert [count(lake, version) for version in range(4)] == [None, 7, None, 5]
    assert [*released.released] == [first.version]
    with pytest.raises(TableNotFoundError, match="cannot be read any more"):
        recreate_training_set(use_case, lake, first.version)
    assert recreate_training_set(use_case, lake, second.version).count() == sum(second.rows.values())
    told_so = read_table(lake, "metrics").where("name = 'released'").collect()
    assert [(row["subject"], "newest 1" in row["details"]) for row in told_so] == [(first.version, True)]
    assert not maintain(upkeep(use_case, keep_training_sets=1), lake).has_changes


def test_a_promoted_model_and_the_readers_days_keep_a_version(shop: tuple[UseCase, Lake]) -> None:
    use_case, lake = shop
    first, _ = list_training_sets(lake)
    assert find(maintain(upkeep(use_case, keep="30d"), lake, dry_run=True)).files_vacuumed == 0
    promotion = [("promoted", 7, first.version)]
    append_rows(
        lake,
        "promotions",
        lake.spark.createDataFrame(promotion, "decision string, to_version int, training_set_version string"),
    )
    append_rows(
        lake,
        "prediction_batches",
        lake.spark.createDataFrame(
            [("b1", "r1", 0, 2)], "batch_id string, run_id string, predictions_version long, current_version long"
        ).selectExpr("*", "current_timestamp() AS published_at"),
    )
    run = lake.spark.createDataFrame(
        [("r1", "score", [("clean_orders", 2)])],
        "run_id string, step string, inputs array<struct<table: string, version: long>>",
    )
    shutil.rmtree(Path(lake.root, "runs"))
    append_rows(lake, "runs", run)
    told = find(maintain(upkeep(use_case, keep_training_sets=1), lake, tables=["orders"], dry_run=True))
    assert told.files_vacuumed == 0
    assert [kept.reasons[0] for kept in told.kept][:3] == [
        f"input of training set {first.version}, of promoted model version 7",
        f"input of training set {list_training_sets(lake)[1].version}",
        "input of batch b1",
    ]


def test_a_dry_run_counts_what_a_killed_writer_left_and_writes_nothing(shop: tuple[UseCase, Lake]) -> None:
    use_case, lake = shop
    folder = Path(lake.root, "clean_orders")
    left = shutil.copy2(next(folder.glob("*.parquet")), folder / "part-00000-killed.snappy.parquet")
    before = sorted(str(file) for file in Path(lake.root).rglob("*.*") if "_leases" not in file.parts)
    told = find(maintain(use_case, lake, dry_run=True))
    assert (told.files_vacuumed, told.orphans) == (2, 1)
    assert sorted(str(file) for file in Path(lake.root).rglob("*.*") if "_leases" not in file.parts) == before
    maintain(use_case, lake, tables=["clean_orders"])
    assert not Path(left).exists()
    assert [count(lake, version) for version in range(4)] == [8, 7, None, 5]


def test_small_files_are_packed_and_nothing_is_made_anew_for_it(spark: SparkSession, tmp_path: Path) -> None:
    use_case = make_use_case(tmp_path, features=["profile"])
    lake = open_lake(use_case, spark)
    replace_table(lake, "clean_customers", spark.createDataFrame(CUSTOMERS, CUSTOMERS_SCHEMA).coalesce(1), write_id="c")
    for order in range(8):
        rows = orders(spark, number=8).where(f"order_id = {order + 1}")
        append_once(lake, "clean_orders", rows.coalesce(1), write_id=f"day-{order}")
    build_features(use_case, lake, views=["profile"])
    made = create_training_set(use_case, lake, as_of=LATER)
    declared = upkeep(use_case, cluster_by={"clean_orders": ["customer", "ordered_at"]})
    told = find(maintain(declared, lake))
    assert (told.actions, told.files_before, told.files_after) == (("versions_kept", "clustered", "compacted"), 8, 1)
    assert (change_version(lake, "clean_orders"), table_version(lake, "clean_orders")) == (7, 10)
    assert {commit.status for commit in build_features(use_case, lake, views=["profile"]).views.values()} == {
        "skipped_duplicate"
    }
    again = create_training_set(use_case, lake, as_of=LATER)
    assert (again.version, again.status) == (made.version, "existing")
    assert recreate_training_set(use_case, lake, made.version).count() == 7
    assert not maintain(declared, lake).has_changes
    assert_readable_by_others(Path(lake.root, "clean_orders"))


def test_a_feature_table_keeps_small_row_groups(shop: tuple[UseCase, Lake]) -> None:
    use_case, lake = shop
    table = "features_profile"
    rows = read_table(lake, table).coalesce(1)
    for number in range(8):
        append_once(lake, table, rows, write_id=f"again-{number}")
    told = find(maintain(use_case, lake, tables=[table]), table)
    assert "compacted" in told.actions
    assert describe_detail(lake, table).properties[ROW_GROUP_BYTES] == str(GROUP_BYTES)
    assert not maintain(use_case, lake, tables=[table]).has_changes


def assert_readable_by_others(folder: Path) -> None:
    import duckdb
    from deltalake import DeltaTable
    from duckdb_extensions import import_extension

    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    assert connection.execute(f"SELECT sum(order_id) FROM delta_scan('{folder}')").fetchall() == [(36,)]
    assert sum(DeltaTable(folder).to_pyarrow_table()["order_id"].to_pylist()) == 36


def test_a_table_that_is_not_there_is_answered_with_the_nearest(shop: tuple[UseCase, Lake]) -> None:
    use_case, lake = shop
    with pytest.raises(TableNotFoundError, match=r"no table clean_order\. Did you mean clean_orders\?"):
        maintain(use_case, lake, tables=["clean_order"])
    assert read_table(lake, "metrics").where("scope = 'maintain'").isEmpty()
