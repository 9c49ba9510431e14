"""Several classes that the whole cluster learns: Spark MLlib's classifiers and xgboost.spark's, packaged without a JVM."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.errors import TrainingError
from sparkml_ops.models import PackagedModel, predict_matrix
from sparkml_ops.models.kinds import mllib as kind
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import FitSettings, find_cluster_estimator, mllib, xgboost_spark
from sparkml_ops.training.estimators.figures import measure_answers
from sparkml_ops.training.estimators.mllib_nodes import convert_line, convert_trees
from sparkml_ops.training.estimators.mllib_rows import learn_filling, make_codes, make_spread
from sparkml_ops.training.estimators.stored import open_stored
from sparkml_ops.training.matrix import map_matrix
from tests.training.cluster_rows import ENCODER, draw_rows, settle, write_rows

MLLIB = "pyspark.ml.classification"
FOREST, TREE = f"{MLLIB}.RandomForestClassifier", f"{MLLIB}:DecisionTreeClassifier"
LINE, XGBOOST = f"{MLLIB}.LogisticRegression", "xgboost.spark.SparkXGBClassifier"
MLLIB_ESTIMATORS: dict[str, dict[str, Any]] = {
    FOREST: {"numTrees": 4, "maxDepth": 5},
    TREE: {"maxDepth": 4},
    LINE: {"regParam": 0.001, "maxIter": 20},
}
CLASSES, TASK, NOVEL = ("high", "low", "middle"), "multiclass", 12
OF_CLASSES = replace(ENCODER, classes=CLASSES)
SETTINGS = FitSettings(TREE, {}, "log_loss", 3, 5, [1, 3], task=TASK, classes=CLASSES)
make_settings = partial(settle, SETTINGS, MLLIB_ESTIMATORS)


def draw_class(random: np.random.Generator, x: Any, level: Any) -> Any:
    score = 1.5 * x + 1.5 * (level % 3 == 0) + random.normal(0, 0.3, len(x))
    return np.select([score > 1.2, score < -0.5], [0, 1], 2)


def make_rows(rows: int = 600, novel: int = NOVEL) -> pd.DataFrame:
    """So many of the last rows, which are to tune on, are of a class that the rows to fit on do not have."""
    frame = draw_rows(draw_class, rows, heavy=1.5)
    names = np.array(CLASSES, object)[frame["label"].astype(int)]
    return frame.assign(label=np.where(frame.index < rows - novel, names, "novel"))


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(spark, tmp_path_factory.mktemp("classes") / "rows", make_rows(), encoder=OF_CLASSES)


def ask(name: str, fitted: Any, features: Any) -> "np.ndarray[Any, np.dtype[np.float64]]":
    estimator = find_cluster_estimator(name)
    assert estimator is not None
    return predict_matrix(PackagedModel("shop", TASK, estimator.KIND, OF_CLASSES, fitted), np.asarray(features))


@pytest.mark.parametrize("name", MLLIB_ESTIMATORS)
def test_the_arrays_give_the_probabilities_that_mllib_gives(folder: str, name: str) -> None:
    """Also for rows with missing values, and with levels that the rows to fit on did not have."""
    every, train_rows, _ = open_stored(folder, task=TASK, classes=3)
    filling = learn_filling(train_rows, SETTINGS.categorical_positions)
    make, convert = (make_spread, convert_line) if name == LINE else (make_codes, convert_trees)
    fitted = mllib._make(make_settings(name), is_weighed=False, most_levels=37).fit(make(train_rows, filling))
    told = fitted.transform(make(every, filling)).select("probability").collect()
    converted = kind.load_estimator(kind.dump_estimator(convert(fitted, filling)))
    matrix = every.deal(1).select(*every.names).toPandas().to_numpy()
    assert np.isnan(matrix).any(axis=0).all()
    assert np.nanmax(matrix[:, 1]) > filling.levels[1]
    answers = kind.predict_values(converted, matrix, task=TASK)
    np.testing.assert_allclose(answers, np.array([row[0].toArray() for row in told]), rtol=1e-9)
    assert (answers.std(axis=0) > 0.2).all()


@pytest.mark.parametrize("name", [FOREST, XGBOOST])
def test_a_trial_finds_the_classes_and_the_final_fit_is_the_same_each_time(folder: str, name: str) -> None:
    """Rows of a class that train does not have count as wrong, and are fitted on by nobody."""
    estimator, settings, matrix = find_cluster_estimator(name), make_settings(name), map_matrix(folder)
    assert estimator is not None
    outcome = try_params(TrialTask(folder, settings), {})
    assert 0.6 < outcome["metrics"]["accuracy"] < 1 - NOVEL / 150
    assert outcome["loss"] == outcome["metrics"]["log_loss"]
    assert (0 < outcome["rounds"] < 100) == (name == XGBOOST)
    fitted = [
        estimator.fit_stored(folder, settings, outcome["rounds"], with_valid=both) for both in (True, True, False)
    ]
    answers = [ask(name, one, matrix.rows.features) for one in fitted]
    assert answers[0].shape == (600, 3)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()
    figures = measure_answers(matrix.valid.labels, answers[2][matrix.fitted :], task=TASK)
    assert figures == pytest.approx(outcome["metrics"], rel=1e-9)
    shares = estimator.weigh_columns(fitted[0], ENCODER.encoded_columns)
    assert sum(shares.values()) == pytest.approx(1)
    assert (shares["never"], max(shares.values()) > 0.4) == (0, True)


def test_xgboost_answers_as_its_model_of_spark_does(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are computed with 32 bits, by a softmax each."""
    caught, detach = [], xgboost_spark._detach
    monkeypatch.setattr(xgboost_spark, "_detach", lambda model: (caught.append(model), detach(model))[1])
    fitted = xgboost_spark.fit_stored(folder, make_settings(XGBOOST), 5, with_valid=False)
    rows = open_stored(folder, task=TASK, classes=3)[0].deal(1)
    told = np.array([row[0].toArray() for row in caught[0].transform(rows).select("probability").collect()])
    answers = ask(XGBOOST, fitted, rows.select("x0", "x1", "x2", "x3").toPandas().to_numpy())
    np.testing.assert_allclose(answers, told, rtol=2e-6)
    assert (answers.std(axis=0) > 0.1).all()


@pytest.mark.parametrize(("name", "missing"), [(TREE, 2), (LINE, 2), (XGBOOST, 1)])
def test_a_class_that_a_sample_has_no_row_of_is_hardly_probable(folder: str, name: str, missing: int) -> None:
    """The learning curve fits on samples; the last class, or one in the middle, may be in none of their rows."""
    estimator, train = find_cluster_estimator(name), map_matrix(folder).train
    assert estimator is not None
    sample = train.take(np.flatnonzero(train.labels != missing))
    answers = ask(name, estimator.fit_final(sample, make_settings(name), 20), train.features)
    assert answers.shape == (450, 3)
    assert answers[:, missing].max() < 0.02
    hits = answers.argmax(axis=1)[train.labels != missing] == sample.labels
    assert hits.mean() > 0.8


def test_weights_of_rows_and_classes_are_heeded(spark: SparkSession, folder: str, tmp_path: Path) -> None:
    heavy = write_rows(spark, tmp_path / "heavy", make_rows(), weight="weight", encoder=OF_CLASSES)
    train, settings = map_matrix(folder).train, make_settings(TREE)
    asked = ((folder, settings), (folder, replace(settings, class_weight="balanced")), (heavy, settings))
    plain, balanced, weighed = (
        ask(TREE, mllib.fit_stored(rows, one, 0, with_valid=False), train.features).mean(axis=0) for rows, one in asked
    )
    rarest = int(np.bincount(train.labels.astype(int)).argmin())
    assert balanced[rarest] > plain[rarest] + 0.01
    assert weighed[2] > plain[2] + 0.1


def test_two_classes_are_several_too(spark: SparkSession, tmp_path: Path) -> None:
    encoder = replace(ENCODER, classes=CLASSES[:2])
    frame = make_rows(300, novel=0).replace({"label": {"middle": "low"}})
    two = write_rows(spark, tmp_path / "two", frame, encoder=encoder)
    for name in (LINE, XGBOOST):
        estimator, settings = find_cluster_estimator(name), replace(make_settings(name), classes=CLASSES[:2])
        assert estimator is not None
        outcome = try_params(TrialTask(two, settings), {})
        assert outcome["metrics"]["accuracy"] > 0.8, name
        fitted = estimator.fit_stored(two, settings, max(outcome["rounds"], 1), with_valid=True)
        model = PackagedModel("shop", TASK, estimator.KIND, encoder, fitted)
        answers = predict_matrix(model, np.asarray(map_matrix(two).rows.features))
        np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)
        assert answers.std() > 0.2, name


def test_rows_of_one_class_are_said_to_be(spark: SparkSession, tmp_path: Path) -> None:
    frame = make_rows(200)
    late = frame.assign(label=frame["label"].where(frame["split"] == "train", "low"))
    alone = write_rows(spark, tmp_path / "late", late, encoder=OF_CLASSES)
    told = "need labels that differ; all 50 rows are of one class."
    assert try_params(TrialTask(alone, make_settings(TREE)), {})["cause"].startswith(f"The rows to tune on {told}")
    rows = map_matrix(alone).valid
    for name in (TREE, XGBOOST):
        estimator = find_cluster_estimator(name)
        assert estimator is not None
        with pytest.raises(TrainingError, match=told):
            estimator.fit_final(rows, make_settings(name), 5)
