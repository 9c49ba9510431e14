"""What estimators of the whole cluster refuse, before Spark is asked for anything."""

import sys
from typing import Any

import pytest

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.training.estimators import find_estimator, stored

MLLIB, REGRESSION = "pyspark.ml.classification", "pyspark.ml.regression"
BOOSTED, XGBOOST = f"{MLLIB}.GBTClassifier", "xgboost.spark.SparkXGBClassifier"
ESTIMATORS: dict[str, dict[str, Any]] = {
    BOOSTED: {"maxIter": 3, "maxDepth": 3, "subsamplingRate": 0.8},
    f"{MLLIB}.RandomForestClassifier": {"numTrees": 4, "featureSubsetStrategy": "sqrt"},
    f"{MLLIB}:DecisionTreeClassifier": {"maxDepth": 4},
    f"{MLLIB}.LogisticRegression": {"regParam": 0.01, "elasticNetParam": 1},
    XGBOOST: {"max_depth": 3, "num_workers": 2},
}
REGRESSORS: dict[str, dict[str, Any]] = {
    f"{REGRESSION}.GBTRegressor": {"maxIter": 3, "lossType": "absolute"},
    f"{REGRESSION}:RandomForestRegressor": {"numTrees": 4},
    f"{REGRESSION}.DecisionTreeRegressor": {"maxDepth": 4},
    f"{REGRESSION}.LinearRegression": {"loss": "huber", "epsilon": 1.5},
    "xgboost.spark.SparkXGBRegressor": {"max_depth": 3},
}


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        (f"{MLLIB}.LinearSVC", {}, "LinearSVC is not supported. It gives no probabilities. Of Spark MLlib these are"),
        (f"{MLLIB}.NaiveBayes", {}, "these are: pyspark.ml.classification.LogisticRegression, pyspark.ml"),
        (
            "pyspark.ml.regression.GBTRegressor",
            {},
            "GBTRegressor is a regressor, and model.task is binary: take pyspark",
        ),
        (
            "pyspark.ml.regression.FMRegressor",
            {},
            "FMRegressor is not supported. Of Spark MLlib these are: pyspark.ml.cl",
        ),
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
        (
            "xgboost.spark.SparkXGBRegressor",
            {},
            "is a regressor, and model.task is binary: take xgboost.spark.SparkXGBC",
        ),
        ("xgboost.spark.SparkXGBRanker", {}, "is not supported: it gives no probabilities of two classes. Take xgb"),
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


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nothing_is_refused_that_can_be_had(name: str) -> None:
    wishes = {"monotone": {"x": "increasing"}} if name == XGBOOST else {"class_weight": "balanced"}
    assert check(estimator=name, params=ESTIMATORS[name], **wishes) is None


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        (BOOSTED, {}, "GBTClassifier is a classifier, and model.task is regression: take pyspark.ml.regression.Linear"),
        (f"{MLLIB}:LogisticRegression", {}, "is a classifier, and model.task is regression"),
        (
            f"{MLLIB}.LinearSVC",
            {},
            "LinearSVC is not supported. It gives no probabilities. Of Spark MLlib these are: pys",
        ),
        (
            f"{REGRESSION}.FMRegressor",
            {},
            "Of Spark MLlib these are: pyspark.ml.regression.LinearRegression, pyspark.ml",
        ),
        (f"{REGRESSION}.GBTRegressor", {"maxdepth": 3}, "has no parameter 'maxdepth'. Did you mean 'maxDepth'"),
        (
            f"{REGRESSION}.LinearRegression",
            {"weightCol": "w"},
            "'weightCol' of pyspark.ml.regression.LinearRegression is",
        ),
        (f"{REGRESSION}.LinearRegression", {"regParam": "x"}, "model.params.regParam: pyspark.ml.regression.LinearReg"),
        (XGBOOST, {}, "is a classifier, and model.task is regression: take xgboost.spark.SparkXGBRegressor"),
        ("xgboost.spark.SparkXGBRanker", {}, "Take xgboost.spark.SparkXGBRegressor"),
        ("xgboost.spark.SparkXGBRegressor", {"scale_pos_weight": 2}, "weighs classes, and a regression has none"),
    ],
)
def test_what_cannot_learn_a_number_is_said_before_anything_starts(
    name: str, params: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check(task="regression", estimator=name, params=params)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        (
            BOOSTED,
            {},
            "GBTClassifier learns two classes and no more, and model.task is multiclass: take pyspark.ml.classification.Logis",
        ),
        (f"{MLLIB}:LinearSVC", {}, "LinearSVC is not supported. It gives no probabilities. Of Spark MLlib these are"),
        (f"{MLLIB}.FMClassifier", {}, "FMClassifier is not supported. Of Spark MLlib these are: pyspark.ml.classif"),
        (f"{REGRESSION}.LinearRegression", {}, "is a regressor, and model.task is multiclass: take pyspark.ml.class"),
        (
            f"{MLLIB}.RandomForestClassifier",
            {"probabilityCol": "p"},
            "The parameter 'probabilityCol' of pyspark.ml.class",
        ),
        (f"{MLLIB}.LogisticRegression", {"family": "binomial"}, "The parameter 'family' of pyspark.ml.class"),
        ("xgboost.spark.SparkXGBRegressor", {}, "is a regressor, and model.task is multiclass: take xgboost.spark.Sp"),
        (
            "xgboost.spark.SparkXGBRanker",
            {},
            "is not supported: it gives no probabilities of several classes. Take xgb",
        ),
        (
            XGBOOST,
            {"scale_pos_weight": 2},
            "weighs one of two classes, and there are more: take model.class_weight: bal",
        ),
        (XGBOOST, {"num_class": 3}, "SparkXGBClassifier has no parameter 'num_class'"),
    ],
)
def test_what_cannot_learn_several_classes_is_said_before_anything_starts(
    name: str, params: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check(task="multiclass", estimator=name, params=params)
    assert told in str(raised.value)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != BOOSTED])
def test_nothing_is_refused_that_learns_several_classes(name: str) -> None:
    assert check(task="multiclass", estimator=name, params=ESTIMATORS[name], class_weight="balanced") is None


def test_a_direction_that_mllib_cannot_keep_names_regressors_for_a_regression() -> None:
    with pytest.raises(ConfigError, match="SparkXGBRegressor, sklearn.ensemble.HistGradientBoostingRegressor"):
        check(task="regression", estimator=f"{REGRESSION}.GBTRegressor", monotone={"x": "increasing"})


@pytest.mark.parametrize("name", REGRESSORS)
def test_nothing_is_refused_that_learns_a_number(name: str) -> None:
    wishes = {"monotone": {"x": "increasing"}} if name.startswith("xgboost") else {"sample_weight": "x"}
    assert check(task="regression", estimator=name, params=REGRESSORS[name], **wishes) is None


def check(**keys: Any) -> None:
    model = Model.model_validate({"task": "binary"} | keys)
    estimator, names = find_estimator(model.estimator), list(model.params)
    estimator.check_params(model.estimator, names, task=model.task)
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
