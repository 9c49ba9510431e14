"""Numbers that the whole cluster learns: Spark MLlib's regressors and xgboost.spark's, packaged without a JVM."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.errors import TrainingError
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds import mllib as kind
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import FitSettings, find_cluster_estimator, mllib, stored
from sparkml_ops.training.estimators.figures import measure_answers
from sparkml_ops.training.estimators.mllib_nodes import convert_line, convert_trees
from sparkml_ops.training.estimators.mllib_rows import learn_filling, make_codes, make_spread
from sparkml_ops.training.estimators.stored import measure_stored, open_stored
from sparkml_ops.training.matrix import Part, map_matrix
from tests.training.cluster_rows import ENCODER, draw_rows, settle, write_rows

MLLIB = "pyspark.ml.regression"
BOOSTED, XGBOOST, LINE = f"{MLLIB}.GBTRegressor", "xgboost.spark.SparkXGBRegressor", f"{MLLIB}.LinearRegression"
ESTIMATORS: dict[str, dict[str, Any]] = {
    BOOSTED: {"maxIter": 3, "maxDepth": 3, "subsamplingRate": 0.8},
    f"{MLLIB}.RandomForestRegressor": {"numTrees": 4, "maxDepth": 5},
    f"{MLLIB}:DecisionTreeRegressor": {"maxDepth": 4},
    LINE: {"regParam": 0.01, "maxIter": 20},
}
SETTINGS = FitSettings(BOOSTED, {}, "rmse", 3, 5, [1, 3], task="regression")
make_settings = partial(settle, SETTINGS, ESTIMATORS)


def make_rows(rows: int = 600) -> pd.DataFrame:
    return draw_rows(
        lambda random, x, level: 500 + 40 * x + 60 * (level % 3 == 0) + random.normal(0, 10, rows), rows, heavy=520
    )


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(spark, tmp_path_factory.mktemp("numbers") / "rows", make_rows())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_arrays_give_the_numbers_that_mllib_gives(folder: str, name: str) -> None:
    """Also for rows with missing values, and with levels that the rows to fit on did not have."""
    every, train_rows, _ = open_stored(folder, task="regression")
    filling = learn_filling(train_rows, SETTINGS.categorical_positions)
    make, convert = (make_spread, convert_line) if name == LINE else (make_codes, convert_trees)
    fitted = mllib._make(make_settings(name), is_weighed=False, most_levels=37).fit(make(train_rows, filling))
    expected = [row[0] for row in fitted.transform(make(every, filling)).select("prediction").collect()]
    converted = kind.load_estimator(kind.dump_estimator(convert(fitted, filling)))
    matrix = every.deal(1).select(*every.names).toPandas().to_numpy()
    assert np.isnan(matrix).any(axis=0).all()
    assert np.nanmax(matrix[:, 1]) > filling.levels[1]
    assert np.std(expected) > 20
    np.testing.assert_allclose(kind.predict_values(converted, matrix, task="regression"), expected, rtol=1e-9)


@pytest.mark.parametrize("name", [BOOSTED, XGBOOST])
def test_a_trial_finds_the_number_and_the_final_fit_is_the_same_each_time(folder: str, name: str) -> None:
    estimator, settings, matrix = find_cluster_estimator(name), make_settings(name), map_matrix(folder)
    assert estimator is not None
    outcome = try_params(TrialTask(folder, settings), {})
    assert outcome["metrics"]["r2"] > 0.5
    assert outcome["loss"] == outcome["metrics"]["rmse"]
    assert (0 < outcome["rounds"] < 100) == (name == XGBOOST)
    rounds = outcome["rounds"]
    fitted = [estimator.fit_stored(folder, settings, rounds, with_valid=both) for both in (True, True, False)]
    ask = partial(find_estimator_kind(estimator.KIND).predict_values, task="regression")
    answers = [ask(one, np.asarray(matrix.rows.features)) for one in fitted]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()
    figures = measure_answers(matrix.valid.labels, answers[2][matrix.fitted :], task="regression")
    assert figures == pytest.approx(outcome["metrics"], rel=1e-9)
    shares = estimator.weigh_columns(fitted[0], ENCODER.encoded_columns)
    assert sum(shares.values()) == pytest.approx(1)
    assert (shares["never"], max(shares.values()) > 0.4) == (0, True)


def test_figures_by_sums_on_spark_say_the_same(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, valid = open_stored(folder, task="regression")
    fitted = mllib.fit_stored(folder, make_settings(LINE), 0, with_valid=False)
    exact = measure_stored(valid, mllib.KIND, fitted)
    monkeypatch.setattr(stored, "EXACT_ROWS", 0)
    assert measure_stored(valid, mllib.KIND, fitted) == pytest.approx(exact, rel=1e-9)


def test_heavy_rows_pull_and_a_direction_is_kept(spark: SparkSession, folder: str, tmp_path: Path) -> None:
    heavy = write_rows(spark, tmp_path / "heavy", make_rows(), weight="weight")
    features = np.asarray(map_matrix(folder).rows.features)
    for name in (f"{MLLIB}:DecisionTreeRegressor", LINE):
        fitted = [mllib.fit_stored(where, make_settings(name), 0, with_valid=True) for where in (folder, heavy)]
        means = [kind.predict_values(one, features, task="regression").mean() for one in fitted]
        assert means[1] > means[0] + 2, name
    estimator = find_cluster_estimator(XGBOOST)
    assert estimator is not None
    falling = replace(make_settings(XGBOOST), directions=(-1, 0, 0, 0))
    grid = np.column_stack([np.linspace(-3, 3, 50), np.full((50, 3), np.nan)])
    assert (np.diff(estimator.fit_stored(folder, falling, 10, with_valid=True).predict(grid)) <= 0).all()


def test_labels_that_are_all_the_same_are_said(spark: SparkSession, tmp_path: Path) -> None:
    frame = make_rows(200)
    constant = write_rows(spark, tmp_path / "constant", frame.assign(label=7.5))
    with pytest.raises(TrainingError, match=r"to fit on need labels that differ; all 150 rows have the label 7\.5"):
        open_stored(constant, task="regression")
    late = write_rows(spark, tmp_path / "late", frame.assign(label=frame["label"].where(frame["split"] == "train", -1)))
    outcome = try_params(TrialTask(late, make_settings(BOOSTED)), {})
    assert "The rows to tune on need labels that differ; all 50 rows have the label -1" in outcome["cause"]
    with pytest.raises(TrainingError, match="all 9 rows have the label 3"):
        mllib.fit_final(Part(np.zeros((9, 4)), np.full(9, 3.0)), make_settings(BOOSTED), 0)
