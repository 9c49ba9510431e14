"""What a source of each format must say, and what only another format could."""

import re
from collections.abc import Iterator

from sparkml_ops.config.mistakes import Finding
from sparkml_ops.config.places import Document, KeyPath
from sparkml_ops.config.source_kinds import Jdbc
from sparkml_ops.config.sources import Source

_OF_FILES = {
    "delimiter": ("csv",),
    "encoding": ("csv", "json"),
    "multiline": ("csv", "json"),
    "partition_columns": ("csv", "json", "parquet"),
}
_SECTIONS = ("jdbc", "delta", "python")
CREDENTIALS = re.compile(r"//[^/?]*@|[?&;](user|username|password|pwd)=|^jdbc:oracle:[^@]*/[^@]*@", re.IGNORECASE)
_FUNCTION = re.compile(r"[\w.]+:\w+")


def check_kind(path: KeyPath, source: Source) -> Iterator[Finding]:
    """Keys of another format, and what the format itself asks for."""
    given = source.model_fields_set
    for key, formats in _OF_FILES.items():
        if source.format not in formats and key in given:
            article = "an" if key[0] in "aeiou" else "a"
            yield Finding((*path, key), f"{article} {key} for {source.format}", f"format: {formats[0]} with it")
    for section in _SECTIONS:
        if section in given and getattr(source, section) is not None and source.format != section:
            yield Finding((*path, section), f"a section for format: {source.format}", f"format: {section} with it")
    if source.format == "jdbc":
        yield from _check_jdbc(path, source)
    elif source.format == "delta":
        yield from _check_delta(path, source)
    elif source.format == "python":
        yield from _check_python(path, source)


def _check_jdbc(path: KeyPath, source: Source) -> Iterator[Finding]:
    if not source.path.startswith("jdbc:"):
        yield Finding((*path, "path"), "no database", "its URL, such as jdbc:postgresql://host:5432/shop")
    elif CREDENTIALS.search(source.path):
        yield Finding(
            (*path, "path"), "a user or a password in the URL", "a URL without; they belong to jdbc.user, jdbc.password"
        )
    if source.jdbc is None:
        yield Finding((*path, "jdbc"), "missing: what is read from the database", "{table: …} or {query: …}")
        return
    yield from _check_high_water((*path, "jdbc"), source, source.jdbc)
    if source.jdbc.driver is None and not source.path.startswith("jdbc:postgresql:"):
        yield Finding((*path, "jdbc", "driver"), "missing", "the class of the driver, such as com.mysql.cj.jdbc.Driver")
    if source.jdbc.partitions > 1 and source.jdbc.partition_by is None:
        yield Finding((*path, "jdbc", "partitions"), "nothing to read side by side by", "partition_by with it")


def _check_high_water(path: KeyPath, source: Source, jdbc: Jdbc) -> Iterator[Finding]:
    if jdbc.high_water is None:
        if source.mode != "snapshot":
            yield Finding(
                (*path, "high_water"), f"missing: mode {source.mode} reads what is new", "a column, or mode: snapshot"
            )
        elif jdbc.partition_by is not None:
            found = "a snapshot in parts, each of which would see another moment"
            yield Finding((*path, "partition_by"), found, "a snapshot in one piece, or a high_water")
        return
    column = source.columns.get(jdbc.high_water)
    if column is not None and column.type not in {"timestamp", "date"} and "lag" in jdbc.model_fields_set:
        yield Finding((*path, "lag"), f"a lag for a high_water of type {column.type}", "a timestamp or a date with it")


def _check_delta(path: KeyPath, source: Source) -> Iterator[Finding]:
    if source.delta is None:
        return
    if source.delta.version is not None and source.mode != "snapshot":
        yield Finding((*path, "delta", "version"), f"one version for mode: {source.mode}", "mode: snapshot with it")
    if source.delta.changes and source.mode != "merge":
        yield Finding((*path, "delta", "changes"), f"changes for mode: {source.mode}", "mode: merge with them")
    elif source.delta.changes and (source.merge is None or source.merge.deleted_when is None):
        found = "changes, of which nothing says which are deletions"
        yield Finding((*path, "delta", "changes"), found, "merge.deleted_when with them")


def _check_python(path: KeyPath, source: Source) -> Iterator[Finding]:
    if not _FUNCTION.fullmatch(source.path):
        yield Finding((*path, "path"), "no function", "package.module:function")
    if source.python is None and source.mode != "snapshot":
        found = f"missing: mode {source.mode} reads what is new"
        yield Finding((*path, "python"), found, "{pieces: package.module:function}, or mode: snapshot")


def find_plain_secrets(document: Document) -> list[Finding]:
    """Passwords that stand in a file, or on a command line, instead of coming from the environment."""
    sources = document.values.get("sources")
    named = sources.items() if isinstance(sources, dict) else ()
    paths: list[KeyPath] = [
        ("sources", name, "jdbc", "password")
        for name, source in named
        if isinstance(source, dict)
        and isinstance(source.get("jdbc"), dict)
        and source["jdbc"].get("password") is not None
    ]
    return [
        Finding(path, "a password that does not come from the environment", "${env:NAME}, and the variable NAME set")
        for path in paths
        if path not in document.places or not document.places[path].secrets
    ]
