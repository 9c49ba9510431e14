"""One Spark session for the whole suite, and a fresh lake for each test."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from xdist.scheduler import LoadScopeScheduling

from sparkml_ops.config.environment import Environment
from sparkml_ops.lake import Lake, open_session
from sparkml_ops.lake.jars import POSTGRESQL_DRIVER
from sparkml_ops.models import prepare_tracking
from tests.cold_start import quick_start
from tests.flow_project import GROUPS, cli, made, project, untouched

__all__ = ["cli", "made", "project", "untouched"]

LONG = ("tests/training/", "tests/upkeep/")
"""Where modules take minutes each."""


class ByModule(LoadScopeScheduling):
    """Each module in one process, and those of one group in the same."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return GROUPS.get(module, module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    """Side by side, modules are what is handed out."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that start processes of their own come first, then those of many trainings: the last of them would run alone."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, not item.nodeid.startswith(LONG)))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    root = tmp_path_factory.mktemp("environment")
    return Environment.model_validate(
        {
            "name": "test",
            "lake": {"root": str(root / "lake")},
            "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db", "artifact_location": str(root / "artifacts")},
            "spark": {
                "conf": {
                    "spark.master": "local[2]",
                    "spark.sql.shuffle.partitions": 2,
                    "spark.driver.memory": "3g",
                    "spark.sql.warehouse.dir": str(root / "warehouse"),
                    # Delta keeps a table's files in its checksum as well, which makes the first commit half as long again.
                    "spark.databricks.delta.allFilesInCrc.enabled": False,
                }
            },
        }
    )


@pytest.fixture(scope="session")
def spark(environment: Environment) -> Iterator[SparkSession]:
    os.environ |= quick_start()
    session = open_session(environment, packages=[POSTGRESQL_DRIVER[1]])
    yield session
    session.stop()


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database of MLflow: migrating takes a second or two, copying does not."""
    folder = tmp_path_factory.mktemp("mlflow_template")
    database = folder / "mlflow.db"
    places = {"lake": {"root": str(folder / "lake")}, "mlflow": {"tracking_uri": f"sqlite:///{database}"}}
    prepare_tracking(Environment.model_validate(places))
    return database


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, str(tmp_path / "lake" / "shop"), None, "shop", frozenset())
