"""Each kind of estimator learns a probability for each of several classes; what does not fit is said before anything starts."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from sparkml_ops.config.model import Model
from sparkml_ops.config.tasks import METRICS, sort_classes
from sparkml_ops.errors import ConfigError, ModelError, TrainingError
from sparkml_ops.models import EncodedColumn, FeatureEncoder, PackagedModel, predict_matrix
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds import lightgbm as lightgbm_kind
from sparkml_ops.models.package import dump_package, parse_package
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.baseline import fit_baselines
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.matrix import Matrix, Part
from sparkml_ops.training.weights import weigh_part
from tests.training import laid_rows, own_trainers
from tests.training.laid_rows import lay_rows

OWN = "tests.training.own_trainers.ClassShares"
FOREST, HIST = "sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.HistGradientBoostingClassifier"
LINE = "sklearn.linear_model.LogisticRegression"
CLASSES = ("high", "low", "middle")
SETTINGS = FitSettings(
    "lightgbm", {"num_leaves": 7, "n_estimators": 60}, "log_loss", 3, 10, [1], task="multiclass", classes=CLASSES
)
settle = partial(laid_rows.settle, SETTINGS)
ENCODER = FeatureEncoder(
    (EncodedColumn("x", "numeric"), EncodedColumn("town", "categorical", levels=("a", "b", "c", "d", "e"))), CLASSES
)
EVERY = ["lightgbm", FOREST, HIST, LINE, OWN]


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "tests")


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    return lay_matrix(monkeypatch)


def lay_matrix(monkeypatch: pytest.MonkeyPatch, *, unknown: int = 0) -> Matrix:
    """2,000 rows to fit on, 1,000 to tune on; so many of the last have a class that the first have not."""
    random = np.random.default_rng(0)
    features = np.column_stack([random.normal(size=3000), random.integers(0, 5, 3000)])
    score = features[:, 0] + (features[:, 1] == 2) + random.normal(0, 0.3, 3000)
    labels = np.where(score > 0.8, 0.0, np.where(score < -0.5, 1.0, 2.0))
    labels[3000 - unknown :] = 3.0
    return lay_rows(monkeypatch, Matrix(Part(features, labels), 2000))


def package(estimator: str, fitted: Any) -> PackagedModel:
    return PackagedModel("fruits", "multiclass", find_estimator(estimator).KIND, ENCODER, fitted)


@pytest.mark.parametrize("estimator", EVERY)
def test_every_kind_of_estimator_learns_a_probability_for_each_class(matrix: Matrix, estimator: str) -> None:
    trial = find_estimator(estimator).fit_trial("anywhere", settle(estimator))
    assert set(trial.metrics) == set(METRICS["multiclass"])
    assert trial.metrics["accuracy"] > 0.7
    fitted = find_estimator(estimator).fit_final(matrix.train, settle(estimator), trial.rounds)
    answers = predict_matrix(package(estimator, fitted), np.asarray(matrix.valid.features))
    labels = matrix.valid.labels
    assert answers.shape == (1000, 3)
    assert trial.metrics["log_loss"] == pytest.approx(metrics.log_loss(labels, answers), rel=1e-9)
    assert trial.metrics["accuracy"] == pytest.approx(metrics.accuracy_score(labels, answers.argmax(axis=1)), rel=1e-9)
    assert trial.metrics["macro_f1"] == pytest.approx(
        metrics.f1_score(labels, answers.argmax(axis=1), average="macro"), rel=1e-9
    )
    assert trial.metrics["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(labels, answers, multi_class="ovr"), abs=1e-3
    )


@pytest.mark.parametrize("estimator", EVERY)
def test_a_package_that_is_read_again_knows_its_classes_and_answers_the_same(matrix: Matrix, estimator: str) -> None:
    model = package(estimator, find_estimator(estimator).fit_final(matrix.rows, settle(estimator), 20))
    again = parse_package(dump_package(model))
    assert (again.task, again.classes) == ("multiclass", CLASSES)
    features = np.asarray(matrix.valid.features)
    np.testing.assert_array_equal(predict_matrix(again, features), predict_matrix(model, features))
    assert predict_matrix(again, features[:0]).shape == (0, 3)


@pytest.mark.parametrize("estimator", EVERY)
def test_a_class_that_train_does_not_have_counts_as_wrong_and_is_fitted_on_by_nobody(
    monkeypatch: pytest.MonkeyPatch, estimator: str
) -> None:
    matrix = lay_matrix(monkeypatch, unknown=100)
    trial = find_estimator(estimator).fit_trial("anywhere", settle(estimator))
    fitted = find_estimator(estimator).fit_final(matrix.rows, settle(estimator), trial.rounds)
    answers = predict_matrix(package(estimator, fitted), np.asarray(matrix.valid.features))
    assert answers.shape == (1000, 3)
    assert trial.metrics["accuracy"] <= 0.9
    assert trial.metrics["log_loss"] > 0.1 * -np.log(np.finfo(float).eps)
    if estimator == OWN:
        assert all(seen.get("labels") == [0, 1, 2] for seen in own_trainers.SEEN[-2:])


@pytest.mark.parametrize("estimator", ["lightgbm", FOREST, LINE])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_class_that_a_sample_has_no_row_of_has_the_probability_zero_or_nearly(
    matrix: Matrix, estimator: str, missing: int
) -> None:
    """The learning curve fits on samples; the last class, or one in the middle, may be in none of their rows."""
    rows = matrix.train.take(np.flatnonzero(matrix.train.labels != missing))
    fitted = find_estimator(estimator).fit_final(rows, settle(estimator), 20)
    answers = predict_matrix(package(estimator, fitted), np.asarray(matrix.valid.features))
    assert answers.shape == (1000, 3)
    assert answers[:, missing].max() < 1e-6


def test_contributions_add_up_to_the_score_of_the_most_probable_class(matrix: Matrix) -> None:
    fitted = find_estimator("lightgbm").fit_final(matrix.rows, settle("lightgbm"), 20)
    features = np.asarray(matrix.valid.features[:50])
    every = lightgbm_kind.find_class_contributions(fitted, features)
    assert every.shape == (50, 3, 3)
    scores = fitted.predict(features, raw_score=True)
    np.testing.assert_allclose(every.sum(axis=2), scores, rtol=1e-9)
    kind = find_estimator_kind("lightgbm")
    mine = kind.find_contributions(fitted, features)
    np.testing.assert_array_equal(mine, every[np.arange(50), scores.argmax(axis=1), :-1])


def test_a_line_of_several_classes_does_not_say_what_columns_add(matrix: Matrix) -> None:
    fitted = find_estimator(LINE).fit_final(matrix.rows, settle(LINE), 0)
    assert not find_estimator_kind("sklearn").has_contributions(fitted)


def test_the_trivial_model_answers_with_the_share_of_each_class(matrix: Matrix) -> None:
    found = fit_baselines(matrix.rows, ENCODER, name="fruits", seed=1, task="multiclass")
    counts = np.bincount(matrix.rows.labels.astype(int))
    assert found.base_rate == dict(zip(CLASSES, counts / counts.sum(), strict=True))
    assert found.linear.classes == CLASSES


def test_balanced_weights_give_each_class_the_same_sum(matrix: Matrix) -> None:
    weighed = weigh_part(matrix.train, "balanced")
    assert weighed.weights is not None
    sums = np.bincount(matrix.train.labels.astype(int), weights=weighed.weights)
    np.testing.assert_allclose(sums, 2000 / 3)
    trial = find_estimator("lightgbm").fit_trial("anywhere", settle("lightgbm", class_weight="balanced"))
    assert trial.metrics["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            "first",
            r"predict answered \(1000,\) to 1000 rows; expected \(1000, classes\), the probability of each class",
        ),
        (
            "fewer",
            r"predict answered 2 probabilities a row; expected 3, in the order of the classes: high, low, middle",
        ),
        ("doubled", r"1000 of 1000 rows with probabilities that are below 0, no numbers, or do not add up to 1"),
    ],
)
def test_a_trainer_whose_answers_cannot_be_is_told_what_was_expected(matrix: Matrix, answer: str, told: str) -> None:
    with pytest.raises((TrainingError, ModelError), match=told):
        find_estimator(OWN).fit_trial("anywhere", settle(OWN, params={"answer": answer}))


def test_rows_of_one_class_are_refused_as_the_cause_of_the_trial(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Matrix(Part(matrix.rows.features, np.ones(3000)), 2000)
    monkeypatch.setattr("sparkml_ops.training.estimators.lightgbm.map_matrix", lambda _: alone)
    outcome = try_params(TrialTask("anywhere", settle("lightgbm")), {})
    assert outcome["cause"].startswith("The rows to fit on need labels that differ; all 2000 rows are of one class.")


@pytest.mark.parametrize(
    ("estimator", "names", "told"),
    [
        ("lightgbm", ["num_class"], "The LightGBM parameter 'num_class' is set by the framework"),
        ("lightgbm", ["objective"], "The LightGBM parameter 'objective' is set by the framework"),
        ("sklearn.linear_model.Ridge", [], "sklearn.linear_model.Ridge has no predict_proba"),
        ("sklearn.svm.LinearSVC", [], "sklearn.svm.LinearSVC has no predict_proba"),
    ],
)  # fmt: skip
def test_what_cannot_learn_several_classes_is_refused_before_anything_starts(
    estimator: str, names: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        find_estimator(estimator).check_params(estimator, names, task="multiclass")


def test_parameters_that_weigh_two_classes_are_refused() -> None:
    model = Model.model_validate({"task": "multiclass", "params": {"scale_pos_weight": 2}})
    with pytest.raises(
        ConfigError, match="'scale_pos_weight' cannot be had here: it is of two classes; take model.class_weight"
    ):
        find_estimator("lightgbm").check_wishes(model, ["scale_pos_weight"])


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ({"10", "9", "-1"}, ("-1", "9", "10")),
        ({"10", "9", "b"}, ("10", "9", "b")),
        ({"true", "false"}, ("false", "true")),
        ({"01", "1"}, ("01", "1")),
        ({"Ä", "a", "Z"}, ("Z", "a", "Ä")),
        (set(), ()),
    ],
)
def test_classes_are_ordered_by_number_where_all_are_whole_numbers_else_by_name(
    names: set[str], order: tuple[str, ...]
) -> None:
    assert sort_classes(names) == order
