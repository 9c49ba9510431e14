"""`${name}` and `${env:NAME}` in text values."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.places import Document, KeyPath, find_place

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?P<env>env:)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_HOW = "${name}, ${env:NAME}, or $${ for the characters themselves"


@dataclass(frozen=True)
class Variable:
    """A value to put in, and the texts within it that came from the environment."""

    value: Any
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Filled:
    """A document with its variables put in, and what went wrong."""

    document: Document
    findings: list[Finding]


class _UnsetError(Exception):
    """A placeholder that nothing fills; `args[0]` is its finding."""


def fill_variables(document: Document, variables: Mapping[str, Variable], environ: Mapping[str, str]) -> Filled:
    """Put values in for every placeholder of a document.

    `${name}` is the variable of that name, else the environment variable; `${env:NAME}` the environment variable alone.
    A text that is one placeholder and nothing else takes the variable's own type. `$${` stands for `${`.

    Args:
        document: the document as written.
        variables: values by name.
        environ: the environment.
    """
    findings: list[Finding] = []
    places = dict(document.places)

    def fill(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item, (*path, at)) for at, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            filled = _fill_text(value, path, variables, environ)
        except _UnsetError as error:
            findings.append(error.args[0])
            return value
        if filled.secrets:
            places[path] = dataclasses.replace(find_place(places, path), secrets=filled.secrets)
        return filled.value

    return Filled(Document(fill(document.values, ()), places), findings)


def read_variables(document: Document, environ: Mapping[str, str]) -> tuple[dict[str, Variable], list[Finding]]:
    """The variables that an environment declares; each may use those above it.

    Returns:
        The variables by name, and what went wrong.
    """
    variables: dict[str, Variable] = {}
    findings: list[Finding] = []
    declared = document.values.get("variables")
    for name, value in declared.items() if isinstance(declared, dict) else ():
        path = ("variables", name)
        known = document.places.get(path)
        secrets = known.secrets if known else ()
        try:
            filled = _fill_text(value, path, variables, environ) if isinstance(value, str) else Variable(value)
        except _UnsetError as error:
            findings.append(error.args[0])
            filled = Variable(value)
        variables[name] = Variable(filled.value, (*secrets, *filled.secrets))
    return variables, findings


def _fill_text(text: str, path: KeyPath, variables: Mapping[str, Variable], environ: Mapping[str, str]) -> Variable:
    used: list[Variable] = []

    def put_in(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match["name"] is None:
            raise _UnsetError(Finding(path, f"a ${{ that starts no variable: {show_value(text)}", _HOW))
        used.append(_look_up(match, path, variables, environ))
        return str(used[-1].value)

    filled = _PLACEHOLDER.sub(put_in, text)
    secrets = tuple(secret for variable in used for secret in variable.secrets)
    is_whole = len(used) == 1 and _PLACEHOLDER.fullmatch(text)
    return Variable(used[0].value if is_whole else filled, secrets)


def _look_up(
    match: re.Match[str], path: KeyPath, variables: Mapping[str, Variable], environ: Mapping[str, str]
) -> Variable:
    name = match["name"]
    if name in variables and not match["env"]:
        return variables[name]
    if name in environ:
        return Variable(environ[name], (environ[name],))
    if match["env"]:
        raise _UnsetError(
            Finding(
                path, f"the environment variable {name} is not set", nearest=nearest_name(name, environ, likeness=0.85)
            )
        )
    declared = f"{list_names(variables)}, or an environment variable of that name"
    raise _UnsetError(Finding(path, f"the variable ${{{name}}} is not set", declared, nearest_name(name, variables)))
