"""Where predictions are brought to can be such a place, and its secrets stand in no file."""

from collections.abc import Iterator

from sparkml_ops.config.exports import DatabaseExport
from sparkml_ops.config.mistakes import Finding, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import Document, KeyPath
from sparkml_ops.config.rules.source_kinds import CREDENTIALS

_MOST_PARTS = 3  # catalog, schema, table


def check_exports(parts: Parts) -> Iterator[Finding]:
    """The address of each database, its driver, and the name of its table."""
    for name, export in parts.exports.items():
        if isinstance(export, DatabaseExport):
            yield from _check_database(("exports", name), export)


def _check_database(path: KeyPath, export: DatabaseExport) -> Iterator[Finding]:
    if not export.url.startswith("jdbc:"):
        yield Finding((*path, "url"), "no database", "its URL, such as jdbc:postgresql://host:5432/warehouse")
    elif CREDENTIALS.search(export.url):
        found = "a user or a password in the URL"
        yield Finding((*path, "url"), found, "a URL without; they belong to user and password")
    elif export.driver is None and not export.url.startswith("jdbc:postgresql:"):
        found = "missing"
        yield Finding((*path, "driver"), found, "the class of the driver, such as com.mysql.cj.jdbc.Driver")
    named = export.table_name()
    if len(named) > _MOST_PARTS or not all(part.strip() for part in named) or "\0" in export.table:
        yield Finding(
            (*path, "table"), f"found {show_value(export.table)}", "a table, schema.table or catalog.schema.table"
        )


def find_plain_passwords(document: Document) -> list[Finding]:
    """Passwords of exports that stand in a file, or on a command line, instead of coming from the environment."""
    exports = document.values.get("exports")
    paths: list[KeyPath] = [
        ("exports", name, "password")
        for name, export in (exports.items() if isinstance(exports, dict) else ())
        if isinstance(export, dict) and export.get("password") is not None
    ]
    return [
        Finding(path, "a password that does not come from the environment", "${env:NAME}, and the variable NAME set")
        for path in paths
        if path not in document.places or not document.places[path].secrets
    ]
