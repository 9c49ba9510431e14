"""What the whole cluster trains: Spark MLlib and xgboost.spark, on rows that stay where they are, packaged without a JVM."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.models import FeatureEncoder
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds import mllib as kind
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import FitSettings, find_cluster_estimator, mllib
from sparkml_ops.training.estimators.figures import measure_answers
from sparkml_ops.training.estimators.mllib_nodes import convert_line, convert_trees
from sparkml_ops.training.estimators.mllib_rows import learn_filling, make_codes, make_spread
from sparkml_ops.training.estimators.stored import open_stored
from sparkml_ops.training.matrix import map_matrix, write_matrix

MLLIB = "pyspark.ml.classification"
BOOSTED, XGBOOST = f"{MLLIB}.GBTClassifier", "xgboost.spark.SparkXGBClassifier"
ESTIMATORS: dict[str, dict[str, Any]] = {
    BOOSTED: {"maxIter": 3, "maxDepth": 3, "subsamplingRate": 0.8},
    f"{MLLIB}.RandomForestClassifier": {"numTrees": 4, "maxDepth": 5},
    f"{MLLIB}:DecisionTreeClassifier": {"maxDepth": 4},
    f"{MLLIB}.LogisticRegression": {"regParam": 0.01},
}
EVERY = pytest.mark.parametrize("name", ESTIMATORS)
LEVELS = tuple(f"l{number:02d}" for number in range(40))
ENCODER = FeatureEncoder((
    EncodedColumn("x", "numeric"),
    EncodedColumn("level", "categorical", LEVELS),
    EncodedColumn("never", "numeric"),
    EncodedColumn("two", "categorical", ("a", "b")),
))  # fmt: skip
SETTINGS = FitSettings(BOOSTED, {}, "roc_auc", 3, 5, [1, 3])


def make_rows(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """The last quarter is to tune on, and has levels that the others have not; values are missing here and there."""
    random = np.random.default_rng(seed)
    is_valid = np.arange(rows) >= rows * 3 // 4
    x, level = random.normal(size=rows), random.integers(0, np.where(is_valid, 40, 36))
    label = random.random(rows) < 1 / (1 + np.exp(-1.5 * x - np.where(level % 3 == 0, 1.5, -1)))
    missing = random.random((3, rows)) < 0.1
    return pd.DataFrame({
        "at": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=int(n)) for n in range(rows)],
        "split": np.where(is_valid, "valid", "train"), "label": label.astype(int),
        "x": np.where(missing[0], np.nan, x), "level": np.where(missing[1], None, np.array(LEVELS, object)[level]),
        "never": np.nan, "two": np.where(missing[2], None, "a"), "weight": np.where(label, 4.0, 1.0),
    })  # fmt: skip


def write_rows(spark: SparkSession, folder: Path, frame: pd.DataFrame, *, weight: Any = None) -> str:
    schema = "at timestamp, split string, label int, x double, level string, never double, two string, weight double"
    rows = spark.createDataFrame(frame, schema).repartition(3)
    write_matrix(rows, ENCODER, str(folder), timestamp="at", weight=weight)
    return str(folder)


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(spark, tmp_path_factory.mktemp("cluster") / "rows", make_rows())


def make_settings(name: str, **params: Any) -> FitSettings:
    return replace(SETTINGS, estimator=name, params=ESTIMATORS.get(name, {}) | params)


@EVERY
def test_the_arrays_answer_as_mllib_does(folder: str, name: str) -> None:
    """Also rows with missing values, and with levels that the rows to fit on did not have."""
    every, train_rows, _ = open_stored(folder)
    filling = learn_filling(train_rows, SETTINGS.categorical_positions)
    make = make_spread if name.endswith("LogisticRegression") else make_codes
    convert = convert_line if name.endswith("LogisticRegression") else convert_trees
    fitted = mllib._make(make_settings(name), is_weighed=False, most_levels=37).fit(make(train_rows, filling))
    expected = [row[0][1] for row in fitted.transform(make(every, filling)).select("probability").collect()]
    converted = kind.load_estimator(kind.dump_estimator(convert(fitted, filling)))
    matrix = every.deal(1).select(*every.names).toPandas().to_numpy()
    assert np.isnan(matrix).any(axis=0).all()
    assert np.nanmax(matrix[:, 1]) > filling.levels[1]
    np.testing.assert_allclose(kind.predict_probabilities(converted, matrix), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [BOOSTED, XGBOOST])
def test_a_trial_finds_the_signal_and_the_final_fit_is_the_same_each_time(folder: str, name: str) -> None:
    estimator, settings, matrix = find_cluster_estimator(name), make_settings(name), map_matrix(folder)
    assert estimator is not None
    outcome = try_params(TrialTask(folder, settings), {})
    assert outcome["metrics"]["roc_auc"] > 0.7
    assert (0 < outcome["rounds"] < 100) == (name == XGBOOST)
    fitted = [
        estimator.fit_stored(folder, settings, outcome["rounds"], with_valid=both) for both in (True, True, False)
    ]
    ask = find_estimator_kind(estimator.KIND).predict_probabilities
    answers = [ask(one, np.asarray(matrix.rows.features)) for one in fitted]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()
    figures = measure_answers(matrix.valid.labels, answers[2][matrix.fitted :])
    assert figures == pytest.approx(outcome["metrics"], abs=1e-9)
    assert list(estimator.weigh_columns(fitted[0], ENCODER.encoded_columns))[-1] == "never"
