"""What the whole cluster trains: Spark MLlib and xgboost.spark, on rows that stay where they are, packaged without a JVM."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.model import ClassWeights
from sparkml_ops.features import read_training_set
from sparkml_ops.lake import open_lake, read_table
from sparkml_ops.models import find_version, load_version, predict_rows, prepare_tracking, save_package
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds import mllib as kind
from sparkml_ops.training import train
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import (
    FitSettings,
    find_cluster_estimator,
    mllib,
    stored,
    xgboost_spark,
)
from sparkml_ops.training.estimators.figures import measure_answers
from sparkml_ops.training.estimators.mllib_nodes import convert_line, convert_trees
from sparkml_ops.training.estimators.mllib_rows import learn_filling, make_codes, make_spread
from sparkml_ops.training.estimators.stored import open_stored
from sparkml_ops.training.matrix import map_matrix, unmap_matrix
from sparkml_ops.training.runner import TrialRunner
from sparkml_ops.training.sampled import keep_sample
from tests.training.cluster_rows import ENCODER, draw_rows, settle, write_rows
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
SETTINGS = FitSettings(BOOSTED, {}, "roc_auc", 3, 5, [1, 3])
make_settings = partial(settle, SETTINGS, ESTIMATORS)


def make_rows(rows: int = 600) -> pd.DataFrame:
    return draw_rows(
        lambda random, x, level: random.random(rows) < 1 / (1 + np.exp(-1.5 * x - np.where(level % 3 == 0, 1.5, -1))),
        rows,
        heavy=0.5,
    )


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(spark, tmp_path_factory.mktemp("cluster") / "rows", make_rows())


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
    """A row's weight of 9 and one of its class of 9 are the same; so the two trials differ in nothing but rounding."""
    plain = write_rows(spark, tmp_path / "plain", make_rows(300))
    heavy = write_rows(spark, tmp_path / "heavy", make_rows(300), weight="weight")
    settings = make_settings(f"{MLLIB}.LogisticRegression")
    by_class = replace(settings, class_weight=ClassWeights.model_validate({"0": 1, "1": 9}))
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
    told = "could not be fitted: GBTClassifier parameter maxDepth given invalid value 31."
    assert causes["failed"] == f"{BOOSTED} {told}"
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


def test_many_partitions_and_figures_by_bins_say_the_same(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows are sorted whole to find where to split, and counts of classes add up alike in any order."""
    settings = make_settings(f"{MLLIB}:DecisionTreeClassifier")
    _, train_rows, valid = open_stored(folder)
    alone = mllib.fit_stored(folder, settings, 0, with_valid=False)
    exact = stored.measure_stored(valid, mllib.KIND, alone)
    monkeypatch.setattr(stored, "VALUES_PER_PARTITION", 600)
    monkeypatch.setattr(stored, "EXACT_ROWS", 0)
    assert train_rows.count_partitions() == 3
    dealt = mllib.fit_stored(folder, settings, 0, with_valid=False)
    assert kind.dump_estimator(dealt) == kind.dump_estimator(alone)
    assert stored.measure_stored(valid, mllib.KIND, dealt) == pytest.approx(exact, abs=2e-3)
