"""Versions are registered once, found by alias or number, and never loaded when their files are not theirs."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from sparkml_ops.errors import ModelError, ModelNotFoundError
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
