"""How features become numbers is learned from the part `train` alone, stored with the model, and the same wherever it is asked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import FeatureEncoder, PackagedModel, load_package, predict_rows, save_package
from sparkml_ops.training.estimators import FitSettings
from sparkml_ops.training.estimators.sklearn import fit_final
from sparkml_ops.training.matrix import Part
from sparkml_ops.training.prepare import prepare_encoder
from sparkml_ops.training.recipe import list_imputes
from tests.training.conftest import FEATURES, SCHEMA, make_decisions, shop_config

STRANGE = pd.DataFrame(
    {
        "orders__amount": [0.5, None, float("nan"), float("-inf"), 1e9, -1.0],
        "orders__town": ["Ulm", None, "Hof", "", "ulm", "Kiel"],
        "hour": [3.0, None, 3.0, float("inf"), -4.0, 23.0],
        "nothing": [None] * 6,
        "always": [7.0, 8.0, None, 7.0, 7.0, 7.0],
    }
)


@pytest.fixture(scope="module")
def use_case(tmp_path_factory: pytest.TempPathFactory) -> UseCase:
    config: dict[str, Any] = shop_config(tmp_path_factory.mktemp("shop"), levels={"at_least": 50, "others": "level"})
    config["features"]["orders"]["impute"]["town"] = {"with": "most_frequent", "flag": True}
    config["dataset"]["impute"] = {"hour": {"with": "mean", "flag": True}}
    return UseCase.model_validate(config, strict=False)


def fit(spark: SparkSession, use_case: UseCase, decisions: pd.DataFrame) -> tuple[list[str], FeatureEncoder]:
    rows: DataFrame = spark.createDataFrame(decisions, SCHEMA).repartition(3)
    chosen, encoder = prepare_encoder(use_case, rows, FEATURES)
    return chosen.kept, encoder


@pytest.fixture(scope="module")
def decisions() -> pd.DataFrame:
    return make_decisions(300)


@pytest.fixture(scope="module")
def encoder(spark: SparkSession, use_case: UseCase, decisions: pd.DataFrame) -> FeatureEncoder:
    return fit(spark, use_case, decisions)[1]


def change(decisions: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Other amounts, towns and hours in some parts, and a column that says something there alone."""
    changed = decisions.copy()
    here = changed["split"].isin(parts)
    changed.loc[here, "orders__amount"] = 1e6
    changed.loc[here, "orders__town"] = "Hof"
    changed.loc[here, "hour"] = -99.0
    changed.loc[here, "nothing"] = np.arange(here.sum()).astype(float)
    return changed


def test_changed_valid_and_test_rows_change_nothing(
    spark: SparkSession, use_case: UseCase, decisions: pd.DataFrame, encoder: FeatureEncoder
) -> None:
    assert fit(spark, use_case, change(decisions, ["valid", "test"])) == (encoder.feature_columns, encoder)


def test_changed_training_rows_change_it(
    spark: SparkSession, use_case: UseCase, decisions: pd.DataFrame, encoder: FeatureEncoder
) -> None:
    _, other = fit(spark, use_case, change(decisions, ["train"]))
    assert other != encoder
    assert "orders__town" not in other.feature_columns, "it has one value only"


def test_the_figures_are_those_of_the_training_rows(encoder: FeatureEncoder, decisions: pd.DataFrame) -> None:
    train = decisions[decisions["split"] == "train"]
    amount, town, hour = (next(c for c in encoder.columns if c.name == name) for name in FEATURES[:3])
    assert amount.fill == pytest.approx(train["orders__amount"].astype(float).median())
    assert hour.fill == pytest.approx(train["hour"].mean())
    counts = train["orders__town"].value_counts()
    assert set(town.levels) == set(counts[counts >= 50].index) | {counts.index[0]}
    assert town.levels[int(town.fill or 0)] == counts.index[0]
    assert encoder.encoded_columns[3:] == ["orders__amount__missing", "orders__town__missing", "hour__missing"]


def test_imputes_of_derived_columns_stand_beside_those_of_views(use_case: UseCase) -> None:
    assert {name: how.method for name, how in list_imputes(use_case).items()} == {
        "orders__amount": "median",
        "orders__town": "most_frequent",
        "hour": "mean",
    }


@pytest.fixture(scope="module")
def packaged(
    encoder: FeatureEncoder, decisions: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PackagedModel, Path]:
    train = decisions[decisions["split"] == "train"]
    settings = FitSettings(
        estimator="sklearn.linear_model.LogisticRegression", params={}, metric="roc_auc", seed=1,
        early_stopping_rounds=1, categorical_positions=encoder.categorical_positions,
    )  # fmt: skip
    labels = train["label"].to_numpy(dtype=float)
    fitted = fit_final(Part(encoder.encode_frame(train.astype({"orders__amount": float})), labels), settings, 0)
    model = PackagedModel("shop", "binary", "sklearn", encoder, fitted)
    folder = tmp_path_factory.mktemp("package")
    save_package(model, folder)
    return model, folder


def test_it_is_stored_with_the_model(packaged: tuple[PackagedModel, Path], encoder: FeatureEncoder) -> None:
    assert load_package(packaged[1]).encoder == encoder


def test_another_process_that_has_the_package_alone_answers_the_same(packaged: tuple[PackagedModel, Path]) -> None:
    model, folder = packaged
    rows = STRANGE.astype({"orders__amount": float, "hour": float})
    rows.to_pickle(folder / "rows.pkl")
    code = (
        "import sys, json, pandas as pd\n"
        "from pathlib import Path\n"
        "from sparkml_ops.models import load_package\n"
        "rows = pd.read_pickle(Path(sys.argv[1]) / 'rows.pkl')\n"
        "Path(sys.argv[1], 'rows.pkl').unlink()\n"
        "print(json.dumps(load_package(sys.argv[1]).predict(rows).tolist()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == model.predict(rows).tolist()


def test_bulk_scoring_encodes_unseen_levels_and_missing_values_the_same(
    spark: SparkSession, packaged: tuple[PackagedModel, Path]
) -> None:
    model, folder = packaged
    rows = STRANGE.assign(id=range(len(STRANGE)))
    schema = "orders__amount double, orders__town string, hour double, nothing double, always double, id long"
    given = spark.createDataFrame(rows.astype(object).where(rows.notna(), None), schema).repartition(2)
    scored = predict_rows(given, load_package(folder)).orderBy("id").toPandas()
    expected = model.predict(STRANGE.astype({"orders__amount": float, "hour": float}))
    np.testing.assert_array_equal(scored["prediction"].to_numpy(), expected)
