"""Versions are registered once, found by alias or number, and never loaded when their files are not theirs."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.errors import ModelError, ModelNotFoundError
from sparkml_ops.lake import list_tables, open_lake, read_table
from sparkml_ops.models import (
    ModelVersion,
    PackagedModel,
    Tracking,
    delete_alias,
    find_version,
    list_aliases,
    list_versions,
    load_version,
    open_experiment,
    register_model,
    set_alias,
    start_run,
)
from sparkml_ops.scoring import score
from tests.training.conftest import make_use_case


def register(tracking: Tracking, model: PackagedModel) -> ModelVersion:
    run = start_run(tracking, open_experiment(tracking, model.name), name="train")
    return register_model(tracking, model, run_id=run)


def package_folder(version: ModelVersion) -> Path:
    return Path(version.source.removeprefix("file://")) / "data" / "package"


def test_a_version_carries_where_it_came_from(tracking: Tracking, model: PackagedModel) -> None:
    version = find_version(tracking, register(tracking, model).name)
    assert (version.version, version.training_set_version, version.config_hash) == (1, "ts-1", "abc")
    assert (version.code_version, version.write_id, version.task) == ("0.1", "w1", "binary")
    assert len(version.digest) == 64


def test_a_loaded_version_answers_the_same(tracking: Tracking, model: PackagedModel, flights: pd.DataFrame) -> None:
    loaded = load_version(tracking, register(tracking, model))
    np.testing.assert_array_equal(loaded.predict(flights), model.predict(flights))
    assert loaded.metadata == model.metadata


def test_the_same_run_is_registered_once(tracking: Tracking, model: PackagedModel) -> None:
    run = start_run(tracking, open_experiment(tracking, model.name), name="train")
    first, again = (register_model(tracking, model, run_id=run) for _ in range(2))
    assert (first.version, again.version, len(list_versions(tracking, "shop"))) == (1, 1, 1)
    assert register(tracking, model).version == 2


@pytest.mark.slow
def test_plain_mlflow_answers_with_probabilities(
    tracking: Tracking, model: PackagedModel, flights: pd.DataFrame, tmp_path: Path
) -> None:
    set_alias(tracking, register(tracking, model), "champion")
    rows = flights.head(50).drop(columns=["label", "id"])
    rows.to_json(tmp_path / "rows.json", orient="records")
    script = (
        "import sys, json, mlflow, pandas as pd\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model('models:/shop@champion')\n"
        "rows = pd.read_json(sys.argv[2], orient='records', dtype={'hour': float})\n"
        "print(json.dumps(model.predict(rows).tolist()))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, tracking.tracking_uri, str(tmp_path / "rows.json")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(np.array(eval(shown)), model.predict(rows), rtol=1e-12)


def test_loading_through_plain_mlflow_does_not_spoil_the_digest(tracking: Tracking, model: PackagedModel) -> None:
    version = register(tracking, model)
    (package_folder(version).parents[1] / "registered_model_meta").write_text("mlflow puts this file beside ours")
    assert load_version(tracking, version).name == "shop"


def test_nothing_global_is_changed(tracking: Tracking, model: PackagedModel) -> None:
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run())
    load_version(tracking, register(tracking, model))
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run()) == before


def test_an_alias_moves_and_goes(tracking: Tracking, model: PackagedModel) -> None:
    first, second = register(tracking, model), register(tracking, model)
    set_alias(tracking, first, "champion")
    set_alias(tracking, second, "champion")
    assert find_version(tracking, "shop", alias="champion").version == 2
    assert find_version(tracking, "shop", version=2).aliases == ("champion",)
    delete_alias(tracking, "shop", "champion")
    delete_alias(tracking, "shop", "champion")
    assert list_aliases(tracking, "shop") == {}


def test_what_is_not_there_is_answered_with_what_is(tracking: Tracking, model: PackagedModel) -> None:
    with pytest.raises(ModelNotFoundError, match="No version of a model 'shop' is registered"):
        find_version(tracking, "shop", alias="champion")
    set_alias(tracking, register(tracking, model), "challenger")
    with pytest.raises(ModelNotFoundError, match=r"has no alias 'champion'. It has: version 1 \(challenger\)"):
        find_version(tracking, "shop", alias="champion")
    with pytest.raises(ModelNotFoundError, match="has no version 7"):
        find_version(tracking, "shop", version=7)


def test_a_version_whose_files_are_gone_is_refused(tracking: Tracking, model: PackagedModel) -> None:
    version = register(tracking, model)
    for path in package_folder(version).iterdir():
        path.unlink()
    package_folder(version).rmdir()
    with pytest.raises(ModelError, match="Model shop version 1: .*(cannot be read|not those)"):
        load_version(tracking, version)


def test_a_version_whose_file_was_changed_is_refused(tracking: Tracking, model: PackagedModel) -> None:
    version = register(tracking, model)
    path = package_folder(version) / "model.txt"
    path.write_bytes(path.read_bytes().replace(b"num_leaves=7", b"num_leaves=8", 1))
    with pytest.raises(ModelError, match="not those that were registered"):
        load_version(tracking, version)


def test_a_version_with_no_digest_is_refused(tracking: Tracking, model: PackagedModel) -> None:
    version = replace(register(tracking, model), digest="")
    with pytest.raises(ModelError, match="not those that were registered"):
        load_version(tracking, version)


FILES = ("package.json", "model.txt")


def flip_byte(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(bytes(content))


def add_file(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text("print('not ours')")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    **{f"first byte of {name}": (lambda folder, name=name: flip_byte(folder / name, 0), f"{name} was changed") for name in FILES},
    **{f"last byte of {name}": (lambda folder, name=name: flip_byte(folder / name, -1), f"{name} was changed") for name in FILES},
    **{f"{name} deleted": (lambda folder, name=name: (folder / name).unlink(), f"{name} is missing") for name in FILES},
    "a file more": (lambda folder: add_file(folder / "evil.py"), "evil.py does not belong to it"),
    "a folder more": (lambda folder: add_file(folder / "code" / "evil.py"), "code/evil.py does not belong to it"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_files_that_are_not_those_that_were_registered_are_named_and_not_loaded(
    tracking: Tracking, model: PackagedModel, damage: Callable[[Path], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(tracking, model)
    damage(package_folder(version))
    with pytest.raises(
        ModelError, match=rf"Model shop version 1: .*not those that were registered: {re.escape(told)}\. "
    ):
        load_version(tracking, version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.tracking_uri)
    with pytest.raises(ModelError, match=rf"is not the one that was registered: {re.escape(told)}\. It is not used\."):
        mlflow.pyfunc.load_model("models:/shop/1")


def test_scoring_refuses_them_before_it_reads_a_row(
    tracking: Tracking, model: PackagedModel, tmp_path: Path, spark: SparkSession
) -> None:
    use_case = make_use_case(tmp_path)
    version, lake = register(tracking, model), open_lake(use_case, spark)
    set_alias(tracking, version, "champion")
    untouched = {path: path.read_bytes() for path in package_folder(version).iterdir()}
    for damage, told in DAMAGES.values():
        damage(package_folder(version))
        with pytest.raises(ModelError, match=re.escape(told)):
            score(use_case, lake)
        shutil.rmtree(package_folder(version))
        package_folder(version).mkdir()
        for path, content in untouched.items():
            path.write_bytes(content)
    assert list_tables(lake) == ["runs"]
    assert {run["status"] for run in read_table(lake, "runs").collect()} == {"refused"}


def test_what_mlflow_would_run_is_not_run_by_us(tracking: Tracking, model: PackagedModel, tmp_path: Path) -> None:
    version = register(tracking, model)
    folder = package_folder(version).parents[1]
    described = (folder / "MLmodel").read_text()
    assert "loader_module: sparkml_ops.models.pyfunc" in described
    (folder / "MLmodel").write_text(described.replace("sparkml_ops.models.pyfunc", "antigravity"))
    assert load_version(tracking, version).name == "shop"
    assert "antigravity" not in sys.modules


def test_a_version_of_an_earlier_release_is_held_against_its_one_digest(
    tracking: Tracking, model: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = replace(register(tracking, model), files={})
    assert load_version(tracking, version).name == "shop"
    flip_byte(package_folder(version) / "package.json", -1)
    with pytest.raises(ModelError, match=r"sha256 \w{12} instead of \w{12}, model\.txt, package\.json"):
        load_version(tracking, version)
