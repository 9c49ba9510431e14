"""Every estimator, for each task, found by each search: registered, loaded in a fresh process, it answers as it did where it was fitted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import (
    FeatureEncoder,
    PackagedModel,
    Tracking,
    finish_run,
    load_version,
    open_experiment,
    predict_rows,
    prepare_tracking,
    register_model,
    start_run,
)
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.check import check_model
from sparkml_ops.training.estimators import find_cluster_estimator, mllib
from sparkml_ops.training.matrix import unmap_matrix, write_matrix
from sparkml_ops.training.prepare import make_settings
from sparkml_ops.training.search import run_search
from sparkml_ops.training.trials import find_best
from sparkml_ops.training.winner import Winner, fit_winner
from tests.training.conftest import shop_config

METRICS = {"binary": "roc_auc", "regression": "rmse", "multiclass": "log_loss"}
BINARY, REGRESSION, MULTICLASS = METRICS
SEARCHES: dict[str, dict[str, str]] = {
    "tpe": {"algorithm": "tpe"}, "random": {"algorithm": "random"}, "optuna": {"backend": "optuna"},
}  # fmt: skip
SHRINK, DEPTH = {"loguniform": [0.1, 0.3]}, {"uniformint": [2, 4]}
ESTIMATORS: dict[tuple[str, str], tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{("lightgbm", task): ("lightgbm", {"num_iterations": 20}, {"learning_rate": SHRINK}) for task in (BINARY, REGRESSION)},
    ("line", BINARY): ("sklearn.linear_model.LogisticRegression", {}, {"C": {"loguniform": [0.1, 10]}}),
    ("line", REGRESSION): ("sklearn.linear_model.LinearRegression", {}, {"positive": {"choice": [True, False]}}),
    ("hist", BINARY): ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 10}, {"max_depth": DEPTH}),
    ("hist", REGRESSION): ("sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 10}, {"max_depth": DEPTH}),
    ("own", BINARY): ("tests.training.own_trainers.Shares", {}, {"bins": {"uniformint": [4, 12]}}),
    ("own", REGRESSION): ("tests.training.own_trainers.Mean", {}, {"answer": {"choice": ["mean", "column"]}}),
    ("mllib", BINARY): ("pyspark.ml.classification.GBTClassifier", {"maxIter": 2}, {"maxDepth": DEPTH}),
    ("mllib", REGRESSION): ("pyspark.ml.regression.GBTRegressor", {"maxIter": 2}, {"maxDepth": DEPTH}),
    ("mllib", MULTICLASS): ("pyspark.ml.classification.RandomForestClassifier", {"numTrees": 3}, {"maxDepth": DEPTH}),
    ("xgboost", BINARY): ("xgboost.spark.SparkXGBClassifier", {"n_estimators": 8}, {"max_depth": DEPTH}),
    ("xgboost", REGRESSION): ("xgboost.spark.SparkXGBRegressor", {"n_estimators": 8}, {"max_depth": DEPTH}),
    ("xgboost", MULTICLASS): ("xgboost.spark.SparkXGBClassifier", {"n_estimators": 8}, {"max_depth": DEPTH}),
}  # fmt: skip
OF_CLUSTER = {
    ("mllib", BINARY, "tpe"), ("mllib", REGRESSION, "optuna"), ("mllib", MULTICLASS, "random"),
    ("xgboost", BINARY, "optuna"), ("xgboost", REGRESSION, "random"), ("xgboost", MULTICLASS, "tpe"),
}  # fmt: skip
"""Fits of the whole cluster take seconds: of these each estimator has two searches, and each search one of them at least."""
CASES = [
    (name, task, search)
    for name, task in ESTIMATORS
    for search in SEARCHES
    if name not in {"mllib", "xgboost"} or (name, task, search) in OF_CLUSTER
]
LEVELS, CLASSES = ("Bonn", "Kiel", "Ulm"), ("high", "low", "middle")
ENCODER = FeatureEncoder((
    EncodedColumn("x", "numeric"), EncodedColumn("gap", "numeric"), EncodedColumn("town", "categorical", LEVELS),
))  # fmt: skip
SCHEMA = "id long, at timestamp, split string, label {label}, x double, gap double, town string"
PROGRAM = """
import json, sys
import mlflow, numpy as np, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
rows, answers = pd.read_parquet(sys.argv[2]), {}
for version in range(1, int(sys.argv[3]) + 1):
    answers[version] = np.asarray(mlflow.pyfunc.load_model(f"models:/shop/{version}").predict(rows)).tolist()
print(json.dumps([answers, sorted(name for name in sys.modules if name.startswith("pyspark.ml"))]))
"""


@dataclass(frozen=True)
class Made:
    """What became of one case: its version, what the estimator itself says of the rows, and what its trials were worth."""

    version: int
    own: "np.ndarray[Any, np.dtype[np.float64]]"
    bulk: "np.ndarray[Any, np.dtype[np.float64]]"
    losses: list[float]


def make_rows(task: str, rows: int = 420) -> pd.DataFrame:
    """A third is to tune on; its towns, and those asked later, have one that was never seen. Numbers and towns are missing here and there."""
    random = np.random.default_rng(5)
    x, gap, town = random.normal(size=rows), random.normal(size=rows), random.integers(0, 3, rows)
    signal = 2 * x + np.where(town == 2, 2.0, -1.0) + random.normal(0, 0.5, rows)
    is_valid = np.arange(rows) % 3 == 2
    labels = {
        BINARY: (signal > 0).astype(float), REGRESSION: 50 + signal,
        MULTICLASS: np.array(CLASSES, object)[np.select([signal > 1, signal < -1], [0, 1], 2)],
    }  # fmt: skip
    towns = np.array([*LEVELS, "Trier"], object)[np.where(is_valid & (random.random(rows) < 0.1), 3, town)]
    return pd.DataFrame({
        "id": np.arange(rows), "at": pd.date_range("2024-01-01", periods=rows, freq="h", tz="UTC"),
        "split": np.where(is_valid, "valid", "train"), "label": labels[task],
        "x": x, "gap": np.where(random.random(rows) < 0.2, np.nan, gap), "town": np.where(random.random(rows) < 0.1, None, towns),
    })  # fmt: skip


def make_encoder(task: str) -> FeatureEncoder:
    return replace(ENCODER, classes=CLASSES) if task == MULTICLASS else ENCODER


def make_use_case(root: Path, name: str, task: str, search: str) -> UseCase:
    estimator, params, space = ESTIMATORS[name, task]
    trials = 1 if name in {"mllib", "xgboost"} else 2
    asked = {"max_trials": trials, "parallelism": 1, "seed": 7, "space": space, **SEARCHES[search]}
    config = shop_config(root, estimator=estimator, task=task, params=params, search=asked, metric=METRICS[task])
    return UseCase.model_validate(config, strict=False)


@pytest.fixture(scope="module")
def caught() -> Iterator[list[Any]]:
    """The models of MLlib as they were fitted, which nothing keeps."""
    found: list[Any] = []
    convert: Callable[..., Any] = mllib.convert_trees
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            mllib, "convert_trees", lambda fitted, filling: (found.append(fitted), convert(fitted, filling))[1]
        )
        patch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "tests")
        yield found


@pytest.fixture(scope="module")
def made(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path, caught: list[Any]
) -> tuple[dict[tuple[str, str, str], Made], Path]:
    root = tmp_path_factory.mktemp("matrix")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    tracking = prepare_tracking(make_use_case(root, *CASES[0]).environment)
    folders, rows = {}, {}
    for task in METRICS:
        frame, schema = make_rows(task), SCHEMA.format(label="string" if task == MULTICLASS else "double")
        rows[task] = spark.createDataFrame(frame.astype({"town": object}), schema).persist()
        folders[task] = str(root / task)
        write_matrix(rows[task], make_encoder(task), folders[task], timestamp="at")
        frame.drop(columns=["at", "split", "label"]).to_parquet(root / "rows.parquet")  # the same features for all
    found = {}
    for case in CASES:
        use_case, folder = make_use_case(root, *case), folders[case[1]]
        found[case] = make_case(spark, tracking, use_case, rows=rows[case[1]], folder=folder, caught=caught)
    for folder in folders.values():
        unmap_matrix(folder)
    return found, root


def make_case(
    spark: SparkSession, tracking: Tracking, use_case: UseCase, *, rows: DataFrame, folder: str, caught: list[Any]
) -> Made:
    """Search, fit the winner, ask it, register it, and ask the registered version on Spark."""
    check_model(use_case)
    encoder = make_encoder(use_case.model.task)
    trials = run_search(TrialTask(folder, make_settings(use_case, encoder)), use_case.model.search, spark)
    best = find_best(trials)
    model, _, _ = fit_winner(use_case, rows, encoder, Winner(best.params, best.rounds), folder=folder)
    own = ask_itself(model, rows, caught)
    run = start_run(tracking, open_experiment(tracking, "shop"), name="matrix")
    version = register_model(tracking, model, run_id=run)
    finish_run(tracking, run, "FINISHED")
    scored = predict_rows(rows.select("id", "x", "gap", "town"), load_version(tracking, version))
    told = scored.select("id", "prediction").toPandas().sort_values("id")["prediction"]
    bulk = np.array([[one[name] for name in CLASSES] if model.classes else one for one in told])
    return Made(version.version, own, bulk, [trial.loss for trial in trials if trial.loss is not None])


def ask_itself(model: PackagedModel, rows: DataFrame, caught: list[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """What the fitted estimator itself says, by the library that fitted it."""
    frame = rows.toPandas().sort_values("id")
    matrix = model.encoder.encode_frame(frame)
    if model.kind == "mllib":
        filled = pd.DataFrame({"id": frame["id"], "x": model.estimator.filling.fill(matrix).tolist()})
        asked = rows.sparkSession.createDataFrame(filled).withColumn("features", array_to_vector(F.col("x")))
        answers = caught[-1].transform(asked).orderBy("id").select("*").collect()
        if model.task == REGRESSION:
            return np.array([row["prediction"] for row in answers])
        shares = np.array([row["probability"].toArray() for row in answers])
        return shares if model.task == MULTICLASS else shares[:, 1]
    if model.kind == "sklearn" and model.task != REGRESSION:
        shares = np.asarray(model.estimator.predict_proba(matrix), dtype=np.float64)
        return shares if model.task == MULTICLASS else shares[:, 1]
    return np.asarray(model.estimator.predict(matrix), dtype=np.float64).reshape(len(matrix))


@pytest.fixture(scope="module")
def elsewhere(made: tuple[dict[tuple[str, str, str], Made], Path]) -> dict[int, list[float]]:
    """The answers of one fresh process to all versions, through MLflow alone."""
    found, root = made
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        f"sqlite:///{root}/mlflow.db",
        str(root / "rows.parquet"),
        str(len(found)),
    ]
    environment = os.environ | {"SPARKML_OPS_TRUSTED_PACKAGES": "tests"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert ended.returncode == 0, ended.stderr
    answers, loaded = json.loads(ended.stdout.splitlines()[-1])
    assert loaded == [], "a package of MLlib's model needs no JVM, and no module of Spark's"
    return {int(version): values for version, values in answers.items()}


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_registered_model_answers_everywhere_as_it_did_where_it_was_fitted(
    made: tuple[dict[tuple[str, str, str], Made], Path], elsewhere: dict[int, list[float]], case: tuple[str, str, str]
) -> None:
    found = made[0][case]
    assert len(found.losses) == (1 if case in OF_CLUSTER else 2)
    np.testing.assert_array_equal(found.bulk, elsewhere[found.version])
    np.testing.assert_allclose(found.bulk, found.own, rtol=1e-9)
    assert (np.std(found.own, axis=0) > (0.5 if case[1] == REGRESSION else 0.1)).all()


def test_no_case_is_left_out() -> None:
    """Each estimator has a number and two classes, those of the cluster several too; each at least two searches, those of one process all."""
    assert {(name, task) for name, task, _ in CASES} == set(ESTIMATORS)
    searched = {name: {search for one, _, search in CASES if one == name} for name, _ in ESTIMATORS}
    assert all(len(found) >= 2 for found in searched.values())
    assert {search for _, _, search in OF_CLUSTER} == set(SEARCHES)
    is_of_cluster = {name: find_cluster_estimator(path) is not None for (name, _), (path, _, _) in ESTIMATORS.items()}
    assert {name for name, found in is_of_cluster.items() if found} == {name for name, _, _ in OF_CLUSTER}
