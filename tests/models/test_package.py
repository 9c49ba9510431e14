"""A package is a folder without pickle that answers exactly as the model that was saved."""

import hashlib
import json
import os
import pickle
import re
import shutil
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sparkml_ops.errors import ModelError
from sparkml_ops.models import PackagedModel, load_package, save_package
from sparkml_ops.models.kinds import sklearn as sklearn_kind
from sparkml_ops.models.package import dump_package, parse_package, predict_matrix
from tests.models.conftest import ENCODER, make_flights


@pytest.fixture(scope="module")
def linear(flights: pd.DataFrame) -> PackagedModel:
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), [0, 2, 3]),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value=-1), OneHotEncoder()), [1]),
    )
    estimator = make_pipeline(prepare, LogisticRegression()).fit(ENCODER.encode_frame(flights), flights["label"])
    return PackagedModel("shop", "binary", "sklearn", ENCODER, estimator)


def test_a_saved_booster_answers_the_same(model: PackagedModel, flights: pd.DataFrame, tmp_path: Path) -> None:
    digest = save_package(model, tmp_path)
    loaded = load_package(tmp_path)
    np.testing.assert_array_equal(loaded.predict(flights), model.predict(flights))
    assert save_package(loaded, tmp_path / "again") == digest
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["model.txt", "package.json"]


def test_a_saved_sklearn_pipeline_answers_the_same(
    linear: PackagedModel, flights: pd.DataFrame, tmp_path: Path
) -> None:
    save_package(linear, tmp_path)
    np.testing.assert_array_equal(load_package(tmp_path).predict(flights), linear.predict(flights))


def test_answers_are_probabilities_that_rank(model: PackagedModel, flights: pd.DataFrame) -> None:
    from sklearn.metrics import roc_auc_score

    assert roc_auc_score(flights["label"], model.predict(flights)) > 0.8


def test_no_rows_give_no_answers(model: PackagedModel, flights: pd.DataFrame) -> None:
    assert model.predict(flights.head(0)).shape == (0,)


def test_reasons_add_up_to_the_log_odds_of_a_linear_model(linear: PackagedModel) -> None:
    flights = make_flights(50, seed=3)
    answers = linear.predict(flights)
    reasons = linear.explain(flights, top=4)
    sums = np.array([sum(value for _, value in row) for row in reasons]) + linear.estimator[-1].intercept_[0]
    np.testing.assert_allclose(sums, np.log(answers / (1 - answers)), rtol=1e-9)


def test_reasons_come_strongest_first(model: PackagedModel, flights: pd.DataFrame) -> None:
    (reasons,) = model.explain(flights.head(1), top=3)
    strengths = [abs(value) for _, value in reasons]
    assert strengths == sorted(strengths, reverse=True)
    assert {name for name, _ in reasons} <= set(ENCODER.encoded_columns)


def test_a_package_that_lost_its_model_file_is_refused(model: PackagedModel, tmp_path: Path) -> None:
    save_package(model, tmp_path)
    (tmp_path / "model.txt").unlink()
    with pytest.raises(ModelError, match=r"not whole \(files: package.json\)"):
        load_package(tmp_path)


def test_a_model_file_cut_in_half_is_refused(model: PackagedModel, tmp_path: Path) -> None:
    save_package(model, tmp_path)
    whole = (tmp_path / "model.txt").read_bytes()
    (tmp_path / "model.txt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        load_package(tmp_path)


def test_a_package_of_format_1_is_read(model: PackagedModel, flights: pd.DataFrame, tmp_path: Path) -> None:
    """It knew nothing of a level for all others."""
    save_package(model, tmp_path)
    plain = json.loads((tmp_path / "package.json").read_text())
    for column in plain["encoder"]["columns"]:
        del column["others"]
    (tmp_path / "package.json").write_text(json.dumps({**plain, "format": 1}))
    np.testing.assert_array_equal(load_package(tmp_path).predict(flights), model.predict(flights))


def test_a_package_of_a_later_format_is_refused(model: PackagedModel, tmp_path: Path) -> None:
    save_package(model, tmp_path)
    plain = json.loads((tmp_path / "package.json").read_text())
    (tmp_path / "package.json").write_text(json.dumps({**plain, "format": 99}))
    with pytest.raises(ModelError, match="format 99; this version reads up to 3"):
        load_package(tmp_path)


class Answers:
    """An estimator that answers what it was told to."""

    classes_ = (0, 1)

    def __init__(self, answers: list[float]) -> None:
        self.answers = answers

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return np.column_stack([1 - np.array(self.answers), self.answers])


@pytest.mark.parametrize(
    "answers", [[0.5, 1.5], [0.5, float("nan")], [0.5, float("inf")], [-0.1, 0.2], [0.5], [0.1] * 3]
)
def test_impossible_answers_are_refused(model: PackagedModel, answers: list[float]) -> None:
    broken = replace(model, kind="sklearn", estimator=Answers(answers))
    with pytest.raises(ModelError, match="Model shop answered"):
        predict_matrix(broken, np.zeros((2, 4)))


def test_classes_of_unknown_packages_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = skops.io.dumps(Answers([0.5]))
    with pytest.raises(ModelError, match=rf"not trusted: {re.escape(Answers.__module__)}\.Answers"):
        sklearn_kind.load_estimator(content)
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", Answers.__module__.split(".")[0])
    assert sklearn_kind.load_estimator(content).answers == [0.5]


class RunsCode:
    """What a pickle can do to whoever opens it."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.file, "w")


def repackage(linear: PackagedModel, content: bytes) -> dict[str, bytes]:
    """The package with another estimator file, whose digest is right."""
    files = dump_package(linear)
    plain = json.loads(files["package.json"]) | {"estimator_digest": hashlib.sha256(content).hexdigest()}
    return {"package.json": json.dumps(plain).encode(), "model.skops": content}


@pytest.mark.parametrize("trusted", ["", "builtins,_io,io,tests"])
def test_a_pickle_is_never_opened(
    linear: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    monkeypatch.setenv("SPARKML_OPS_TRUSTED_PACKAGES", trusted)
    place = tmp_path / "ran"
    with pytest.raises(ModelError, match="The skops model file is damaged: File is not a zip file"):
        parse_package(repackage(linear, pickle.dumps(RunsCode(str(place)))))
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as parts:
        parts.writestr("model.pkl", pickle.dumps(RunsCode(str(place))))
    with pytest.raises(ModelError, match="damaged or not whole"):
        parse_package(repackage(linear, archive.getvalue()))
    assert not place.exists()


@pytest.mark.parametrize(
    ("function", "name"), [(os.system, "posix.system"), (eval, "builtins.eval"), (shutil.rmtree, "shutil.rmtree")]
)
def test_functions_of_other_packages_are_not_read(linear: PackagedModel, function: Any, name: str) -> None:
    content = skops.io.dumps(make_pipeline(FunctionTransformer(function), LogisticRegression()))
    with pytest.raises(
        ModelError, match=rf"types of packages that are not trusted: {re.escape(name)}\. Trusted: sklearn, "
    ):
        parse_package(repackage(linear, content))
