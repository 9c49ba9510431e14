"""Options that every verb has."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

UseCaseName = Annotated[
    str, typer.Argument(help="Name of a use case in conf/, or path of its YAML file.", metavar="USE_CASE")
]
ModelName = Annotated[
    str,
    typer.Argument(
        help="NAME@VERSION: a use case as for other verbs, and a number or an alias of its model; NAME alone is the newest.",
        metavar="MODEL",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def read_instant(text: str) -> datetime:
    """An instant of an option; UTC if it has no zone."""
    from sparkml_ops.config.types import parse_instant

    try:
        instant = parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}, found {text!r}") from error
    assert isinstance(instant, datetime)  # what a text is parsed to
    return instant


Since = Annotated[
    datetime | None,
    typer.Option("--from", parser=read_instant, metavar="INSTANT", help="The first moment; UTC if it has no zone."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", parser=read_instant, metavar="INSTANT", help="The first moment after the span."),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Where a batch is known with other rows, put the new ones in their place."),
]
RunId = Annotated[str | None, typer.Option(help="Name of this run in the ledger; made up by default.")]


_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_MOST_DIGITS = 18  # of a number; what is longer is none


@dataclass(frozen=True)
class Shared:
    """The options that stand before or after any verb."""

    env: str | None = None
    conf_dir: Path | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedModel:
    """A model as a person names it: a use case, and a version or an alias; the newest version when neither is given."""

    name: str
    version: int | None = None
    alias: str | None = None


def split_model(text: str) -> NamedModel:
    """Take NAME@VERSION apart, where VERSION is a number, an alias or `latest`; NAME alone means the newest version.

    A file whose name has an @ is a use case as it stands.

    Raises:
        BadParameter: It is neither.
    """
    name, at, version = text.rpartition("@")
    if not at or _is_file(text):
        return NamedModel(text)
    if not name or not _VERSION.fullmatch(version):
        raise typer.BadParameter(
            f"expected NAME@VERSION with a number, an alias or latest, such as flights@3 or flights@champion, found {text!r}"
        )
    return _read_version(name, version)


def split_version(name: str, version: str) -> NamedModel:
    """A version of a model whose use case is said already.

    Raises:
        BadParameter: It is no number, no alias, and not `latest`.
    """
    if not _VERSION.fullmatch(version):
        raise typer.BadParameter(f"expected a number, an alias or latest, such as 3 or champion, found {version!r}")
    return _read_version(name, version)


def _read_version(name: str, version: str) -> NamedModel:
    if version.isdigit() and len(version) <= _MOST_DIGITS:
        return NamedModel(name, version=int(version))
    return NamedModel(name) if version == "latest" else NamedModel(name, alias=version)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False  # too long for a path, or no text for one


def load(name: str, shared: Shared) -> "UseCase":
    """Load a use case; nothing heavy is imported for it."""
    from sparkml_ops.config.load import load_use_case

    return load_use_case(name, env=shared.env, conf_dir=shared.conf_dir, overrides=split_overrides(shared.overrides))


def open_both(
    name: str,
    shared: Shared,
    *,
    views: Iterable[str] | None = None,
    check: "Callable[[UseCase], object]" = lambda _: None,
) -> "tuple[UseCase, Lake]":
    """Load a use case, then start Spark: a wrong file, a view that is not there, or what `check` refuses, is told before that."""
    use_case = load(name, shared)
    for view in views or ():
        use_case.require_view(view)
    check(use_case)
    from sparkml_ops.lake import open_lake

    lake = open_lake(use_case)
    _silence_queries()
    return use_case, lake


def _silence_queries() -> None:
    """A query that Spark refuses is told by our own error; PySpark would log the JVM's whole trace before it."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)


def split_overrides(pairs: tuple[str, ...]) -> dict[str, str]:
    """Take `key=value` apart."""
    wrong = [pair for pair in pairs if "=" not in pair or pair.startswith("=")]
    if wrong:
        raise ConfigError(f"--set {wrong[0]}: expected key=value, for instance --set scoring.threshold=0.4")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
