"""Rows written by hand, and the shop's lake."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from shop import CUSTOMERS, CUSTOMERS_SCHEMA, NOON, ORDERS, ORDERS_SCHEMA, make_use_case

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, open_lake, replace_table

MakeRows = Callable[[str, Sequence[tuple[Any, ...]]], DataFrame]


@pytest.fixture
def rows(spark: SparkSession) -> MakeRows:
    """Make a DataFrame from tuples; a number in a timestamp column means minutes after noon."""

    def make(schema: str, values: Sequence[tuple[Any, ...]]) -> DataFrame:
        instants = [part.split()[1].startswith("timestamp") for part in schema.split(", ")]
        converted = [
            tuple(
                NOON + timedelta(minutes=value) if at and isinstance(value, int | float) else value
                for value, at in zip(row, instants, strict=True)
            )
            for row in values
        ]
        return spark.createDataFrame(converted, schema)

    return make


@pytest.fixture
def set_conf(spark: SparkSession) -> Iterator[Callable[[str, str], None]]:
    """Change settings of the session until the test ends."""
    before: dict[str, str] = {}

    def change(key: str, value: str) -> None:
        before.setdefault(key, spark.conf.get(key))
        spark.conf.set(key, value)

    yield change
    for key, value in before.items():
        spark.conf.set(key, value)


@pytest.fixture
def use_case(tmp_path: Path) -> UseCase:
    return make_use_case(tmp_path)


@pytest.fixture
def shop(spark: SparkSession, use_case: UseCase, rows: MakeRows) -> Lake:
    """The shop's lake with its clean tables."""
    opened = open_lake(use_case, spark)
    replace_table(opened, "clean_orders", rows(ORDERS_SCHEMA, ORDERS).coalesce(1), write_id="orders-1")
    replace_table(opened, "clean_customers", rows(CUSTOMERS_SCHEMA, CUSTOMERS).coalesce(1), write_id="customers-1")
    return opened
