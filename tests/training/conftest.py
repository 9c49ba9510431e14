"""A training set with signal, written as the features room writes it."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.features.training_sets import TRAINING_SETS, TRAINING_SETS_SCHEMA, to_row, training_set_table
from sparkml_ops.lake import Lake, append_once, open_lake, read_table

FEATURES = ["orders__amount", "orders__town", "hour", "nothing", "always"]
SCHEMA = (
    "customer long, ordered_at timestamp, split string, label int, orders__amount double, orders__town string, "
    "hour double, nothing double, always double"
)


def make_decisions(rows: int = 1500, seed: int = 0) -> pd.DataFrame:
    """Rows with signal in the amount (half of it missing where it is low) and the town; two columns say nothing."""
    random = np.random.default_rng(seed)
    at = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=24 * 60 * i / rows) for i in range(rows)]
    amount = random.normal(0, 1, rows)
    town = random.choice(["Ulm", "Bonn", "Kiel"], rows)
    logit = 1.5 * np.abs(amount) - 1.5 + (town == "Ulm")
    frame = pd.DataFrame({
        "customer": np.arange(rows) % 97,
        "ordered_at": at,
        "split": np.select([np.arange(rows) < rows * 0.6, np.arange(rows) < rows * 0.75], ["train", "valid"], "test"),
        "label": (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int),
        "orders__amount": np.where(random.random(rows) < 0.1, np.nan, amount),
        "orders__town": town,
        "hour": [float(moment.hour) for moment in at],
        "nothing": None,
        "always": 7.0,
    })  # fmt: skip
    return frame.astype({"orders__amount": object, "nothing": object}).where(frame.notna(), None)


def write_training_set(
    lake: Lake,
    decisions: pd.DataFrame,
    version: str = "ts-0123456789ab",
    *,
    content: str = "c",
    definition: str = "{}",
    schema: str = SCHEMA,
) -> TrainingSet:
    rows = lake.spark.createDataFrame(decisions, schema)
    commit = append_once(lake, training_set_table(version), rows, write_id=version)
    counted = {part: int((decisions["split"] == part).sum()) for part in ("train", "valid", "test")}
    of_part = {part: decisions.loc[decisions["split"] == part, "label"] for part in counted}
    is_number = "label double" in schema
    positives = {} if is_number else {part: int(found.sum()) for part, found in of_part.items()}
    labels = {
        part: {"mean": found.mean(), "stddev": found.std(), "lowest": found.min(), "highest": found.max()}
        for part, found in of_part.items()
        if is_number
    }
    now = datetime.now(UTC)
    described = TrainingSet(
        version=version, table=commit.table, table_version=commit.version, inputs={"clean_orders": 0}, rows=counted,
        positives=positives, left_out={}, feature_columns=FEATURES, definition=definition, definition_hash="d",
        content_hash=content, as_of=now, newest=now, run_id="r", created_at=now, labels=labels,
    )  # fmt: skip
    listed = lake.spark.createDataFrame([to_row(described)], TRAINING_SETS_SCHEMA)
    append_once(lake, TRAINING_SETS, listed, write_id=version)
    return described


def shop_config(root: Path, **model: Any) -> dict[str, Any]:
    search = {"max_trials": 3, "parallelism": 1, "seed": 1, "space": {"learning_rate": {"loguniform": [0.05, 0.3]}}}
    source = {"path": "/nowhere/*.csv", "format": "csv", "key": ["customer"], "columns": {"customer": {"type": "long"}}}
    view = {
        "entity": ["customer"],
        "timestamp": "at",
        "from": "orders",
        "select": {"amount": "amount", "town": "town"},
        "impute": {"amount": {"with": "median", "flag": True}},
    }
    return {
        "name": "shop",
        "environment": {
            "lake": {"root": str(root / "lake")},
            "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db"},
        },
        "sources": {"orders": source},
        "features": {"orders": view},
        "dataset": {
            "from": "orders",
            "entity": ["customer"],
            "timestamp": "ordered_at",
            "label": "amount > 50",
            "features": ["orders"],
            "derived": {"hour": "hour(ordered_at)", "nothing": "null", "always": "7"},
            "split": {"by": "time", "train_until": "2024-02-06", "valid_until": "2024-02-15"},
        },
        "model": {
            "task": "binary",
            "params": {"num_leaves": 7, "num_iterations": 60},
            "early_stopping_rounds": 10,
            "search": search,
        }
        | model,
        "scoring": {"from": "orders", "as_of": "ordered_at"},
    }


def make_use_case(root: Path, **model: Any) -> UseCase:
    return UseCase.model_validate(shop_config(root, **model), strict=False)


@pytest.fixture
def root(tmp_path: Path, mlflow_template: Path) -> Path:
    (tmp_path / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    return tmp_path


@pytest.fixture
def shop_lake(spark: SparkSession, root: Path) -> Lake:
    return open_lake(make_use_case(root), spark)


@pytest.fixture(scope="session")
def ready_folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the training set of `make_decisions()`, to be copied: Delta tables that live by path can be."""
    lake = open_lake(make_use_case(tmp_path_factory.mktemp("ready")), spark)
    write_training_set(lake, make_decisions())
    return Path(lake.root)


@pytest.fixture
def ready_lake(ready_folder: Path, shop_lake: Lake) -> Lake:
    """A lake of the test's own with the training set of `make_decisions()`."""
    shutil.copytree(ready_folder, shop_lake.root)
    return shop_lake


def read_figures(lake: Lake) -> list[Any]:
    return read_table(lake, "metrics").orderBy("subject", "name").collect()
