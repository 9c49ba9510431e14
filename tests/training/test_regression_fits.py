"""Each kind of estimator learns a number; what does not fit a regression is said before anything starts."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from sparkml_ops.config.model import Model
from sparkml_ops.config.tasks import METRICS
from sparkml_ops.errors import ConfigError, ModelError, TrainingError
from sparkml_ops.models import EncodedColumn, FeatureEncoder, PackagedModel, predict_matrix
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.package import dump_package, parse_package
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.baseline import fit_baselines
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.estimators import lightgbm as lightgbm_estimator
from sparkml_ops.training.matrix import Matrix, Part
from tests.training import laid_rows, own_trainers
from tests.training.laid_rows import lay_rows

OWN = "tests.training.own_trainers.Mean"
FOREST, HIST = "sklearn.ensemble.RandomForestRegressor", "sklearn.ensemble.HistGradientBoostingRegressor"
RIDGE = "sklearn.linear_model.Ridge"
SETTINGS = FitSettings("lightgbm", {"num_leaves": 7, "n_estimators": 200}, "rmse", 3, 10, [1], task="regression")
settle = partial(laid_rows.settle, SETTINGS)
ENCODER = FeatureEncoder(
    (EncodedColumn("x", "numeric"), EncodedColumn("town", "categorical", levels=("a", "b", "c", "d", "e")))
)


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "tests")


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    random = np.random.default_rng(0)
    features = np.column_stack([random.normal(size=3000), random.integers(0, 5, 3000)])
    labels = 500 + 40 * features[:, 0] + 20 * (features[:, 1] == 2) + random.normal(0, 5, 3000)
    return lay_rows(monkeypatch, Matrix(Part(features, labels), 2000))


def package(estimator: str, fitted: Any) -> PackagedModel:
    return PackagedModel("shop", "regression", find_estimator(estimator).KIND, ENCODER, fitted)


@pytest.mark.parametrize("estimator", ["lightgbm", FOREST, HIST, RIDGE, OWN])
def test_every_kind_of_estimator_learns_a_number(matrix: Matrix, estimator: str) -> None:
    trial = find_estimator(estimator).fit_trial("anywhere", settle(estimator))
    assert set(trial.metrics) == set(METRICS["regression"])
    assert trial.metrics["r2"] > (0.7 if estimator == OWN else 0.9)
    fitted = find_estimator(estimator).fit_final(matrix.train, settle(estimator), trial.rounds)
    answers = predict_matrix(package(estimator, fitted), np.asarray(matrix.valid.features))
    for name, judge in (("rmse", root_mean_squared_error), ("mae", mean_absolute_error), ("r2", r2_score)):
        assert trial.metrics[name] == pytest.approx(judge(matrix.valid.labels, answers), rel=1e-5), name


@pytest.mark.parametrize("estimator", ["lightgbm", FOREST, HIST, RIDGE, OWN])
def test_a_package_that_is_read_again_answers_the_same(matrix: Matrix, estimator: str) -> None:
    model = package(estimator, find_estimator(estimator).fit_final(matrix.rows, settle(estimator), 20))
    again = parse_package(dump_package(model))
    assert again.task == "regression"
    features = np.asarray(matrix.valid.features)
    np.testing.assert_array_equal(predict_matrix(again, features), predict_matrix(model, features))


@pytest.mark.parametrize("estimator", ["lightgbm", RIDGE])
def test_contributions_are_in_the_unit_of_the_label(matrix: Matrix, estimator: str) -> None:
    """What the columns add, and one number for all rows, is the answer itself."""
    fitted = find_estimator(estimator).fit_final(matrix.rows, settle(estimator), 60)
    kind, features = find_estimator_kind(find_estimator(estimator).KIND), np.asarray(matrix.valid.features)
    assert kind.has_contributions(fitted)
    rest = predict_matrix(package(estimator, fitted), features) - kind.find_contributions(fitted, features).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], rtol=1e-9)


def test_a_model_whose_columns_add_to_a_logarithm_does_not_say_what_they_add(matrix: Matrix) -> None:
    name = "sklearn.linear_model.PoissonRegressor"
    fitted = find_estimator(name).fit_final(matrix.rows, settle(name), 0)
    assert not find_estimator_kind("sklearn").has_contributions(fitted)


def test_the_objective_is_the_users_to_name(matrix: Matrix) -> None:
    estimator = find_estimator("lightgbm")
    names = [*SETTINGS.params, "objective"]
    assert estimator.check_params("lightgbm", names, task="regression") is None
    plain = estimator.fit_trial("anywhere", settle("lightgbm"))
    robust = estimator.fit_trial(
        "anywhere", settle("lightgbm", metric="mae", params={**SETTINGS.params, "objective": "mae"})
    )
    assert robust.metrics != plain.metrics
    assert robust.metrics["mae"] < 8


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"objective": "poisson"}, "found 'poisson'; of a regression it may be one of regression, regression_l1"),
        ({"objective": ["l1"]}, "found ['l1']"),
        ({"application": "binary"}, "model.params.application: found 'binary'"),
        ({"scale_pos_weight": 3}, "'scale_pos_weight' cannot be had here: a regression has no classes"),
        ({"reg_sqrt": True}, "'reg_sqrt' cannot be had here"),
    ],
)
def test_parameters_that_fit_no_regression_are_said(params: dict[str, Any], told: str) -> None:
    model = Model.model_validate({"task": "regression", "params": params})
    with pytest.raises(ConfigError) as raised:
        lightgbm_estimator.check_wishes(model, list(params))
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("estimator", "told"),
    [
        ("sklearn.ensemble.RandomForestClassifier", "is a classifier, and model.task is regression: take a regressor"),
        ("sklearn.svm.LinearSVC", "is a classifier"),
        ("sklearn.preprocessing.StandardScaler", "has no predict, so it gives no numbers"),
    ],
)
def test_an_estimator_that_gives_no_numbers_is_said(estimator: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        find_estimator(estimator).check_params(estimator, [], task="regression")


@pytest.mark.usefixtures("matrix")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("nan", "1000 of 1000 rows with what is no finite number: nan, nan, nan; expected a number for each row"),
        ("two", "answered (1000, 2) to 1000 rows; expected (1000,), a number for each row"),
    ],
)
def test_answers_that_are_no_numbers_end_the_trial_with_the_name_of_the_class(answer: str, told: str) -> None:
    cause = try_params(TrialTask("anywhere", settle(OWN, params={"answer": answer})), {})["cause"]
    assert cause.startswith("tests.training.own_trainers:Mean.predict")
    assert told in cause


def test_a_trainer_is_given_numbers_and_may_answer_with_a_column(matrix: Matrix) -> None:
    own_trainers.SEEN.clear()
    fitted = find_estimator(OWN).fit_final(matrix.rows, settle(OWN, params={"answer": "column"}), 0)
    assert own_trainers.SEEN == [{"kind": "f"}]
    assert predict_matrix(package(OWN, fitted), np.asarray(matrix.valid.features)).shape == (1000,)


def test_answers_that_are_not_finite_are_refused(matrix: Matrix) -> None:
    class Infinite:
        def predict(self, features: Any) -> Any:
            return np.full(len(features), np.inf)

    with pytest.raises(ModelError, match="5 of 5 rows with what is no finite number: inf"):
        predict_matrix(PackagedModel("shop", "regression", "sklearn", ENCODER, Infinite()), np.zeros((5, 2)))


@pytest.mark.parametrize("estimator", ["lightgbm", FOREST, OWN])
def test_labels_that_are_all_the_same_cannot_be_learned(matrix: Matrix, estimator: str) -> None:
    constant = replace(matrix.train, labels=np.full(2000, 7.5))
    with pytest.raises(TrainingError, match=r"need labels that differ; all 2000 rows have the label 7\.5"):
        find_estimator(estimator).fit_final(constant, settle(estimator), 5)


def test_weights_of_rows_do_what_repeating_them_would(matrix: Matrix) -> None:
    high = matrix.rows.labels > np.median(matrix.rows.labels)
    heavy = replace(matrix.rows, weights=np.where(high, 50.0, 1.0))
    features = np.asarray(matrix.rows.features)
    for estimator in ("lightgbm", RIDGE):
        plain, weighed = (
            find_estimator(estimator).fit_final(rows, settle(estimator), 3) for rows in (matrix.rows, heavy)
        )
        means = [predict_matrix(package(estimator, one), features).mean() for one in (plain, weighed)]
        assert means[1] > means[0] + 0.1, estimator


def test_the_baselines_are_the_mean_and_a_straight_line(matrix: Matrix) -> None:
    found = fit_baselines(matrix.rows, ENCODER, name="shop", seed=0, task="regression")
    assert found.base_rate == pytest.approx(matrix.rows.labels.mean())
    answers = predict_matrix(found.linear, np.asarray(matrix.rows.features))
    assert r2_score(matrix.rows.labels, answers) > 0.95
