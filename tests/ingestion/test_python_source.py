"""A reader of the user's own: its pieces once each, its mistakes told as its own."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ContractError, SparkMLOpsError
from sparkml_ops.ingestion import find_batches, ingest, replay
from sparkml_ops.ingestion.ingest import SourceResult
from sparkml_ops.lake import Lake, read_table
from tests.one_source import describe_shop

HERE = __name__
DAYS: list[Any] = []
CALLS: list[str | None] = []


def list_days(spark: SparkSession) -> list[Any]:
    return DAYS


def read_day(spark: SparkSession, day: str) -> DataFrame:
    CALLS.append(day)
    return spark.range(2).select(
        F.concat(F.lit(day), F.lit("-"), "id").alias("id"), (F.col("id") * 150.5).alias("amount")
    )


def read_all(spark: SparkSession) -> DataFrame:
    return read_day(spark, f"all{len(CALLS)}")


def read_nothing(spark: SparkSession, day: str) -> Any:
    return [day]


def fail(spark: SparkSession, day: str = "") -> DataFrame:
    raise KeyError("rates of today")


def fail_later(spark: SparkSession, day: str) -> DataFrame:
    return spark.range(1).select(F.raise_error(F.lit("no such rate")).alias("id"), F.lit(1.0).alias("amount"))


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DAYS[:], CALLS[:] = ["2026-01-02", "2026-01-01"], []


def shop(environment: Environment, function: str = "read_day", most: int = 200, **options: Any) -> UseCase:
    orders = {
        "path": f"{HERE}:{function}",
        "format": "python",
        "python": {"pieces": f"{HERE}:list_days"},
        "key": ["id"],
        "columns": {"id": {"type": "string"}, "amount": {"type": "double", "between": [0, most]}},
        "max_violation_ratio": 0.9,
    } | options
    return describe_shop(environment, orders=orders)


def take_in(use_case: UseCase, lake: Lake) -> SourceResult:
    return ingest(use_case, lake).sources[0]


def test_each_piece_is_read_once(lake: Lake, environment: Environment) -> None:
    use_case = shop(environment)
    assert take_in(use_case, lake).rows_clean == 4
    assert find_batches(use_case, lake, ["orders"])["orders"] is None
    DAYS.append("2026-01-03")
    assert take_in(use_case, lake).rows_clean == 2
    assert CALLS == ["2026-01-01", "2026-01-02", "2026-01-03"]
    files = {row[0] for row in read_table(lake, "clean_orders").select("_source_file").collect()}
    assert files == {*DAYS}


def test_without_pieces_it_is_a_snapshot_each_time(lake: Lake, environment: Environment) -> None:
    use_case = shop(environment, "read_all", python=None, mode="snapshot")
    for call in range(2):
        take_in(use_case, lake)
        found = {row["id"] for row in read_table(lake, "clean_orders").collect()}
        assert found == {f"all{call}-0", f"all{call}-1"}


def test_rows_in_quarantine_are_replayed_without_the_function(lake: Lake, environment: Environment) -> None:
    assert take_in(shop(environment, most=100), lake).rows_quarantined == 2
    CALLS.clear()
    assert replay(shop(environment), lake, "orders").rows_decided == 2
    assert not CALLS
    assert sorted(row["amount"] for row in read_table(lake, "clean_orders").collect()) == [0.0, 0.0, 150.5, 150.5]


@pytest.mark.parametrize(
    ("function", "days", "kind", "told"),
    [
        (
            "read_nothing",
            ["a"],
            ConfigError,
            f"{HERE}:read_nothing must return a Spark DataFrame, and returned list for 'a'",
        ),
        ("fail", ["a"], ContractError, "failed with KeyError: 'rates of today'"),
        ("fail_later", ["a"], ContractError, "no such rate"),
        ("nowhere", ["a"], ConfigError, "nowhere cannot be imported .* must be package.module:function"),
        ("read_day", ["a", "a"], ConfigError, "must return a list of names, each a text and there once"),
        ("read_day", ["a", 7], ConfigError, r"it returned \['a', 7\]"),
    ],
)
def test_the_users_mistakes_are_told_as_theirs(
    lake: Lake, environment: Environment, function: str, days: list[Any], kind: type[SparkMLOpsError], told: str
) -> None:
    DAYS[:] = days
    with pytest.raises(kind, match=told):
        take_in(shop(environment, function), lake)
