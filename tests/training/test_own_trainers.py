"""A user's own trainer is given what its `fit` names and nothing else; what it lacks or answers wrongly is said with its name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.model import Model
from sparkml_ops.config.search import Search
from sparkml_ops.errors import ConfigError, ModelError, TrainingError
from sparkml_ops.lake import Lake
from sparkml_ops.models import find_version, load_version, prepare_tracking
from sparkml_ops.models.kinds import own as own_kind
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.matrix import Matrix, Part
from sparkml_ops.training.search import run_search
from sparkml_ops.training.train import train
from tests.training import own_trainers
from tests.training.conftest import make_decisions, make_use_case, write_training_set

HERE = "tests.training.own_trainers"
SETTINGS = FitSettings(f"{HERE}.Shares", {}, "roc_auc", 3, 10, [1])


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "tests")


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> Matrix:
    random = np.random.default_rng(0)
    features = np.column_stack([random.normal(size=300), random.integers(0, 5, 300)])
    labels = (features[:, 0] + random.normal(size=300) > 0).astype(float)
    made = Matrix(Part(features, labels), 200)
    monkeypatch.setattr("sparkml_ops.training.estimators.own.map_matrix", lambda _: made)
    monkeypatch.setattr("sparkml_ops.training.estimators.sklearn._load_matrix", lambda _: made)
    return made


def try_trainer(name: str, **settings: Any) -> dict[str, Any]:
    return try_params(TrialTask("anywhere", replace(SETTINGS, estimator=f"{HERE}.{name}", **settings)), {})


def test_fit_is_given_what_it_names(matrix: Matrix) -> None:
    own_trainers.SEEN.clear()
    estimator, settings = find_estimator(f"{HERE}.Curious"), replace(SETTINGS, estimator=f"{HERE}.Curious")
    estimator.fit_trial("anywhere", settings)
    estimator.fit_final(matrix.rows, settings, 0)
    weighed = replace(matrix.rows, weights=np.full(300, 2.0))
    estimator.fit_final(weighed, replace(settings, class_weight="balanced"), 0)
    trial, final, heavy = own_trainers.SEEN
    assert trial == {"rows": 200, "weight": None, "positions": [1], "seed": 3, "valid": ((100, 2), {0, 1})}
    assert final == {"rows": 300, "weight": None, "positions": [1], "seed": 3, "valid": None}
    labels = matrix.rows.labels
    assert heavy["weight"][labels == 1].sum() == pytest.approx(heavy["weight"][labels == 0].sum())


@pytest.mark.parametrize(("name", "rounds"), [("Stops", 5), ("Shares", 0)])
def test_the_rounds_of_a_trial_go_to_the_last_fit(name: str, rounds: int, matrix: Matrix) -> None:
    estimator, settings = find_estimator(f"{HERE}.{name}"), replace(SETTINGS, estimator=f"{HERE}.{name}")
    assert estimator.fit_trial("anywhere", settings).rounds == rounds
    last = estimator.fit_final(matrix.rows, settings, 9 if rounds else 0)
    assert getattr(last, "rounds_", None) == (9 if rounds else None)


@pytest.mark.usefixtures("matrix")
def test_parameters_go_to_the_constructor() -> None:
    assert try_trainer("Shares", params={"bins": 4})["metrics"] != try_trainer("Shares", params={"bins": 2})["metrics"]


@pytest.mark.parametrize(
    ("name", "names", "told"),
    [
        ("NoPredict", [], "has no predict(self, features)"),
        ("SavesOnly", [], "has save alone; expected both, save(self) -> bytes and a classmethod"),
        ("PlainLoad", [], "load must be a classmethod"),
        ("Greedy", [], "fit asks for table, which is not given; it may ask for sample_weight, valid_features"),
        ("Bare", [], "fit asks for valid_features without a default. The final fit has no rows to tune on"),
        ("Narrow", [], "fit must take features and labels"),
        ("Needs", [], "needs the parameters depth: give them in model.params"),
        ("Shares", ["bin"], "has no parameter 'bin'. Did you mean 'bins'"),
    ],
)
def test_what_a_trainer_lacks_is_said_before_anything_starts(name: str, names: list[str], told: str) -> None:
    estimator = f"{HERE}.{name}"
    with pytest.raises(ConfigError) as raised:
        find_estimator(estimator).check_params(estimator, names)
    assert told in str(raised.value)


def test_a_package_must_be_named_to_train_and_to_read(monkeypatch: pytest.MonkeyPatch, matrix: Matrix) -> None:
    estimator = f"{HERE}.SavedShares"
    fitted = find_estimator(estimator).fit_final(matrix.rows, replace(SETTINGS, estimator=estimator), 0)
    content = own_kind.dump_estimator(fitted)
    np.testing.assert_array_equal(
        own_kind.predict_values(own_kind.load_estimator(content), matrix.rows.features, task="binary"),
        own_kind.predict_values(fitted, matrix.rows.features, task="binary"),
    )
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", "")
    with pytest.raises(ConfigError, match="SPARKML_OPS_TRUSTED_PACKAGES"):
        find_estimator(estimator).check_params(estimator, [])
    with pytest.raises(ModelError, match=rf"of the class {HERE}:SavedShares, whose package is not trusted"):
        own_kind.load_estimator(content)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b'{"class": "numpy:load", "format": "own"}', "numpy:load, whose package is not trusted"),
        (b'{"class": "tests.training.own_trainers:json", "format": "own"}', "is no class of a named package"),
        (b'{"class": "tests.training.own_trainers:PCA", "format": "own"}', "is no class of a named package"),
        (b'{"class": "tests.training.own_trainers:Gone", "format": "own"}', "cannot be imported: AttributeError"),
        (b'{"class": 3, "format": "own"}', "model.own is damaged"),
        (b"\x80\x04", "model.own is damaged"),
        (b"[]", "model.own is damaged"),
    ],
)
def test_a_file_that_names_something_else_is_not_read(head: bytes, told: str) -> None:
    with pytest.raises(ModelError) as raised:
        own_kind.load_estimator(head + b"\nwhatever")
    assert told in str(raised.value)


@pytest.mark.usefixtures("matrix")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("nan", "100 of 100 rows with what is no probability: nan"),
        ("above", "no probability: 1.5"),
        ("below", "no probability: -0.1"),
        ("column", "answered (100, 1) to 100 rows; expected (100,)"),
        ("three", "answered (100, 3)"),
        ("short", "answered (1,)"),
        ("words", "predict failed with ValueError: could not convert"),
        ("nothing", "answered ()"),
    ],
)
def test_answers_that_are_no_probabilities_end_the_trial_with_the_name_of_the_class(answer: str, told: str) -> None:
    cause = try_trainer("Odd", params={"answer": answer})["cause"]
    assert cause.startswith(f"{HERE}:Odd.predict")
    assert told in cause


@pytest.mark.usefixtures("matrix")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Breaks", "Breaks could not be fitted: KeyError: 'wind' (own_trainers.py, line "),
        ("StopsNowhere", "StopsNowhere left rounds_ = 0; expected a whole number from 1 on."),
        ("StopsByWord", "StopsByWord left rounds_ = 'soon'; expected a whole number from 1 on."),
        (
            "StopsAlone",
            "its fit does not ask for rounds: the last fit would not heed them. Add the argument rounds=None.",
        ),
        ("Forgetful", "Forgetful answers otherwise once it is stored and read back"),
        ("Wordy", "Wordy.save returned str; expected bytes"),
        ("Gone", "cannot be imported: AttributeError: module 'tests.training.own_trainers' has no attribute 'Gone'"),
    ],
)
def test_the_cause_of_a_trial_is_one_sentence(name: str, told: str) -> None:
    cause = try_trainer(name)["cause"]
    assert told in cause
    assert "Traceback" not in cause


@pytest.mark.parametrize(
    ("name", "keys", "told"),
    [
        ("Odd", {"class_weight": "balanced"}, None),
        ("Breaks", {"class_weight": "balanced"}, "takes no weights of rows: its fit has no argument sample_weight. Add it"),
        ("Shares", {"monotone": {"x": "increasing"}}, "is its own affair"),
    ],
)  # fmt: skip
def test_wishes_that_a_trainer_cannot_heed_are_said(name: str, keys: dict[str, Any], told: str | None) -> None:
    model = Model.model_validate({"task": "binary", "estimator": f"{HERE}.{name}"} | keys)
    if told is None:
        assert find_estimator(model.estimator).check_wishes(model, []) is None
        return
    with pytest.raises(ConfigError) as raised:
        find_estimator(model.estimator).check_wishes(model, [])
    assert told in str(raised.value)


def test_one_class_alone_is_refused(matrix: Matrix) -> None:
    alone = replace(matrix.rows, labels=np.ones(300))
    with pytest.raises(TrainingError, match="need both classes; all 300 rows have the label 1"):
        find_estimator(SETTINGS.estimator).fit_final(alone, SETTINGS, 0)


def test_a_trainer_goes_through_the_whole_training(shop_lake: Lake, root: Path) -> None:
    write_training_set(shop_lake, make_decisions())
    search = {"max_trials": 2, "parallelism": 1, "space": {"bins": {"choice": [4, 12]}}}
    wishes: dict[str, Any] = {"estimator": f"{HERE}.SavedShares", "params": {"least": 0.01}, "search": search}
    result = train(make_use_case(root, class_weight="balanced", **wishes), shop_lake)
    tracking = prepare_tracking(make_use_case(root).environment)
    model = load_version(tracking, find_version(tracking, "shop", version=result.model_version))
    assert (model.kind, model.estimator.bins, result.trials) == ("own", result.params["bins"], 2)
    assert result.figures["candidate"]["roc_auc"]["value"] > 0.6


def test_a_worker_without_the_module_says_so(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers were started without this folder on their path, as those of a cluster are."""
    (tmp_path / "only_on_the_driver.py").write_text(f"from {HERE} import Shares\n\nclass Here(Shares):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    estimator = "only_on_the_driver.Here"
    assert find_estimator(estimator).KIND == "own"
    task = TrialTask("nowhere", replace(SETTINGS, estimator=estimator))
    search = Search.model_validate({"max_trials": 1, "parallelism": 1, "space": {"bins": {"choice": [4]}}})
    with pytest.raises(TrainingError) as raised:
        run_search(task, search, spark, before=[], on_finished=lambda _: None)
    assert "only_on_the_driver.Here cannot be imported: ModuleNotFoundError" in str(raised.value)
    assert "on each of Spark's workers too (spark-submit --py-files" in str(raised.value)
