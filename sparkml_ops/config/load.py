"""Reads a use case and its environment: every mistake of every file at once, before anything is started."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sparkml_ops.config.crosscheck import check_parts
from sparkml_ops.config.environment import Environment, LakeLocation, MLflowLocation
from sparkml_ops.config.locations import (
    BASE,
    find_conf_dir,
    find_overlay,
    find_use_case,
    show_file,
)
from sparkml_ops.config.mistakes import Finding, Mistake, first_per_path, locate_finding, raise_mistakes, show_value
from sparkml_ops.config.odcs_source import lay_contracts
from sparkml_ops.config.overrides import Overrides, apply_overrides, read_overrides
from sparkml_ops.config.parts import salvage_parts, take_apart
from sparkml_ops.config.paths import resolve_environment, resolve_exports, resolve_serving, resolve_sources
from sparkml_ops.config.places import Document, Place, merge_documents, set_value
from sparkml_ops.config.rules.exports import find_plain_passwords
from sparkml_ops.config.rules.online import find_plain_tokens
from sparkml_ops.config.rules.source_kinds import find_plain_secrets
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.config.variables import Variable, fill_variables, read_variables
from sparkml_ops.config.wording import translate_errors
from sparkml_ops.config.yaml_text import read_yaml

AnyModel = TypeVar("AnyModel", bound=BaseModel)

DEFAULT_ENV = "local"
ENV_VARIABLE = "SPARKML_OPS_ENV"

_PYTHON = "<python>"
"""The place, in messages, of what no file says."""

_NOWHERE = Environment(lake=LakeLocation(root="-"), mlflow=MLflowLocation(tracking_uri="-"))
"""Stands in for an environment that is broken, so that the use case is judged all the same."""


@dataclass(frozen=True)
class _Surroundings:
    """What a use case is read in: the environment if it is sound, the variables in any case."""

    environment: Environment | None
    variables: Mapping[str, Variable]
    project: Path | None
    mistakes: list[Mistake]


def load_use_case(
    use_case: str | Path,
    *,
    env: str | None = None,
    conf_dir: str | Path | None = None,
    overrides: Mapping[str, str] | None = None,
    views: Mapping[str, Any] | None = None,
) -> UseCase:
    """Read a use case for an environment.

    Args:
        use_case: its name, for `<conf_dir>/<name>.yml`, or the path of its file.
        env: name of the overlay on `base.yml`; by default SPARKML_OPS_ENV, else `local`.
        conf_dir: the configuration folder; by default the file's, or the nearest `conf/` from here up.
        overrides: values by dotted key, as YAML; they win over everything else.
        views: feature views in the YAML's names, laid over those of the file, as a notebook defines them.

    Raises:
        ConfigError: with every mistake there is.
    """
    file, folder = find_use_case(use_case, conf_dir)
    given = read_overrides(overrides, os.environ)
    surroundings = _read_surroundings(env, folder, given)
    name = show_file(file)
    document, mistakes = read_yaml(file, file=name)
    loaded = None
    if document is not None:
        overridden = apply_overrides(document, given.use_case)
        for view, definition in (views or {}).items():
            overridden = set_value(overridden, ("features", view), _plain(definition), Place(_PYTHON))
        loaded, found = _read_use_case(overridden, surroundings, expected_name=file.stem)
        mistakes = _merge(mistakes, found)
    raise_mistakes([*given.mistakes, *surroundings.mistakes, *mistakes], subject=name)
    assert loaded is not None  # a document that cannot be read has left a mistake
    return loaded


def load_environment(
    env: str | None = None, *, conf_dir: str | Path | None = None, overrides: Mapping[str, str] | None = None
) -> Environment:
    """Read an environment alone; see `load_use_case`.

    Raises:
        ConfigError: with every mistake there is.
    """
    folder = find_conf_dir(conf_dir)
    given = read_overrides(overrides, os.environ)
    surroundings = _read_surroundings(env, folder, given)
    raise_mistakes([*given.mistakes, *surroundings.mistakes], subject=show_file(folder))
    assert surroundings.environment is not None  # as above
    return surroundings.environment


def build_use_case(document: Mapping[str, Any], environment: Environment, *, project: Path | None = None) -> UseCase:
    """Make a use case from a mapping with the YAML's names, in a notebook for one.

    Args:
        document: the sections; built ones may stand among them.
        environment: where it runs.
        project: the folder that relative source paths start from; they are left alone without it.

    Raises:
        ConfigError: with every mistake there is.
    """
    top = Place(_PYTHON)
    variables = {name: Variable(value) for name, value in environment.variables.items()}
    surroundings = _Surroundings(environment, variables, project, [])
    built, mistakes = _read_use_case(Document(_plain(document), {(): top}), surroundings)
    raise_mistakes(mistakes, subject=top.file)
    assert built is not None  # as above
    return built


def _read_surroundings(env: str | None, folder: Path, given: Overrides) -> _Surroundings:
    name = env or os.environ.get(ENV_VARIABLE) or DEFAULT_ENV
    read = [_read_file(folder / f"{BASE}.yml"), _read_file(find_overlay(name, folder))]
    mistakes = [mistake for _, found in read for mistake in found]
    documents = [document for document, _ in read if document is not None]
    if len(documents) < len(read):
        return _Surroundings(None, {}, folder.parent, mistakes)
    document = apply_overrides(merge_documents(*documents), given.environment)
    document.values.setdefault("name", name)
    variables, unset = read_variables(document, os.environ)
    filled = fill_variables(document, variables, os.environ)
    values = resolve_environment(filled.document.values, folder.parent)
    environment, refused = _validate(Environment, values)
    found = _locate([*unset, *filled.findings, *refused], filled.document)
    return _Surroundings(environment, variables, folder.parent, _merge(mistakes, found))


def _read_file(path: Path) -> tuple[Document | None, list[Mistake]]:
    return read_yaml(path, file=show_file(path))


def _read_use_case(
    document: Document, surroundings: _Surroundings, *, expected_name: str | None = None
) -> tuple[UseCase | None, list[Mistake]]:
    filled = fill_variables(document, surroundings.variables, os.environ)
    laid = lay_contracts(filled.document, surroundings.project)
    values: dict[str, Any] = laid.document.values
    for resolve in (resolve_sources, resolve_serving, resolve_exports):
        values = resolve(values, surroundings.project)
    findings = [*filled.findings, *laid.findings]
    if "environment" in values:
        findings.append(Finding(("environment",), "not part of a use case", "base.yml and its overlays"))
    if expected_name is not None:  # what Python code hands over stands in no file
        findings += [*find_plain_secrets(laid.document), *find_plain_tokens(laid.document)]
        findings += find_plain_passwords(laid.document)
    environment = surroundings.environment or _NOWHERE
    use_case, refused = _validate(UseCase, {**values, "environment": environment})
    findings += refused
    if expected_name is not None and use_case is not None and use_case.name != expected_name:
        findings.append(
            Finding(("name",), f"found {show_value(use_case.name)}", f"{expected_name}, as the file is called")
        )
    findings += check_parts(take_apart(use_case) if use_case else salvage_parts(values))
    return use_case, _locate(findings, laid.document)


def _validate(model: type[AnyModel], values: Mapping[str, Any]) -> tuple[AnyModel | None, list[Finding]]:
    try:
        return model.model_validate(values, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, translate_errors(error, model, values)


def _locate(findings: list[Finding], document: Document) -> list[Mistake]:
    return [locate_finding(finding, document.places) for finding in first_per_path(findings)]


def _merge(first: list[Mistake], second: list[Mistake]) -> list[Mistake]:
    """The second mistakes are left out where the first have spoken about that key."""
    told = {(mistake.file, mistake.key) for mistake in first}
    return [*first, *(mistake for mistake in second if (mistake.file, mistake.key) not in told)]


def _plain(value: Any) -> Any:
    """Mappings as dicts and sequences as lists, since the sections are strict."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
