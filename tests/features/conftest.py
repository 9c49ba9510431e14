"""Rows written by hand, and the shop's lake."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from shop import CUSTOMERS, CUSTOMERS_SCHEMA, LATER, NOON, ORDERS, ORDERS_SCHEMA, make_use_case

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.lake import Lake, open_lake, replace_table

MakeRows = Callable[[str, Sequence[tuple[Any, ...]]], DataFrame]


@pytest.fixture
def rows(spark: SparkSession) -> MakeRows:
    """Make a DataFrame from tuples; a number in a timestamp column means minutes after noon."""
    return partial(make_rows, spark)


def make_rows(spark: SparkSession, schema: str, values: Sequence[tuple[Any, ...]]) -> DataFrame:
    instants = [part.split()[1].startswith("timestamp") for part in schema.split(", ")]
    converted = [
        tuple(
            NOON + timedelta(minutes=value) if at and isinstance(value, int | float) else value
            for value, at in zip(row, instants, strict=True)
        )
        for row in values
    ]
    return spark.createDataFrame(converted, schema)


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


@pytest.fixture(scope="session")
def shop_folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the shop's clean tables, to be copied: Delta tables that live by path can be."""
    use_case = make_use_case(tmp_path_factory.mktemp("shop"))
    lake = open_lake(use_case, spark)
    replace_table(lake, "clean_orders", make_rows(spark, ORDERS_SCHEMA, ORDERS).coalesce(1), write_id="orders-1")
    customers = make_rows(spark, CUSTOMERS_SCHEMA, CUSTOMERS)
    replace_table(lake, "clean_customers", customers.coalesce(1), write_id="customers-1")
    return Path(lake.root)


@pytest.fixture(scope="session")
def built_folder(shop_folder: Path, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the feature tables."""
    return extend(shop_folder, spark, tmp_path_factory.mktemp("built"), build_features)


@pytest.fixture(scope="session")
def trained_folder(built_folder: Path, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a training set."""
    create = partial(create_training_set, as_of=LATER, run_id="run-1")
    return extend(built_folder, spark, tmp_path_factory.mktemp("trained"), create)


def extend(folder: Path, spark: SparkSession, root: Path, verb: Callable[[UseCase, Lake], Any]) -> Path:
    use_case = make_use_case(root)
    shutil.copytree(folder, root / use_case.name)
    lake = open_lake(use_case, spark)
    verb(use_case, lake)
    return Path(lake.root)


@pytest.fixture
def shop(shop_folder: Path, spark: SparkSession, use_case: UseCase, tmp_path: Path) -> Lake:
    """The shop's clean tables."""
    shutil.copytree(shop_folder, tmp_path / use_case.name)
    return open_lake(use_case, spark)


@pytest.fixture
def built(built_folder: Path, spark: SparkSession, use_case: UseCase, tmp_path: Path) -> Lake:
    """The shop's clean tables and feature tables."""
    shutil.copytree(built_folder, tmp_path / use_case.name)
    return open_lake(use_case, spark)


@pytest.fixture
def trained(trained_folder: Path, spark: SparkSession, use_case: UseCase, tmp_path: Path) -> Lake:
    """The shop's clean tables, feature tables and the training set of `LATER`."""
    shutil.copytree(trained_folder, tmp_path / use_case.name)
    return open_lake(use_case, spark)
