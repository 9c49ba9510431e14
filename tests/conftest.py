"""One Spark session for the whole suite, and a fresh lake for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.lake import Lake, open_session
from tests.flow_project import cli, project

__all__ = ["cli", "project"]


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
                }
            },
        }
    )


@pytest.fixture(scope="session")
def spark(environment: Environment) -> Iterator[SparkSession]:
    session = open_session(environment)
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, str(tmp_path / "lake" / "shop"), None, "shop", frozenset())
