"""What the whole cluster trains: Spark MLlib and xgboost.spark, on rows that stay where they are, packaged without a JVM."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.model import ClassWeights, Model
from sparkml_ops.errors import ConfigError, ModelError, TrainingError
from sparkml_ops.features import read_training_set
from sparkml_ops.lake import open_lake, read_table
from sparkml_ops.models import FeatureEncoder, find_version, load_version, predict_rows, prepare_tracking, save_package
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds import mllib as kind
from sparkml_ops.models.kinds.filled import Filling
from sparkml_ops.models.kinds.forest import Forest
from sparkml_ops.training import train
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import (
    FitSettings,
    find_cluster_estimator,
    find_estimator,
    mllib,
    stored,
    xgboost_spark,
)
from sparkml_ops.training.estimators.figures import measure_answers
from sparkml_ops.training.estimators.mllib_nodes import convert_line, convert_trees
from sparkml_ops.training.estimators.mllib_rows import learn_filling, make_codes, make_spread
from sparkml_ops.training.estimators.stored import open_stored
from sparkml_ops.training.matrix import map_matrix, unmap_matrix, write_matrix
from sparkml_ops.training.runner import TrialRunner
from sparkml_ops.training.sampled import keep_sample
from tests.training.conftest import make_decisions, make_use_case, write_training_set

MLLIB = "pyspark.ml.classification"
BOOSTED, XGBOOST = f"{MLLIB}.GBTClassifier", "xgboost.spark.SparkXGBClassifier"
ESTIMATORS: dict[str, dict[str, Any]] = {
    BOOSTED: {"maxIter": 2, "maxDepth": 3, "subsamplingRate": 0.8},
    f"{MLLIB}.RandomForestClassifier": {"numTrees": 4, "maxDepth": 5},
    f"{MLLIB}:DecisionTreeClassifier": {"maxDepth": 4},
    f"{MLLIB}.LogisticRegression": {"regParam": 0.01, "maxIter": 8},
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


def write_rows(spark: SparkSession, folder: Path, frame: pd.DataFrame, *, weight: str | None = None) -> str:
    schema = "at timestamp, split string, label int, x double, level string, never double, two string, weight double"
    rows = spark.createDataFrame(frame, schema).repartition(3)
    write_matrix(rows, ENCODER, str(folder), timestamp="at", weight=None if weight is None else F.col(weight))
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
    np.testing.assert_allclose(kind.predict_values(converted, matrix, task="binary"), expected, rtol=0, atol=1e-12)


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
    ask = partial(find_estimator_kind(estimator.KIND).predict_values, task="binary")
    answers = [ask(one, np.asarray(matrix.rows.features)) for one in fitted]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()
    figures = measure_answers(matrix.valid.labels, answers[2][matrix.fitted :])
    assert figures == pytest.approx(outcome["metrics"], abs=1e-9)
    shares = estimator.weigh_columns(fitted[0], ENCODER.encoded_columns)
    assert sum(shares.values()) == pytest.approx(1)
    assert (shares["never"], max(shares.values()) > 0.5) == (0, True)


def test_weights_and_directions_are_heeded(spark: SparkSession, tmp_path: Path) -> None:
    """A row's weight of 4 and one of its class of 4 are the same; so the two trials differ in nothing but rounding."""
    plain = write_rows(spark, tmp_path / "plain", make_rows(300))
    heavy = write_rows(spark, tmp_path / "heavy", make_rows(300), weight="weight")
    settings = make_settings(f"{MLLIB}.LogisticRegression")
    by_class = replace(settings, class_weight=ClassWeights.model_validate({"0": 1, "1": 4}))
    lines = [
        mllib.fit_stored(folder, wished, 0, with_valid=True)
        for folder, wished in ((plain, settings), (plain, by_class), (heavy, settings))
    ]
    means = [
        kind.predict_values(line, np.asarray(map_matrix(plain).rows.features), task="binary").mean() for line in lines
    ]
    assert means[1] == pytest.approx(means[2], abs=1e-6)
    assert means[1] > means[0] + 0.1
    falling = replace(make_settings(XGBOOST), directions=(-1, 0, 0, 0))
    fitted = xgboost_spark.fit_stored(plain, falling, 10, with_valid=True)
    grid = np.column_stack([np.linspace(-3, 3, 50), np.full((50, 3), np.nan)])
    assert (np.diff(fitted.predict_proba(grid)[:, 1]) <= 0).all()


def test_only_a_sample_of_many_rows_is_mapped_and_all_are_learned_from(spark: SparkSession, tmp_path: Path) -> None:
    folder = write_rows(spark, tmp_path / "rows", make_rows(600))
    keep_sample(spark, folder, most_values=1, least_rows=600)
    assert len(map_matrix(folder).rows.labels) == 600
    unmap_matrix(folder)
    keep_sample(spark, folder, most_values=1, least_rows=100)
    sampled = map_matrix(folder)
    assert 50 < len(sampled.rows.labels) < 160
    assert 0 < sampled.fitted < len(sampled.rows.labels)
    assert open_stored(folder)[0].rows.count() == 600
    unmap_matrix(folder)


def test_a_trial_that_takes_too_long_is_stopped_between_its_jobs_too(spark: SparkSession, folder: str) -> None:
    task = TrialTask(folder, make_settings(BOOSTED, maxIter=100))
    runner = TrialRunner(spark, task, parallelism=1, seconds=2.0)
    runner.start(0, {})
    ((number, outcome),) = runner.wait(120)
    runner.close()
    assert (number, outcome["cause"]) == (0, "it took longer than model.search.trial_timeout: 2 s")
    assert outcome["ended"] - outcome["started"] < 60


def test_a_whole_training_goes_on_past_a_trial_that_cannot_be(spark: SparkSession, root: Path) -> None:
    """The version answers the same in a process that has no Spark as on Spark's workers."""
    search = {"max_trials": 3, "seed": 1, "max_failed_ratio": 0.9, "algorithm": "random"}
    space = {"maxDepth": {"pchoice": [{"p": 0.5, "of": 4}, {"p": 0.5, "of": 31}]}}
    params = {"maxIter": 1}
    use_case = make_use_case(root, estimator=BOOSTED, params=params, search=search | {"space": space})
    lake = open_lake(use_case, spark)
    training_set = write_training_set(lake, make_decisions(700))
    result = train(use_case, lake)
    tracking = prepare_tracking(use_case.environment)
    model = load_version(tracking, find_version(tracking, "shop"))
    assert (model.kind, result.params) == ("mllib", {"maxIter": 1, "maxDepth": 4})
    trials = read_table(lake, "trials").collect()
    causes = {row["status"]: row["cause"] for row in trials}
    assert set(causes) == {"ok", "failed"}
    assert causes["failed"].startswith(f"{BOOSTED} could not be fitted: GBTClassifier")
    assert causes["failed"].endswith("parameter maxDepth given invalid value 31.")
    assert result.figures["candidate"]["roc_auc"]["value"] > 0.55
    assert model.metadata["explanation"]["method"] == "permutation"
    rows = read_training_set(lake, training_set.version).where("split = 'test'").select(*model.feature_columns)
    scored = predict_rows(rows, model).toPandas()
    scored.to_parquet(root / "rows.parquet")
    save_package(model, root / "package")
    code = (
        "import sys, pandas as pd, json\n"
        "from sparkml_ops.models import load_package\n"
        "print(json.dumps(load_package(sys.argv[1]).predict(pd.read_parquet(sys.argv[2])).tolist()))"
    )
    command = [sys.executable, "-c", code, str(root / "package"), str(root / "rows.parquet")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(ended.stdout) == scored["prediction"].tolist()


def test_the_line_says_what_its_columns_add() -> None:
    filling = Filling(np.array([2.0, 0.0]), np.array([-1, 2]))
    line = kind.LinearModel(filling, np.array([0.5, 1.0, -1.0, 0.25]), 0.1)
    matrix = np.array([[4.0, 0.0], [np.nan, 1.0], [2.0, np.nan], [0.0, 7.0]])
    expected = [[1.0, 1.0], [0.0, -1.0], [0.0, 0.25], [-1.0, 0.25]]
    np.testing.assert_array_equal(kind.find_contributions(line, matrix), expected)
    margins = np.sum(expected, axis=1) + 1.0 + 0.1  # the fill's own share is no difference
    np.testing.assert_allclose(kind.predict_values(line, matrix, task="binary"), 1 / (1 + np.exp(-margins)))


def test_levels_that_no_row_had_are_missing_ones_and_go_where_these_go() -> None:
    forest = Forest(
        roots=np.array([0]), depths=np.array([2]), weights=np.array([1.0]),
        features=np.array([0, 1, 0, 0, 0], np.int32), thresholds=np.array([0.5, np.inf, np.inf, np.inf, np.inf]),
        lefts=np.array([1, 3, 2, 3, 4], np.int32), rights=np.array([2, 4, 2, 3, 4], np.int32),
        subset_of=np.array([-1, 0, -1, -1, -1], np.int32), gains=np.array([3.0, 1.0, 0, 0, 0]),
        values=np.array([[0, 0], [0, 0], [0, 1], [0.5, 0.5], [1, 0]], float),
        subsets=np.array([[True, False, True]]),
    )  # fmt: skip
    model = kind.TreeModel(Filling(np.array([0.25, 0.0]), np.array([-1, 2])), forest, is_boosted=False)
    matrix = np.array([[0.5, 0.0], [0.6, 0.0], [np.nan, 1.0], [0.0, np.nan], [0.0, 9.0]])
    np.testing.assert_array_equal(kind.predict_values(model, matrix, task="binary"), [0.5, 1, 0, 0.5, 0.5])
    np.testing.assert_array_equal(forest.share_gains(3), [0.75, 0.25, 0])
    again = kind.load_estimator(kind.dump_estimator(model))
    np.testing.assert_array_equal(kind.predict_values(again, matrix, task="binary"), [0.5, 1, 0, 0.5, 0.5])
    assert not kind.has_contributions(again)
    with pytest.raises(ModelError, match="do not say what their columns add"):
        kind.find_contributions(again, matrix)


def test_a_damaged_file_is_said_to_be_one() -> None:
    line = kind.LinearModel(Filling(np.zeros(1), np.array([-1])), np.ones(1), 0.0)
    content = kind.dump_estimator(line)
    assert kind.dump_estimator(line) == content
    for damaged in (b"", content[:-40], b"PK" + content[2:40]):
        with pytest.raises(ModelError, match="model.npz is damaged"):
            kind.load_estimator(damaged)


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        (f"{MLLIB}.LinearSVC", {}, "LinearSVC is not supported. It gives no probabilities. Of Spark MLlib these are"),
        (f"{MLLIB}.NaiveBayes", {}, "these are: pyspark.ml.classification.LogisticRegression, pyspark.ml"),
        ("pyspark.ml.regression.GBTRegressor", {}, "GBTRegressor is not supported. Of Spark MLlib"),
        (BOOSTED, {"maxdepth": 3}, "has no parameter 'maxdepth'. Did you mean 'maxDepth'"),
        (
            BOOSTED,
            {"seed": 3},
            "The parameter 'seed' of pyspark.ml.classification.GBTClassifier is set by the framework",
        ),
        (BOOSTED, {"sample_weight": "x"}, "it is a key of its own, model.sample_weight"),
        (BOOSTED, {"maxDepth": "deep"}, "model.params.maxDepth: pyspark.ml.classification.GBTClassifier does not take"),
        (XGBOOST, {"max_dept": 3}, "has no parameter 'max_dept'. Did you mean 'max_depth'"),
        (
            XGBOOST,
            {"num_workers": "many"},
            "model.params.num_workers: found 'many'; expected a whole number, 1 or above.",
        ),
        (XGBOOST, {"n_jobs": 3}, "'n_jobs' of xgboost.spark.SparkXGBClassifier is set by the framework"),
        ("xgboost.spark.SparkXGBRegressor", {}, "is not supported: it gives no probabilities of two classes. Take xgb"),
        ("xgboost.spark.SparkXGBClassifer", {}, "Did you mean 'SparkXGBClassifier'?"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_starts(name: str, params: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(estimator=name, params=params)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"estimator": BOOSTED, "monotone": {"x": "increasing"}}, "cannot keep a direction. These can: lightgbm"),
        ({"estimator": BOOSTED, "search": {"trial_memory_gb": 2}}, "spark.executor.memory"),
        ({"estimator": XGBOOST, "search": {"trial_memory_gb": 2}}, "runs in all of Spark's executors"),
        ({"estimator": XGBOOST, "class_weight": "balanced", "params": {"scale_pos_weight": 2}}, "say a second time"),
    ],
)
def test_wishes_that_the_cluster_cannot_heed_are_said(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(**keys)
    assert told in str(raised.value)


@pytest.mark.parametrize("name", [*ESTIMATORS, XGBOOST])
def test_nothing_is_refused_that_can_be_had(name: str) -> None:
    wishes = {"monotone": {"x": "increasing"}} if name == XGBOOST else {"class_weight": "balanced"}
    assert check(estimator=name, params=ESTIMATORS.get(name, {}), **wishes) is None


def check(**keys: Any) -> None:
    model = Model.model_validate({"task": "binary"} | keys)
    estimator, names = find_estimator(model.estimator), list(model.params)
    estimator.check_params(model.estimator, names)
    estimator.check_wishes(model, names)


def test_a_missing_extra_is_named_for_spark_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("xgboost", "xgboost.spark"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'sparkml-ops\[xgboost\]'"):
        check(estimator=XGBOOST)


def test_a_session_of_spark_connect_is_told_that_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyspark.sql.utils.is_remote", lambda: True)
    with pytest.raises(TrainingError, match="this session is one of Spark Connect, which has no sparkContext"):
        stored.find_session()
