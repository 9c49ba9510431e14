"""Fits are the same whenever and wherever they are made; wrong parameters are said before anything starts."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_ops.errors import ConfigError
from sparkml_ops.models.kinds import lightgbm as lightgbm_kind
from sparkml_ops.training.estimators import FitSettings, find_estimator, find_loss
from sparkml_ops.training.estimators import lightgbm as lightgbm_estimator
from sparkml_ops.training.matrix import Part, map_matrix

SETTINGS = FitSettings("lightgbm", {"num_leaves": 7, "n_estimators": 200}, "roc_auc", 3, 10, [1])
FOREST = "sklearn.ensemble.RandomForestClassifier"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    random = np.random.default_rng(0)
    x, level = random.normal(size=3000), random.integers(0, 40, 3000).astype(float)
    x[::9] = np.nan
    label = (random.random(3000) < 1 / (1 + np.exp(-np.nan_to_num(x) * 2 - (level % 7 - 3)))).astype(float)
    table = pa.table(
        {
            "x0": x,
            "x1": level,
            "_label": label,
            "_is_valid": np.arange(3000) >= 2000,
            "_time": np.arange(3000),
            "_tie": np.zeros(3000, dtype=np.int64),
        }
    )
    path = tmp_path_factory.mktemp("matrix")
    pq.write_table(table, path / "part-0.parquet")
    return str(path)


@pytest.fixture(scope="module")
def rows(folder: str) -> Part:
    return map_matrix(folder).rows


def test_boosting_stops_when_the_tuning_rows_show_no_gain(folder: str) -> None:
    fit = lightgbm_estimator.fit_trial(folder, SETTINGS)
    assert 1 <= fit.rounds < 200
    assert fit.metrics["roc_auc"] > 0.85
    assert set(fit.metrics) == {"roc_auc", "log_loss"}


def test_binned_rows_are_shared_and_give_the_same_as_fresh_ones(folder: str) -> None:
    lightgbm_estimator._load_binned.cache_clear()
    several = [{"num_leaves": 4}, {"min_data_in_leaf": 100}, {"max_bin": 15}, {"num_leaves": 31}]
    shared = [lightgbm_estimator.fit_trial(folder, replace(SETTINGS, params=params)) for params in several]
    assert lightgbm_estimator._load_binned.cache_info().hits == 1
    for params, fit in zip(several, shared, strict=True):
        lightgbm_estimator._load_binned.cache_clear()
        assert lightgbm_estimator.fit_trial(folder, replace(SETTINGS, params=params)) == fit


def test_the_number_of_threads_does_not_change_the_model(rows: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(threads: int) -> bytes:
        monkeypatch.setattr(lightgbm_estimator.os, "sched_getaffinity", lambda _: range(threads))
        text = lightgbm_kind.dump_estimator(lightgbm_estimator.fit_final(rows, SETTINGS, 30)).decode()
        return "\n".join(line for line in text.splitlines() if not line.startswith("[num_threads"))

    assert fit(1) == fit(2) == fit(4)


def test_the_gain_of_the_columns_adds_up(rows: Part) -> None:
    weights = lightgbm_estimator.weigh_columns(lightgbm_estimator.fit_final(rows, SETTINGS, 20), ["x", "level"])
    assert sum(weights.values()) == pytest.approx(1)
    assert list(weights.values()) == sorted(weights.values(), reverse=True)


def test_an_sklearn_class_is_fitted_behind_its_preparation(folder: str, rows: Part) -> None:
    settings = replace(SETTINGS, estimator=FOREST, params={"n_estimators": 20, "max_depth": 5})
    estimator = find_estimator(FOREST)
    fit = estimator.fit_trial(folder, settings)
    assert (fit.rounds, fit.metrics["roc_auc"] > 0.8) == (0, True)
    fitted = estimator.fit_final(rows, settings, 0)
    np.testing.assert_array_equal(
        fitted.predict_proba(rows.features), estimator.fit_final(rows, settings, 0).predict_proba(rows.features)
    )


@pytest.mark.parametrize(
    ("estimator", "names", "message"),
    [
        ("lightgbm", ["num_leafs"], "no parameter 'num_leafs'. Did you mean 'num_leaf"),
        ("lightgbm", ["n_jobs"], "'n_jobs' is set by the framework"),
        ("lightgbm", ["objective"], "'objective' is set by the framework"),
        (FOREST, ["n_estimator"], "Did you mean 'n_estimators'"),
        ("sklearn.ensemble.RandomWood", [], "cannot be imported"),
        ("sklearn.linear_model.Ridge", [], "has no predict_proba"),
        (
            "somebody.Else",
            [],
            r"cannot be imported: .*No module named 'somebody'.* workers too \(spark-submit --py-files",
        ),
        ("lightgbm.LGBMClasifier", [], "cannot be imported: AttributeError: .*Did you mean 'LGBMClassifier'"),
        ("tests.training.own_trainers.Untagged", [], "SPARKML_OPS_TRUSTED_PACKAGES"),
    ],
)
def test_what_cannot_be_trained_is_said(estimator: str, names: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_estimator(estimator).check_params(estimator, names)


def test_known_parameters_and_their_aliases_are_accepted() -> None:
    names = ["num_leaves", "n_estimators", "min_child_samples", "lambda_l2"]
    assert find_estimator("lightgbm").check_params("lightgbm", names) is None
    assert find_estimator(FOREST).check_params(FOREST, ["n_estimators", "max_depth"]) is None


def test_the_loss_of_a_metric_that_grows_is_turned_round() -> None:
    assert (find_loss("roc_auc", 0.75), find_loss("log_loss", 0.75)) == (0.25, 0.75)
