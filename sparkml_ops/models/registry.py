"""Versions and aliases of models, kept in MLflow's registry."""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkml_ops.errors import ModelError, ModelNotFoundError
from sparkml_ops.models.digests import digest_files, digest_package, find_damage
from sparkml_ops.models.environment import ENVIRONMENT_FILE, InstalledEnvironment, parse_environment
from sparkml_ops.models.package import (
    PackagedModel,
    load_package,
    read_package_files,
    write_package,
)
from sparkml_ops.models.tracking import Tracking, quiet_mlflow
from sparkml_ops.models.version_files import PACKAGE_FOLDER, PACKAGE_PATH, fetch_files, log_files

log = logging.getLogger(__name__)

TAGS = ("training_set_version", "config_hash", "code_version", "write_id")
"""Tags of a version that are taken from the package's metadata."""
FILES_TAG = "files"
"""Tag of a version with the sha256 of each file of its package, as JSON."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version.

    Attributes:
        name: The model: the use case.
        version: Counts from 1.
        run_id: The MLflow run it came from.
        digest: sha256 over the package's files.
        files: sha256 of each of them; none of versions that an earlier release registered.
        training_set_version: The training set.
        config_hash: Hash of the configuration that it was trained with.
        code_version: Version of the code that trained it.
        write_id: What makes a training unique: the same one is never registered twice.
        task: `binary`.
        aliases: Aliases that pointed to it when it was read.
        created_at: When it was registered, UTC.
        source: Where its files are.
    """

    name: str
    version: int
    run_id: str
    digest: str
    files: Mapping[str, str]
    training_set_version: str
    config_hash: str
    code_version: str
    write_id: str
    task: str
    aliases: tuple[str, ...]
    created_at: datetime
    source: str


def register_model(tracking: Tracking, model: PackagedModel, *, run_id: str) -> ModelVersion:
    """Register the model that a run made; a second time for the same run gives the version of the first.

    The files are complete in MLflow before the version is made, and the version comes with its tags in one step: a kill
    in between leaves files that nobody sees, never half a version.
    """
    already = next((found for found in list_versions(tracking, model.name) if found.run_id == run_id), None)
    if already is not None:
        return already
    _ensure_registered_name(tracking, model.name)
    with quiet_mlflow(), tempfile.TemporaryDirectory() as scratch:
        files = write_package(model, Path(scratch) / PACKAGE_FOLDER)
        logged = log_files(tracking, model, run_id=run_id, scratch=Path(scratch))
        digests = {"digest": digest_package(files), FILES_TAG: json.dumps(digest_files(files))}
        tags = {tag: str(model.metadata.get(tag, "")) for tag in TAGS} | digests | {"task": model.task}
        made = tracking.client.create_model_version(
            model.name, source=logged.artifact_location, run_id=run_id, model_id=logged.model_id, tags=tags
        )
    registered = _read_version(made, aliases={})
    log.info("registered model %s version %d", registered.name, registered.version)
    return registered


def list_versions(tracking: Tracking, name: str) -> list[ModelVersion]:
    """All versions of a model, oldest first; none when the model is not there."""
    by_version = list_aliases(tracking, name)
    found, token = [], None
    while True:
        page = tracking.client.search_model_versions(f"name='{name}'", max_results=1000, page_token=token)
        found += [_read_version(entry, aliases=by_version) for entry in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda version: version.version)


def find_version(
    tracking: Tracking, name: str, *, alias: str | None = None, version: int | None = None
) -> ModelVersion:
    """The version with this alias or this number; the newest when neither is given.

    Raises:
        ModelNotFoundError: There is none; the message lists what there is.
    """
    versions = list_versions(tracking, name)
    if not versions:
        raise ModelNotFoundError(f"No version of a model {name!r} is registered. Train one first.")
    if alias is None and version is None:
        return versions[-1]
    wanted = (
        [v for v in versions if v.version == version]
        if version is not None
        else [v for v in versions if alias in v.aliases]
    )
    if not wanted:
        asked = f"alias {alias!r}" if version is None else f"version {version}"
        raise ModelNotFoundError(f"Model {name!r} has no {asked}. It has: {_describe(versions)}.")
    return wanted[0]


def list_aliases(tracking: Tracking, name: str) -> dict[str, int]:
    """Version by alias; none when the model is not there."""
    from mlflow.exceptions import MlflowException

    try:
        registered = tracking.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: int(version) for alias, version in registered.aliases.items()}


def set_alias(tracking: Tracking, version: ModelVersion, alias: str) -> None:
    """Point an alias to a version, away from where it pointed before."""
    tracking.client.set_registered_model_alias(version.name, alias, str(version.version))
    log.info("model %s: alias %s is now version %d", version.name, alias, version.version)


def delete_alias(tracking: Tracking, name: str, alias: str) -> None:
    """Take an alias away; nothing happens when it is not there."""
    if alias in list_aliases(tracking, name):
        tracking.client.delete_registered_model_alias(name, alias)
        log.info("model %s: alias %s taken away", name, alias)


def load_version(tracking: Tracking, version: ModelVersion) -> PackagedModel:
    """Load a registered version, if its files are still those that were registered.

    Raises:
        ModelError: Files are missing, were changed or added; says which.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return load_package(fetch_package(tracking, version, into=scratch))


def fetch_package(tracking: Tracking, version: ModelVersion, *, into: str) -> Path:
    """The package of a registered version in a folder on this machine, if its files are still those that were registered.

    MLflow calls a version READY whether its files are there or not, and reads whatever it finds in their place.

    Args:
        tracking: Where it is.
        version: The version.
        into: A folder for it.

    Raises:
        ModelError: Files are missing, were changed or added; says which.
    """
    what, uri = f"Model {version.name} version {version.version}", f"{version.source.rstrip('/')}/{PACKAGE_PATH}"
    folder = fetch_files(tracking, uri, into=into, what=what)
    files = read_package_files(folder)
    found = digest_package(files)
    if found != version.digest:
        damage = "; ".join(find_damage(files, version.files)) if version.files else ""
        shown = damage or f"sha256 {found[:12]} instead of {version.digest[:12]}, {', '.join(files) or 'no file'}"
        raise ModelError(
            f"{what}: the files at {uri} are not those that were registered: {shown}. It is not used. "
            "Restore the files, or train anew."
        )
    return folder


def load_environment(tracking: Tracking, version: ModelVersion, *, expected_hash: str) -> InstalledEnvironment:
    """What was installed where a version was trained.

    Args:
        tracking: Where it is.
        version: The version.
        expected_hash: As the metadata of the model has it.

    Raises:
        ModelError: The file is gone, damaged, or another one.
    """
    what, uri = f"Model {version.name} version {version.version}", f"{version.source.rstrip('/')}/{ENVIRONMENT_FILE}"
    with tempfile.TemporaryDirectory() as scratch:
        content = fetch_files(tracking, uri, into=scratch, what=what).read_bytes()
    return parse_environment(content, expected_hash=expected_hash)


def _ensure_registered_name(tracking: Tracking, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        tracking.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _read_version(entry: Any, *, aliases: dict[str, int]) -> ModelVersion:
    version = int(entry.version)
    return ModelVersion(
        name=entry.name,
        version=version,
        run_id=entry.run_id or "",
        digest=entry.tags.get("digest", ""),
        files=json.loads(entry.tags.get(FILES_TAG, "{}")),
        task=entry.tags.get("task", ""),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if number == version)),
        created_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, tz=UTC),
        source=entry.source or "",
        **{tag: entry.tags.get(tag, "") for tag in TAGS},
    )


def _describe(versions: list[ModelVersion]) -> str:
    shown = [f"{v.version}" + (f" ({', '.join(v.aliases)})" if v.aliases else "") for v in versions[-10:]]
    return ("versions … " if len(versions) > len(shown) else "version ") + ", ".join(shown)
