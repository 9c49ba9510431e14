"""A small model with signal, and MLflow in a database of its own."""

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.models import FeatureEncoder, PackagedModel, Tracking, prepare_tracking
from sparkml_ops.models.encoder import EncodedColumn

ENCODER = FeatureEncoder(
    columns=(
        EncodedColumn("hour", "numeric"),
        EncodedColumn("carrier", "categorical", levels=("AA", "DL", "UA")),
        EncodedColumn("gust", "numeric", fill=5.0, flag=True),
    )
)
METADATA = {"training_set_version": "ts-1", "config_hash": "abc", "code_version": "0.1", "write_id": "w1"}


def make_flights(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    hour = random.integers(5, 24, rows).astype(float)
    carrier = random.choice(["AA", "DL", "UA", "ZZ", None], rows)
    gust = np.where(random.random(rows) < 0.3, np.nan, random.normal(8, 3, rows))
    logit = (hour - 14) / 4 + (carrier == "UA") * 1.0 + random.normal(0, 0.5, rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    return pd.DataFrame({"id": np.arange(rows), "hour": hour, "carrier": carrier, "gust": gust, "label": label})


def train_booster(flights: pd.DataFrame) -> lightgbm.Booster:
    data = lightgbm.Dataset(ENCODER.encode_frame(flights), flights["label"], categorical_feature=[1])
    params = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1, "deterministic": True}
    return lightgbm.train(params, data, num_boost_round=20)


@pytest.fixture(scope="session")
def model() -> PackagedModel:
    booster = train_booster(make_flights(2000))
    return PackagedModel("shop", "binary", "lightgbm", ENCODER, booster, METADATA)


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    return make_flights(3000, seed=1)


@pytest.fixture(scope="session")
def flight_rows(spark: SparkSession, flights: pd.DataFrame) -> DataFrame:
    rows = flights.astype({"gust": object}).where(flights.notna(), None)
    return spark.createDataFrame(rows, "id long, hour double, carrier string, gust double, label int").cache()


@pytest.fixture
def tracking(tmp_path: Path, mlflow_template: Path) -> Tracking:
    (tmp_path / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    return prepare_tracking(make_environment(tmp_path))


def make_environment(folder: Path, tracking_uri: str | None = None) -> Environment:
    uri = tracking_uri or f"sqlite:///{folder}/mlflow.db"
    return Environment.model_validate({"lake": {"root": str(folder / "lake")}, "mlflow": {"tracking_uri": uri}})
