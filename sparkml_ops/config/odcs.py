"""Contracts in the neutral form that other tools read: Open Data Contract Standard (ODCS) v3 YAML.

https://bitol-io.github.io/open-data-contract-standard/
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.sources import Column, Source
from sparkml_ops.config.types import format_duration
from sparkml_ops.errors import ConfigError

try:
    from open_data_contract_standard.model import (
        DataQuality,
        Description,
        OpenDataContractStandard,
        Relationship,
        SchemaObject,
        SchemaProperty,
        ServiceLevelAgreementProperty,
        Team,
        TeamMember,
    )
except ImportError as error:
    raise ConfigError("data contracts need an extra: pip install 'sparkml-ops[contracts]'") from error

from sparkml_ops.config.odcs_predictions import CURRENT, lay_promises  # needs the same extra

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

API_VERSION = "v3.1.0"
_LOGICAL_TYPES = {
    "string": "string",
    "boolean": "boolean",
    "int": "integer",
    "bigint": "integer",
    "smallint": "integer",
    "tinyint": "integer",
    "double": "number",
    "float": "number",
    "decimal": "number",
    "date": "date",
    "timestamp": "timestamp",
    "array": "array",
}
"""By Spark's own name of a type, without its parameters; structs and maps are objects."""
_SPARK_TYPES = {"long": "bigint"}


@dataclass(frozen=True)
class TableColumn:
    """A column as a table has it: Spark's name of its type, whether it may be null, its comment."""

    name: str
    type: str
    nullable: bool
    comment: str | None = None


def write_contract(use_case: "UseCase", tables: Mapping[str, Sequence[TableColumn]]) -> str:
    """The contract of a use case's tables as ODCS YAML.

    Args:
        use_case: gives name, owner and description, and the rules of its sources' clean tables.
        tables: columns of each table; for a clean table that is not there yet, `list_columns` gives those of the contract.
    """
    described = [_describe_table(use_case, name, columns) for name, columns in tables.items()]
    objects = [lay_promises(table, use_case) if table.name == CURRENT else table for table in described]
    members = [TeamMember(username=use_case.owner, role="owner")] if use_case.owner else []
    contract = OpenDataContractStandard(
        apiVersion=API_VERSION,
        kind="DataContract",
        id=use_case.name,
        name=use_case.name,
        version="1.0.0",
        status="active",
        description=Description(purpose=use_case.description) if use_case.description else None,
        schema=objects,
        team=Team(name=use_case.owner, members=members) if members else None,
        slaProperties=[*_describe_freshness(use_case, tables)] or None,
    )
    return str(contract.to_yaml())


def read_contract(text: str, *, file: str) -> OpenDataContractStandard:
    """Read ODCS YAML.

    Raises:
        ConfigError: it is no such contract.
    """
    import yaml
    from pydantic import ValidationError

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict) or values.get("kind") != "DataContract" or not values.get("schema"):
        raise ConfigError(
            f"{file}: is no data contract: expected ODCS v3 with `kind: DataContract` and a `schema`. "
            "`sparkml-ops contract export` writes one."
        )
    try:
        return OpenDataContractStandard(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {where}: {first['msg']} ({error.error_count()} mistakes)") from error


def list_columns(source: Source) -> list[TableColumn]:
    """The declared columns of a source; what is derived has a type that only Spark can tell."""
    return [
        TableColumn(name, _SPARK_TYPES.get(rule.type, rule.type), rule.nullable, rule.comment)
        for name, rule in source.columns.items()
    ]


def _describe_table(use_case: "UseCase", table: str, columns: Sequence[TableColumn]) -> SchemaObject:
    source = use_case.sources.get(table.removeprefix("clean_")) if table.startswith("clean_") else None
    return SchemaObject(
        name=table,
        physicalName=table,
        physicalType="table",
        logicalType="object",
        description=source.description if source else None,
        properties=[_describe_column(column, source) for column in columns],
        quality=[*_describe_rules(source)] if source else None,
    )


def _describe_column(column: TableColumn, source: Source | None) -> SchemaProperty:
    rule = source.columns.get(column.name) if source else None
    key = source.key if source else []
    is_key = column.name in key
    # What only warns is no promise.
    promised = rule if rule and source and (rule.on_violation or source.on_violation) != "warn" else None
    may_be_null = rule.nullable or promised is None if rule else column.nullable
    plain = column.type.partition("(")[0].partition("<")[0]
    return SchemaProperty(
        name=column.name,
        physicalType=column.type,
        logicalType=_LOGICAL_TYPES.get(plain, "object"),
        logicalTypeOptions=_list_options(promised) if promised else None,
        required=is_key or not may_be_null,
        primaryKey=is_key or None,
        primaryKeyPosition=key.index(column.name) + 1 if is_key else None,
        description=column.comment,
        classification="confidential" if source and column.name in source.personal_columns() else None,
        tags=["pii"] if source and column.name in source.personal_columns() else None,
        relationships=[_describe_reference(promised)] if promised and promised.references else None,
        quality=[_describe_values(promised)] if promised and promised.allowed else None,
    )


def _list_options(rule: Column) -> dict[str, Any] | None:
    options: dict[str, Any] = {}
    if rule.between is not None:
        options |= {"minimum": _plain(rule.between[0]), "maximum": _plain(rule.between[1])}
    if rule.length is not None:
        options |= {"minLength": rule.length[0], "maxLength": rule.length[1]}
    if rule.matches is not None:
        options["pattern"] = f"^(?:{rule.matches})$"
    return options or None


def _describe_reference(rule: Column) -> Relationship:
    return Relationship(type="foreignKey", to=f"clean_{rule.references}")


def _plain(number: float) -> float:
    return int(number) if number.is_integer() else number


def _describe_values(rule: Column) -> DataQuality:
    return DataQuality(
        type="library", metric="invalidValues", arguments={"validValues": list(rule.allowed or [])}, mustBe=0
    )


def _describe_rules(source: Source) -> Iterable[DataQuality]:
    unique = [*source.key, *source.history_columns()[:1]]
    yield DataQuality(type="library", metric="duplicateValues", arguments={"properties": unique}, mustBe=0)
    for wanted in source.expect:
        severity = wanted.on_violation or source.on_violation
        yield DataQuality(
            type="sql",
            name=wanted.rule,
            query=f"SELECT count(*) FROM ${{object}} WHERE NOT ({wanted.rule})",  # noqa: S608  # a text for other tools
            mustBe=0 if severity != "warn" else None,
            severity="warning" if severity == "warn" else "error",
        )
    if source.volume is not None:
        yield DataQuality(type="library", metric="rowCount", mustBeGreaterOrEqualTo=source.volume.at_least)


def _describe_freshness(use_case: "UseCase", tables: Iterable[str]) -> Iterable[ServiceLevelAgreementProperty]:
    for name, source in use_case.sources.items():
        if source.freshness is not None and f"clean_{name}" in tables:
            within = format_duration(source.freshness.within)
            yield ServiceLevelAgreementProperty(
                property="latency",
                value=int(within[:-1]),
                unit=within[-1],
                element=f"clean_{name}.{source.freshness.of}",
            )
    if use_case.monitoring.freshness is not None and CURRENT in tables:
        within = format_duration(use_case.monitoring.freshness)
        yield ServiceLevelAgreementProperty(
            property="latency", value=int(within[:-1]), unit=within[-1], element=f"{CURRENT}.scored_at"
        )
