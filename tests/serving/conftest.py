"""The stores that are there, and a shop whose tables are written by hand."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from online_shop import PROFILE, PROFILE_SCHEMA, SPENDING, SPENDING_SCHEMA, Asked, make_rows, make_use_case, write_view
from pyspark.sql import SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake
from sparkml_ops.serving.stores import open_store
from tests.redis_server import RedisServer, start_redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@pytest.fixture
def use_case(request: pytest.FixtureRequest, tmp_path: Path) -> UseCase:
    """The shop with an empty store: SQLite, or with `both_stores` Redis as well."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return make_use_case(tmp_path)
    server: RedisServer = request.getfixturevalue("redis_server")
    server.connect().flushall()
    return make_use_case(tmp_path, store={"kind": "redis", "url": server.url})


@pytest.fixture(scope="session")
def shop_folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's feature tables, to be copied."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("served") / "shop"), None, "shop", frozenset())
    write_view(lake, "spending", make_rows(spark, SPENDING_SCHEMA, SPENDING), write_id="1")
    write_view(lake, "profile", make_rows(spark, PROFILE_SCHEMA, PROFILE), write_id="1")
    return Path(lake.root)


@pytest.fixture
def shop(lake: Lake, shop_folder: Path) -> Lake:
    """The shop's feature tables."""
    shutil.copytree(shop_folder, lake.root)
    return lake


@pytest.fixture
def ask(use_case: UseCase) -> Iterator[Asked]:
    with open_store(use_case) as store:
        yield Asked(use_case, store)


@pytest.fixture
def rewrite(shop: Lake, spark: SparkSession) -> Callable[..., None]:
    """Write a table of the shop anew."""
    schemas = {"spending": SPENDING_SCHEMA, "profile": PROFILE_SCHEMA}

    def write(view: str, rows: list[tuple[object, ...]], write_id: str) -> None:
        write_view(shop, view, make_rows(spark, schemas[view], rows), write_id=write_id)

    return write
