"""A source's contract that is given as an ODCS file: what it says stands under what the use case says itself."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.locations import show_file
from sparkml_ops.config.mistakes import Finding
from sparkml_ops.config.paths import resolve_path
from sparkml_ops.config.places import Document, KeyPath, Place, merge_documents
from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty

logger = logging.getLogger(__name__)

_LOWEST, _HIGHEST, _LONGEST = -1.7e308, 1.7e308, 2_147_483_647
_TYPES = {
    "bigint": "long", "integer": "int", "smallint": "int", "tinyint": "int", "float": "double", "real": "double",
    "varchar": "string", "text": "string", "char": "string", "bool": "boolean", "number": "double",
}  # fmt: skip
"""Names of types that our own names have another word for; what is in neither goes by its logical type."""
_OURS = re.compile(r"string|boolean|int|long|double|date|timestamp|decimal\(\d+,\d+\)")
_LOGICAL = {
    "string": "string",
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_ROW_RULE = re.compile(r"SELECT count\(\*\) FROM \$\{object\} WHERE NOT \((?P<rule>.*)\)", re.DOTALL)
"""A query over rows as `contract export` writes it; any other is about the whole table."""


@dataclass(frozen=True)
class Laid:
    """A document with the contracts of its sources, and what is wrong with those."""

    document: Document
    findings: list[Finding]


def lay_contracts(document: Document, project: Path | None) -> Laid:
    """Put the contract of each source that names one (`contract: FILE`) under the source's own keys."""
    sources = document.values.get("sources")
    findings: list[Finding] = []
    for name, source in sources.items() if isinstance(sources, dict) else ():
        file = source.get("contract") if isinstance(source, dict) else None
        if not isinstance(file, str):
            continue
        path: KeyPath = ("sources", name, "contract")
        place = Path(resolve_path(file, project) if project else file)
        derived = source.get("derive") if isinstance(source.get("derive"), dict) else {}
        try:
            values = read_source(place, name, derived=derived)
        except ConfigError as error:
            findings.append(Finding(path, str(error)))
            continue
        places = dict.fromkeys(_list_paths(values, path[:2]), Place(show_file(place))) | {(): document.places[()]}
        document = merge_documents(Document({"sources": {name: values}}, places), document)
    return Laid(document, findings)


def _list_paths(values: Any, above: KeyPath) -> Iterator[KeyPath]:
    for key, value in values.items() if isinstance(values, dict) else ():
        yield (*above, key)
        yield from _list_paths(value, (*above, key))


def read_source(file: Path, name: str, *, derived: Any = ()) -> dict[str, Any]:
    """The keys of a source that a contract says: columns, key, expect, volume, freshness, description.

    Args:
        file: ODCS v3 YAML.
        name: name of the source; its table in the contract is called so, or `clean_` and so, or is the only one.
        derived: columns that the source computes itself.

    Raises:
        ConfigError: there is no such file, it is no contract, or has no such table.
    """
    from sparkml_ops.config.odcs import read_contract

    try:
        contract = read_contract(file.read_text(encoding="utf-8"), file=show_file(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{show_file(file)}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    table = _find_table(contract, name, file)
    properties = [column for column in table.properties or [] if column.name and column.name not in derived]
    keys = sorted((c for c in properties if c.primaryKey), key=lambda c: c.primaryKeyPosition or 0)
    found: dict[str, Any] = {
        "columns": {str(column.name): dict(_read_column(column)) for column in properties},
        "key": [column.name for column in keys],
        "expect": [*_read_rules(table, name)],
        "volume": next(
            ({"at_least": rule.mustBeGreaterOrEqualTo} for rule in table.quality or [] if rule.metric == "rowCount"),
            None,
        ),
        "freshness": _read_freshness(contract, table),
        "description": table.description,
    }
    return {key: value for key, value in found.items() if value}


def _find_table(contract: "OpenDataContractStandard", name: str, file: Path) -> "SchemaObject":
    tables = contract.schema_ or []
    wanted = [table for table in tables if {table.name, table.physicalName} & {name, f"clean_{name}"}]
    if not wanted and len(tables) == 1:
        wanted = tables
    if not wanted:
        there = ", ".join(str(table.name) for table in tables)
        raise ConfigError(f"{show_file(file)}: has no table {name} or clean_{name}; it has {there}")
    return wanted[0]


def _read_column(column: "SchemaProperty") -> Iterator[tuple[str, Any]]:
    yield "type", _read_type(column)
    if not column.required:
        yield "nullable", True
    options = column.logicalTypeOptions or {}
    if "minimum" in options or "maximum" in options:
        yield "between", [options.get("minimum", _LOWEST), options.get("maximum", _HIGHEST)]
    if "minLength" in options or "maxLength" in options:
        yield "length", [options.get("minLength", 0), options.get("maxLength", _LONGEST)]
    if "pattern" in options:
        yield "matches", _read_pattern(str(options["pattern"]))
    asked = [(rule.arguments or {}).get("validValues") for rule in column.quality or []]
    values = next((listed for listed in asked if listed), None)
    if values:
        yield "in", values
    other = next((link.to for link in column.relationships or [] if isinstance(link.to, str)), None)
    if other is not None:
        yield "references", other.removeprefix("clean_")
    if "pii" in {tag.lower() for tag in column.tags or []}:
        yield "pii", True
    if column.description:
        yield "comment", column.description


def _read_type(column: "SchemaProperty") -> str:
    physical = (column.physicalType or "").lower().replace(" ", "")
    plain = physical.partition("(")[0]
    if _OURS.fullmatch(physical):
        return physical
    return _TYPES.get(plain) or _LOGICAL.get(column.logicalType or "", physical or "string")


def _read_pattern(pattern: str) -> str:
    """A contract's pattern may be found anywhere in a text, unless it is anchored; ours is the whole text."""
    ours = re.fullmatch(r"\^\(\?:(.*)\)\$", pattern, re.DOTALL)
    if ours:
        return ours[1]
    start, end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[1 if start else 0 : -1 if end else None]
    return (
        f"{'' if start else '(?s:.*)'}(?:{inner}){'' if end else '(?s:.*)'}" if not (start and end) else f"(?:{inner})"
    )


def _read_rules(table: "SchemaObject", name: str) -> Iterator[dict[str, str]]:
    for rule in table.quality or []:
        if rule.type != "sql":
            continue
        told = _ROW_RULE.fullmatch((rule.query or "").strip())
        if told is None:
            logger.warning(
                "source %s: the contract's rule %s is a query over the whole table, which ingestion does not judge",
                name,
                rule.name or rule.query,
            )
            continue
        yield {"rule": told["rule"], **({"on_violation": "warn"} if rule.severity == "warning" else {})}


def _read_freshness(contract: "OpenDataContractStandard", table: "SchemaObject") -> dict[str, str] | None:
    for promise in contract.slaProperties or []:
        of_table, _, column = str(promise.element or "").rpartition(".")
        if promise.property == "latency" and of_table in {table.name, table.physicalName}:
            return {"of": column, "within": f"{promise.value}{str(promise.unit)[0]}"}
    return None
