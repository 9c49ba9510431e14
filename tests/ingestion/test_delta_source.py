"""A Delta table of somebody else: a version, then what came after it, and nothing that is not told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ContractError, TableNotFoundError
from sparkml_ops.ingestion import find_batches, ingest
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.ingestion.ingest import SourceResult
from sparkml_ops.ingestion.readers.delta import list_versions, read_versions
from sparkml_ops.lake import Lake, read_table
from sparkml_ops.lake.feeds import judge_commit
from tests.one_source import describe_shop

Theirs = Callable[[str], None]
COLUMNS = {"id": {"type": "int"}, "amount": {"type": "double", "between": [0, 100]}}
TOLD = {
    "change_type": {"type": "string"},
    "commit_version": {"type": "long"},
    "commit_timestamp": {"type": "timestamp"},
}


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "their orders")


@pytest.fixture
def sql(lake: Lake, table: str) -> Theirs:
    """Runs SQL on their table, which goes by `t`; it keeps a change feed and has two rows at v0."""

    def run(statement: str) -> None:
        lake.spark.sql(statement.replace(" t ", f" delta.`{table}` "))

    run("CREATE TABLE t (id int, amount double) USING delta TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    run("INSERT INTO t VALUES (1, 10.0), (2, 20.5)")
    return run


def shop(table: str, environment: Environment, **options: Any) -> UseCase:
    orders = {"path": table, "format": "delta", "key": ["id"], "columns": COLUMNS, "max_violation_ratio": 0.9} | options
    return describe_shop(environment, orders=orders)


def take_in(use_case: UseCase, lake: Lake, **options: Any) -> SourceResult:
    return ingest(use_case, lake, **options).sources[0]


def test_the_first_batch_is_a_version_and_the_next_what_came_after_it(
    lake: Lake, table: str, sql: Theirs, environment: Environment
) -> None:
    use_case = shop(table, environment)
    assert take_in(use_case, lake).rows_clean == 2
    sql("OPTIMIZE t ")
    assert find_batches(use_case, lake, ["orders"])["orders"] is None, "no row is another after OPTIMIZE"
    sql("INSERT INTO t VALUES (3, 30.0)")
    sql("INSERT INTO t VALUES (4, 400.0)")
    result = take_in(use_case, lake)
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (2, 1, 1)
    kept = read_table(lake, "quarantine_orders").first()
    assert kept is not None
    assert (kept["raw"], kept["reasons"]) == ('{"id":"4","amount":"400.0"}', ["amount: is outside 0 … 100"])
    assert kept["_source_file"].endswith("their orders@v2-v4")


def test_rows_that_were_changed_are_refused_unless_changes_are_asked_for(
    lake: Lake, table: str, sql: Theirs, environment: Environment
) -> None:
    source = shop(table, environment).sources["orders"]
    taken = list_versions(lake.spark, source, name="orders", taken=[])
    sql("UPDATE t SET amount = 99.0 WHERE id = 2")
    sql("DELETE FROM t WHERE id = 1")
    with pytest.raises(ContractError, match=r"changed or removed by v2 \(UPDATE\), v3 \(DELETE\), and only added"):
        list_versions(lake.spark, source, name="orders", taken=taken)
    changes = shop(table, environment, mode="merge", delta={"changes": True}, columns=COLUMNS | TOLD).sources["orders"]
    pieces = list_versions(lake.spark, changes, name="orders", taken=taken)
    rows = (
        read_versions(lake.spark, changes, [piece.path for piece in pieces]).orderBy("commit_version", "id").collect()
    )
    assert [(row["id"], row["amount"], row["change_type"], row["commit_version"]) for row in rows] == [
        (1, 10.0, "insert", 1), (2, 20.5, "insert", 1), (2, 99.0, "update_postimage", 2), (1, 10.0, "delete", 3),
    ]  # fmt: skip
    assert all(row["commit_timestamp"] is not None and '"change_type"' in row["_raw"] for row in rows)


def test_a_snapshot_is_the_newest_version_or_the_one_that_is_pinned(
    lake: Lake, table: str, sql: Theirs, environment: Environment
) -> None:
    use_case = shop(table, environment, mode="snapshot")
    take_in(use_case, lake)
    sql("UPDATE t SET amount = 99.0 WHERE id = 2")
    assert take_in(use_case, lake).rows_clean == 2
    amounts = [row["amount"] for row in read_table(lake, "clean_orders").orderBy("id").collect()]
    assert amounts == [10.0, 99.0]
    pinned = shop(table, environment, mode="snapshot", delta={"version": 1}).sources["orders"]
    assert [piece.path for piece in list_versions(lake.spark, pinned, name="orders", taken=[])] == [f"{table}@v1"]
    gone = shop(table, environment, mode="snapshot", delta={"version": 9}).sources["orders"]
    with pytest.raises(ContractError, match="has no version 9; its log has v0 to v2"):
        list_versions(lake.spark, gone, name="orders", taken=[])


def test_a_table_that_was_made_anew_or_restored_is_told(
    lake: Lake, table: str, sql: Theirs, environment: Environment
) -> None:
    source = shop(table, environment).sources["orders"]
    taken = list_versions(lake.spark, source, name="orders", taken=[])
    sql("INSERT INTO t VALUES (3, 30.0)")
    sql("RESTORE t TO VERSION AS OF 1")
    with pytest.raises(ContractError, match=r"changed or removed by v3 \(RESTORE\)"):
        list_versions(lake.spark, source, name="orders", taken=taken)
    other = [LandedFile(taken[0].path, 0, taken[0].modified_at.replace(year=2020))]
    with pytest.raises(ContractError, match=r"was read up to v1, and that version is of .* now, and was of 2020-"):
        list_versions(lake.spark, source, name="orders", taken=other)


def test_what_cannot_be_read_is_told(lake: Lake, table: str, sql: Theirs, environment: Environment) -> None:
    source = shop(table, environment).sources["orders"]
    taken = list_versions(lake.spark, source, name="orders", taken=[])
    with pytest.raises(TableNotFoundError, match="cannot give the changes of v7 to v9: "):
        read_versions(lake.spark, source, [f"{table}@v7-v9"])
    sql("ALTER TABLE t SET TBLPROPERTIES (delta.enableChangeDataFeed = false)")
    sql("INSERT INTO t VALUES (3, 30.0)")
    with pytest.raises(ContractError, match="keeps no change feed, so the rows that came after v1 cannot be told"):
        list_versions(lake.spark, source, name="orders", taken=taken)
    nowhere = shop(f"{table}/nowhere", environment).sources["orders"]
    with pytest.raises(TableNotFoundError, match="there is no Delta table .*nowhere"):
        list_versions(lake.spark, nowhere, name="orders", taken=[])


@pytest.mark.parametrize(
    ("operation", "parameters", "metrics", "effect"),
    [
        ("WRITE", {"mode": "Append"}, {}, "added"),
        ("WRITE", {"mode": "Overwrite"}, {}, "changed"),
        (
            "MERGE",
            {},
            {"numTargetRowsInserted": "2", "numTargetRowsUpdated": "0", "numTargetRowsDeleted": "0"},
            "added",
        ),
        ("MERGE", {}, {"numTargetRowsInserted": "2", "numTargetRowsUpdated": "1"}, "changed"),
        ("DELETE", {}, {"numDeletedRows": "0"}, "none"),
        ("DELETE", {}, {}, "changed"),
        ("VACUUM END", {}, {}, "none"),
        ("an operation of a later Delta", {}, {}, "changed"),
    ],
)
def test_what_a_commit_did_to_the_rows(
    operation: str, parameters: dict[str, str], metrics: dict[str, str], effect: str
) -> None:
    assert judge_commit(operation, parameters, metrics) == effect
