"""Whatever `model.estimator` names goes one way: a trial, the final fit, a package, another process, Spark."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import roc_auc_score

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError, ModelError
from sparkml_ops.models import FeatureEncoder, PackagedModel, load_package, predict_rows, save_package
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.kinds import sklearn as sklearn_kind
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.estimators import sklearn as sklearn_estimator
from sparkml_ops.training.estimators.preparation import takes_matrix
from sparkml_ops.training.matrix import Matrix, Part

HERE = "tests.training.own_trainers"
BOOSTED = "sklearn.ensemble.HistGradientBoostingClassifier"
NATIVE = "lightgbm.LGBMClassifier"
ESTIMATORS: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_leaves": 7, "num_iterations": 40},
    BOOSTED: {"max_iter": 40},
    "sklearn.ensemble.RandomForestClassifier": {"n_estimators": 20, "max_depth": 6},
    f"{HERE}:make_line": {"logisticregression__C": 0.5, "pca__n_components": 2},
    f"{HERE}:make_levels": {"forest__max_depth": 8},
    f"{HERE}.make_without_seed": {},
    f"{HERE}.Shares": {"bins": 10},
    f"{HERE}:SavedShares": {"bins": 10},
    "xgboost.XGBClassifier": {"n_estimators": 40, "max_depth": 4},
    NATIVE: {"n_estimators": 40, "num_leaves": 7, "min_child_samples": 10},
}
LEVELS = tuple(f"l{number:02d}" for number in range(60))
ENCODER = FeatureEncoder((EncodedColumn("x", "numeric"), EncodedColumn("level", "categorical", LEVELS)))
SETTINGS = FitSettings("lightgbm", {}, "roc_auc", 3, 10, [1])


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "tests")


def make_frame(rows: int = 1200, seed: int = 0) -> pd.DataFrame:
    """A number, missing here and there, and a column of 60 levels each of which has an effect of its own."""
    random = np.random.default_rng(seed)
    effects = np.random.default_rng(9).normal(0, 2, len(LEVELS))
    x, level = random.normal(size=rows), random.integers(0, len(LEVELS), rows)
    label = random.random(rows) < 1 / (1 + np.exp(-1.5 * x - effects[level]))
    x[::9] = np.nan
    texts = np.where(random.random(rows) < 0.05, None, np.array(LEVELS, dtype=object)[level])
    return pd.DataFrame({"id": np.arange(rows), "x": x, "level": texts, "label": label.astype(float)})


def make_matrix(rows: int = 1200) -> Matrix:
    frame = make_frame(rows)
    return Matrix(Part(ENCODER.encode_frame(frame), frame["label"].to_numpy()), rows * 3 // 4)


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """The rows that each estimator finds in any folder."""
    made = make_matrix()
    sklearn_estimator._load_matrix.cache_clear()
    find_estimator("lightgbm")._load_binned.cache_clear()
    for name in ("lightgbm", "sklearn", "own"):
        monkeypatch.setattr(f"sparkml_ops.training.estimators.{name}.map_matrix", lambda _: made)
    return made


def make_settings(estimator: str) -> FitSettings:
    return replace(SETTINGS, estimator=estimator, params=ESTIMATORS[estimator])


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[PackagedModel, Path]]:
    rows, made = make_matrix().rows, {}
    for number, name in enumerate(ESTIMATORS):
        estimator = find_estimator(name)
        fitted = estimator.fit_final(rows, make_settings(name), 30)
        folder = tmp_path_factory.mktemp("package") / str(number)
        made[name] = PackagedModel(f"m{number}", "binary", estimator.KIND, ENCODER, fitted), folder
        save_package(*made[name])
    return made


@pytest.fixture(scope="module")
def elsewhere(packages: dict[str, tuple[PackagedModel, Path]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The answers of another process, which has the packages alone."""
    rows = tmp_path_factory.mktemp("rows") / "rows.parquet"
    make_frame(200, seed=1).to_parquet(rows)
    code = (
        "import sys, json, pandas as pd\n"
        "from sparkml_ops.models import load_package\n"
        "rows = pd.read_parquet(sys.argv[1])\n"
        "print(json.dumps([load_package(folder).predict(rows).tolist() for folder in sys.argv[2:]]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(rows), *(str(folder) for _, folder in packages.values())],
        env=os.environ | {"SPARKML_OPS_TRUSTED_PACKAGES": "tests"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return dict(zip(packages, json.loads(ended.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nothing_is_refused_that_can_be_had(name: str) -> None:
    model = Model.model_validate({"task": "binary", "estimator": name, "params": ESTIMATORS[name]})
    estimator = find_estimator(name)
    assert estimator.check_params(name, list(model.params)) is None
    assert estimator.check_wishes(model, list(model.params)) is None


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_trial_finds_the_signal_and_the_same_each_time(matrix: Matrix, name: str) -> None:
    first = find_estimator(name).fit_trial("anywhere", make_settings(name))
    assert first.metrics["roc_auc"] > 0.65
    assert find_estimator(name).fit_trial("anywhere", make_settings(name)) == first


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_final_fit_finds_the_signal(packages: dict[str, tuple[PackagedModel, Path]], name: str) -> None:
    frame = make_frame(800, seed=1)
    assert roc_auc_score(frame["label"], packages[name][0].predict(frame)) > 0.65


@pytest.mark.parametrize("name", ESTIMATORS)
def test_another_process_answers_the_same(
    packages: dict[str, tuple[PackagedModel, Path]], elsewhere: dict[str, list[float]], name: str
) -> None:
    assert elsewhere[name] == packages[name][0].predict(make_frame(200, seed=1)).tolist()


def test_spark_answers_the_same(spark: SparkSession, packages: dict[str, tuple[PackagedModel, Path]]) -> None:
    """The trusted packages go with the model: the workers were started before they were named."""
    frame = make_frame(60, seed=1)
    plain = frame.astype(object).where(frame.notna(), None)
    given = spark.createDataFrame(plain, "id long, x double, level string, label double").repartition(2)
    for name, (_, folder) in packages.items():
        given = predict_rows(given, load_package(folder)).withColumnRenamed("prediction", f"p{folder.name}")
        assert f"p{folder.name}" in given.columns, name
    scored = given.orderBy("id").toPandas()
    for model, folder in packages.values():
        np.testing.assert_array_equal(scored[f"p{folder.name}"].to_numpy(), model.predict(frame))


@pytest.mark.parametrize("name", [BOOSTED, NATIVE])
def test_levels_as_they_are_do_no_worse_than_one_column_each(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    native = find_estimator(name).fit_trial("anywhere", make_settings(name)).metrics["roc_auc"]
    monkeypatch.setattr(sklearn_estimator, "takes_matrix", lambda *_: False)
    assert native >= find_estimator(name).fit_trial("anywhere", make_settings(name)).metrics["roc_auc"]


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_classes_of_lightgbm_split_levels_and_not_their_codes(task: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A code that no row had goes where a missing level goes; a number would go with the nearest ones."""
    name = NATIVE if task == "binary" else "lightgbm.LGBMRegressor"
    settings, rows = replace(make_settings(NATIVE), estimator=name, task=task), make_matrix().rows
    fitted = [find_estimator(name).fit_final(rows, settings, 0) for _ in range(2)]
    kinds = fitted[0].booster_.trees_to_dataframe().dropna(subset="split_feature")
    assert set(kinds.loc[kinds["split_feature"] == "Column_1", "decision_type"]) == {"=="}
    assert set(kinds.loc[kinds["split_feature"] == "Column_0", "decision_type"]) == {"<="}
    assert fitted[0].booster_.model_to_string() == fitted[1].booster_.model_to_string()
    unknown, missing = (
        sklearn_kind.predict_values(fitted[0], np.array([[0.5, code]]), task=task) for code in (99.0, np.nan)
    )
    assert unknown == missing
    assert "LightGBM" not in capfd.readouterr().out


def test_a_booster_of_sklearn_is_told_where_the_levels_are() -> None:
    fitted = find_estimator(BOOSTED).fit_final(make_matrix().rows, make_settings(BOOSTED), 0)
    assert (fitted.is_categorical_.tolist(), fitted.n_features_in_) == ([False, True], 2)
    own = replace(make_settings(BOOSTED), params={"max_iter": 5, "categorical_features": [0, 1]})
    coarse = Part(np.floor(make_matrix().rows.features), make_matrix().rows.labels)
    assert find_estimator(BOOSTED).fit_final(coarse, own, 0).is_categorical_.tolist() == [True, True]


def test_which_estimators_are_given_the_matrix_as_it_is() -> None:
    given = {name: takes_matrix(name, sklearn_estimator.make_estimator(name, {})) for name in list(ESTIMATORS)[1:6]}
    assert list(given.values()) == [True, False, True, True, True]


def test_weights_reach_the_last_step_of_a_pipeline() -> None:
    name, rows = f"{HERE}:make_line", make_matrix().rows
    assert (
        sklearn_estimator.name_weights(sklearn_estimator.make_estimator(name, {}))
        == "logisticregression__sample_weight"
    )
    heavy = replace(rows, weights=np.where(rows.labels == 1, 5.0, 1.0))
    plain, weighed = (
        find_estimator(name).fit_final(part, make_settings(name), 0).predict_proba(rows.features)[:, 1].mean()
        for part in (rows, heavy)
    )
    assert weighed > plain + 0.1


def test_a_pipeline_that_mixes_columns_gives_no_reasons(packages: dict[str, tuple[PackagedModel, Path]]) -> None:
    model, _ = packages[f"{HERE}:make_line"]
    assert not sklearn_kind.has_contributions(model.estimator)
    with pytest.raises(ModelError, match="does not say what its columns add"):
        model.explain(make_frame(3), top=1)


@pytest.mark.parametrize(
    ("name", "names", "told"),
    [
        ("make_line", ["C"], "has no parameter 'C'. Did you mean 'logisticregression__C'"),
        ("make_line", ["logisticregresion__C"], "Did you mean 'logisticregression__C'"),
        ("make_nothing", [], "make_nothing returned a int; expected an estimator or pipeline"),
        ("make_of_table", [], "needs table; it may ask for categorical_positions and seed"),
        ("make_lambda", [], "cannot be stored without running code"),
        ("SEEN", [], "is a list; expected a class, or a function"),
        ("make_gone", [], "cannot be imported: AttributeError"),
    ],
)
def test_what_cannot_be_made_is_said_before_anything_starts(name: str, names: list[str], told: str) -> None:
    estimator = f"{HERE}:{name}"
    with pytest.raises(ConfigError) as raised:
        find_estimator(estimator).check_params(estimator, names)
    assert told in str(raised.value)


def test_functions_of_packages_that_are_not_named_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{HERE}:make_transforming"
    assert find_estimator(name).check_params(name, []) is None
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "")
    with pytest.raises(ConfigError, match=rf"not trusted \({HERE}.fill\)"):
        find_estimator(name).check_params(name, [])
    assert find_estimator(f"{HERE}:make_line").check_params(f"{HERE}:make_line", []) is None


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"estimator": f"{HERE}:make_svm"}, "has no predict_proba with these parameters"),
        ({"estimator": "sklearn.svm.SVC"}, "has no predict_proba with these parameters"),
        ({"estimator": "sklearn.ensemble.VotingClassifier"}, "cannot be made without estimators. Write a function"),
        ({"estimator": f"{HERE}:make_line", "monotone": {"x": "increasing"}}, "cannot keep a direction"),
        ({"estimator": f"{HERE}:make_line", "class_weight": "balanced", "params": {"logisticregression__class_weight": "balanced"}}, "'logisticregression__class_weight' would say a second time"),
        ({"estimator": f"{HERE}:make_line", "params": {"pca__n_component": 1}}, "cannot be made: ValueError"),
    ],
)  # fmt: skip
def test_wishes_that_a_pipeline_cannot_heed_are_said(keys: dict[str, Any], told: str) -> None:
    model = Model.model_validate({"task": "binary"} | keys)
    with pytest.raises(ConfigError) as raised:
        find_estimator(model.estimator).check_wishes(model, list(model.params))
    assert told in str(raised.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"pip install 'sparkml-ops\[xgboost\]'"):
        find_estimator("xgboost.XGBClassifier").check_params("xgboost.XGBClassifier", [])
