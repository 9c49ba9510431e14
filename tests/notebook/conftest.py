"""The shop's project with its tables."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from notebook_shop import NOON, ORDERS, SHOP, at
from pyspark.sql import SparkSession

import sparkml_ops
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.lake import replace_table
from sparkml_ops.notebook import Project


@pytest.fixture(scope="session")
def shop_project(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its tables, feature tables and a training set: to be read, or copied."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "conf").mkdir()
    (folder / "conf" / "base.yml").write_text("lake: {root: lake}\nmlflow: {tracking_uri: 'sqlite:///mlflow.db'}\n")
    (folder / "conf" / "local.yml").write_text("name: local\n")
    (folder / "conf" / "shop.yml").write_text(SHOP)
    project = sparkml_ops.open_project(folder / "conf" / "shop.yml", spark=spark)
    orders = [(n, who, at(placed), None if paid is None else at(paid), much) for n, who, placed, paid, much in ORDERS]
    schema = "order_id long, customer string, ordered_at timestamp, paid_at timestamp, amount double"
    replace_table(project.lake, "clean_orders", spark.createDataFrame(orders, schema).coalesce(1), write_id="o")
    customers = spark.createDataFrame([("ann", "Bonn"), ("bob", None)], "customer string, town string")
    replace_table(project.lake, "clean_customers", customers.coalesce(1), write_id="c")
    build_features(project.use_case, project.lake)
    create_training_set(project.use_case, project.lake, as_of=NOON + timedelta(days=30))
    return folder


@pytest.fixture
def project(shop_project: Path, spark: SparkSession) -> Project:
    """The project, to be read."""
    return sparkml_ops.open_project(shop_project / "conf" / "shop.yml", spark=spark)


@pytest.fixture
def own_project(shop_project: Path, spark: SparkSession, tmp_path: Path) -> Project:
    """A project of the test's own, to be written into; its tables are those of the other, and are not written."""
    shutil.copytree(shop_project / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "base.yml").write_text(
        f"lake: {{root: {shop_project / 'lake'}}}\nmlflow: {{tracking_uri: 'sqlite:///mlflow.db'}}\n"
    )
    return sparkml_ops.open_project(tmp_path / "conf" / "shop.yml", spark=spark)
