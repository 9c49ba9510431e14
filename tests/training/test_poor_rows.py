"""Rows that nobody would wish for: each estimator gives a model of them, or one sentence why not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkml_ops.models import FeatureEncoder
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.estimators import sklearn as sklearn_estimator
from sparkml_ops.training.matrix import Matrix, Part

HERE = "tests.training.own_trainers"
PARAMS: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_iterations": 5},
    "sklearn.ensemble.HistGradientBoostingClassifier": {"max_iter": 5},
    "sklearn.ensemble.RandomForestClassifier": {"n_estimators": 5},
    "sklearn.linear_model.LogisticRegression": {},
    f"{HERE}:make_levels": {},
    f"{HERE}.Shares": {},
    "xgboost.XGBClassifier": {"n_estimators": 5},
}
EVERY = pytest.mark.parametrize("name", PARAMS)


def make_rows(rows: int = 120, columns: int = 3) -> Part:
    """Numbers, and levels in the second column; the label follows the first."""
    random = np.random.default_rng(2)
    features = random.normal(size=(rows, columns))
    features[:, 1] = random.integers(0, 4, rows)
    return Part(features, (features[:, 0] + random.normal(0, 0.3, rows) > 0).astype(float))


def try_rows(monkeypatch: pytest.MonkeyPatch, name: str, rows: Part, fitted: int | None = None) -> dict[str, Any]:
    matrix = Matrix(rows, fitted or len(rows.labels) * 2 // 3)
    sklearn_estimator._load_matrix.cache_clear()
    find_estimator("lightgbm")._load_binned.cache_clear()
    for module in ("lightgbm", "sklearn", "own"):
        monkeypatch.setattr(f"sparkml_ops.training.estimators.{module}.map_matrix", lambda _: matrix)
    return try_params(TrialTask("anywhere", make_settings(name)), {})


def make_settings(name: str) -> FitSettings:
    return FitSettings(name, PARAMS[name], "roc_auc", 1, 5, [1])


@EVERY
def test_one_class_alone_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    alone = replace(make_rows(), labels=np.zeros(120))
    told = "need both classes; all 80 rows have the label 0. Change dataset.split or dataset.label."
    first_part_alone = replace(alone, labels=np.repeat([0.0, 1.0, 0.0], [80, 20, 20]))
    assert try_rows(monkeypatch, name, first_part_alone)["cause"] == f"The rows to fit on {told}"
    last_part_alone = replace(alone, labels=np.repeat([0.0, 1.0], [40, 80]))
    cause = try_rows(monkeypatch, name, last_part_alone)["cause"]
    assert cause.startswith("The rows to tune on need both classes; all 40 rows have the label 1.")


@EVERY
def test_columns_without_any_value_teach_nothing_and_end_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows = make_rows()
    for missing in ([2], [1, 2], [0, 1, 2]):
        features = rows.features.copy()
        features[:, missing] = np.nan
        assert "cause" not in try_rows(monkeypatch, name, replace(rows, features=features))


@EVERY
def test_ten_rows_give_a_model(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows = make_rows(10)
    rows = replace(rows, labels=np.arange(10) % 2 * 1.0)
    assert 0 <= try_rows(monkeypatch, name, rows, 6)["metrics"]["roc_auc"] <= 1


@EVERY
def test_rows_that_are_all_the_same_give_a_model_without_an_opinion(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    same = Part(np.tile([[0.5, 2.0, np.nan]], (120, 1)), np.arange(120) % 2 * 1.0)
    assert try_rows(monkeypatch, name, same)["metrics"]["roc_auc"] == pytest.approx(0.5)


@EVERY
def test_two_thousand_columns_give_a_model(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert "cause" not in try_rows(monkeypatch, name, make_rows(90, 2000))


@EVERY
def test_numbers_at_the_edge_of_what_there_is_give_a_model_or_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rows = make_rows()
    features = rows.features.copy()
    features[::3, 2] = 1e308
    features[1::3, 2] = -1e308
    with np.errstate(all="ignore"):
        ended = try_rows(monkeypatch, name, replace(rows, features=features))
    assert "Traceback" not in ended.get("cause", "")
    assert "metrics" in ended or name in ended["cause"]


@EVERY
def test_levels_that_come_later_are_missing_values(name: str) -> None:
    rows = make_rows()
    estimator = find_estimator(name)
    fitted = estimator.fit_final(rows, make_settings(name), 5)
    later = rows.features[:5].copy()
    later[:, 1] = np.nan
    answers = find_estimator_kind(estimator.KIND).predict_values(fitted, later, task="binary")
    assert ((answers >= 0) & (answers <= 1)).all()


def test_infinite_values_are_missing_values() -> None:
    """So no estimator ever sees one: in training, in bulk and online the encoder comes first."""
    encoder = FeatureEncoder(
        (EncodedColumn("open", "numeric", flag=True), EncodedColumn("filled", "numeric", fill=2.0, flag=True))
    )
    values = [1.0, np.inf, -np.inf, np.nan]
    encoded = encoder.encode_frame(pd.DataFrame({"open": values, "filled": values}))
    np.testing.assert_array_equal(encoded[0], [1, 1, 0, 0])
    for row in encoded[1:]:
        np.testing.assert_array_equal(row, [np.nan, 2, 1, 1])
