"""What was installed where a model was trained is kept beside it, and two environments are compared in words."""

import json
from dataclasses import replace
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from sparkml_ops.errors import ModelError
from sparkml_ops.models import (
    InstalledEnvironment,
    PackagedModel,
    Tracking,
    compare_environments,
    find_environment,
    load_environment,
    open_experiment,
    register_model,
    start_run,
)
from sparkml_ops.models.environment import Installed, read_environment

RECORD = "shop/__init__.py,sha256=abc,3\nshop-1.0.dist-info/METADATA,sha256=def,9\nshop-1.0.dist-info/RECORD,,\n"


def install(folder: Path, name: str, *, record: str | None = RECORD, origin: str | None = None) -> Path:
    """Lay out an installed distribution as installers do."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    for file, text in {"RECORD": record, "direct_url.json": origin}.items():
        if text is not None:
            (info / file).write_text(text)
    return folder


def read(*folders: Path) -> InstalledEnvironment:
    return read_environment(distributions(path=[str(folder) for folder in folders]))


def test_every_installed_distribution_is_there_with_version_and_hash() -> None:
    found = find_environment()
    assert found.distributions["numpy"].version == version("numpy")
    assert len(found.distributions["numpy"].files_hash or "") == 64
    assert {"pyspark", "lightgbm", "scikit-learn", "sparkml-ops"} <= set(found.distributions)
    assert found.python.startswith("CPython 3.")
    assert InstalledEnvironment.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_editable_and_unlisted_distributions_are_told_as_such(tmp_path: Path) -> None:
    editable = '{"dir_info": {"editable": true}, "url": "file:///src"}'
    install(tmp_path, "Shop_Models", origin=editable)
    install(tmp_path, "system.package", record=None)
    assert read(tmp_path).distributions == {
        "shop-models": Installed("1.0", None, "editable"),
        "system-package": Installed("1.0", None, "no RECORD"),
    }


def test_where_and_by_what_it_was_installed_does_not_count(tmp_path: Path) -> None:
    by_other = (
        RECORD + "../../../bin/shop,sha256=xyz,9\nshop/__pycache__/__init__.cpython-311.pyc,,\n"
        "shop-1.0.dist-info/INSTALLER,sha256=uvw,4\n"
    )
    one = read(install(tmp_path / "one", "shop"))
    other = read(install(tmp_path / "other", "shop", record=by_other))
    assert one.hash == other.hash
    changed = read(install(tmp_path / "changed", "shop", record=RECORD.replace("abc", "abd")))
    assert one.hash != changed.hash
    assert compare_environments(one, changed).describe() == ["the same version with other files: shop 1.0"]


def test_of_two_of_a_name_the_first_on_the_path_counts(tmp_path: Path) -> None:
    first = install(tmp_path / "first", "shop")
    second = install(tmp_path / "second", "shop", record=RECORD.replace("abc", "abd"))
    assert read(first, second) == read(first) != read(second)


def test_changes_are_told_in_words_and_what_fits_models_comes_first() -> None:
    before = find_environment()
    new = {name: replace(one, version="9.9") for name, one in before.distributions.items() if name[0] in "anp"}
    after = replace(
        before,
        python="CPython 3.99.0",
        distributions={**before.distributions, **new, "lightgbm": Installed("5.0", None), "shop": Installed("1", None)},
    )
    told = compare_environments(before, after).describe()
    assert told[0] == f"Python {before.python} -> CPython 3.99.0"
    assert told[1].startswith(
        f"other versions: lightgbm {version('lightgbm')} -> 5.0, numpy {version('numpy')} -> 9.9, "
    )
    assert told[1].endswith(" more")
    assert told[2:] == ["newly installed: shop 1"]
    assert compare_environments(after, before).describe()[2:] == ["no longer installed: shop 1"]
    assert compare_environments(before, before).describe() == []


def test_the_environment_is_kept_beside_the_package_and_held_against_its_hash(
    tracking: Tracking, model: PackagedModel
) -> None:
    here = find_environment()
    run = start_run(tracking, open_experiment(tracking, model.name), name="train")
    registered = register_model(tracking, model, run_id=run)
    assert load_environment(tracking, registered, expected_hash=here.hash) == here
    with pytest.raises(ModelError, match=r"environment\.json is not the one that was registered"):
        load_environment(tracking, registered, expected_hash="0" * 64)
    file = Path(registered.source.removeprefix("file://")) / "environment.json"
    for damaged in (b"{", b"[]", b'{"python": 1}', b"null", b'"x"', b"\xff\xfe"):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"environment\.json is damaged"):
            load_environment(tracking, registered, expected_hash=here.hash)
    file.unlink()
    with pytest.raises(ModelError, match="Model shop version 1: its files cannot be read"):
        load_environment(tracking, registered, expected_hash=here.hash)
