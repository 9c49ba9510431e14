"""The configuration as JSON schema: for editors, and for naming what is allowed at a key."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from sparkml_ops.config.use_case import UseCase

Schema = dict[str, Any]

_SHORT_FORMS = {
    "Relation": "a table's name, or a query: select …",
    "Expectation": "a rule over one row, in SQL",
}
"""Sections that may be written as one text."""
_LISTS = {"SegmentBy": "columns"}
"""Sections that may be written as one text, or as the list that is this key of theirs."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def use_case_schema() -> Schema:
    """JSON schema of a use case file, in the YAML's own names."""
    schema = _without_environment(model_schema(UseCase))
    return {"$schema": _DIALECT, "title": "A use case of sparkml_ops", **_drop(schema, "title")}


@cache
def model_schema(model: type[BaseModel]) -> Schema:
    """JSON schema of one section, with the short forms that its validators take."""
    schema: Schema = _tidy(model.model_json_schema(by_alias=True))
    for name, meaning in _SHORT_FORMS.items():
        section = schema.get("$defs", {}).get(name)
        if section is not None:
            text = {"type": "string", "minLength": 1, "description": meaning}
            described = {key: section[key] for key in ("title", "description")}
            schema["$defs"][name] = {**described, "anyOf": [text, _drop(_drop(section, "title"), "description")]}
    for name, key in _LISTS.items():
        section = schema.get("$defs", {}).get(name)
        if section is not None:
            described = {key: section[key] for key in ("title", "description")}
            several = section["properties"][key]
            forms = [several["items"], several, _drop(_drop(section, "title"), "description")]
            schema["$defs"][name] = {**described, "anyOf": forms}
    return schema


def schemas_at(schema: Schema, path: Sequence[str | int], values: Any) -> list[Schema]:
    """Every part of a schema that a path may lead to.

    Args:
        schema: schema of the whole document.
        path: keys and indices.
        values: the document; where a key decides between forms, such as `split.by`, it is looked at.
    """
    found = list(_expand(schema, schema, values))
    for part in path:
        values = _value_at(values, part)
        found = [form for node in found for child in _children(node, part) for form in _expand(schema, child, values)]
    return found


def allowed_keys(schemas: Sequence[Schema]) -> list[str]:
    """The keys that a mapping of these forms may have."""
    return list(dict.fromkeys(key for schema in schemas for key in schema.get("properties", {})))


def _expand(root: Schema, schema: Schema, values: Any) -> Iterator[Schema]:
    """The schema itself, without references and with its alternatives one by one."""
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = {**target, **_drop(schema, "$ref")}
    options = schema.get("anyOf") or schema.get("oneOf")
    chosen = _choose(schema.get("discriminator"), values)
    if chosen is not None:
        options = [{"$ref": chosen}]
    if not options:
        yield schema
        return
    titled: Schema = {key: schema[key] for key in ("title",) if key in schema}
    described: Schema = {key: schema[key] for key in ("description",) if key in schema}
    for option in options:
        for form in _expand(root, option, values):
            yield {**titled, **form, **described}


def _choose(discriminator: Mapping[str, Any] | None, values: Any) -> str | None:
    if discriminator is None or not isinstance(values, Mapping):
        return None
    said = values.get(discriminator["propertyName"])
    reference = discriminator["mapping"].get(said) if isinstance(said, str) else None
    return None if reference is None else str(reference)


def _children(schema: Schema, part: str | int) -> list[Schema]:
    if isinstance(part, int):
        items = [*schema.get("prefixItems", [])[part : part + 1], schema.get("items")]
        return [item for item in items if isinstance(item, dict)]
    child = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    patterned = [*schema.get("patternProperties", {}).values()]
    return [child] if isinstance(child, dict) else patterned


def _value_at(values: Any, part: str | int) -> Any:
    if isinstance(values, Mapping):
        return values.get(part)
    if isinstance(values, list) and isinstance(part, int) and part < len(values):
        return values[part]
    return None


def _without_environment(schema: Schema) -> Schema:
    kept = {**schema, "properties": _drop(schema["properties"], "environment")}
    kept["required"] = [key for key in schema["required"] if key != "environment"]
    return {**kept, "$defs": {name: kept["$defs"][name] for name in _reachable(kept)}}


def _reachable(schema: Schema) -> list[str]:
    """Names of the definitions that are still referred to."""
    found: list[str] = []
    waiting: list[Any] = [_drop(schema, "$defs")]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += [value for key, value in node.items() if key != "$ref"]
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.append(name)
                waiting.append(schema["$defs"][name])
        elif isinstance(node, list):
            waiting += node
    return sorted(found)


def _tidy(node: Any) -> Any:
    """Refuse keys that match no pattern, as the sections do, and write durations as people do."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidied = {key: _tidy(value) for key, value in node.items()}
    if "patternProperties" in tidied:
        tidied.setdefault("additionalProperties", False)
    if tidied.get("default") == "PT0S":
        tidied["default"] = "0s"
    return tidied


def _drop(schema: Mapping[str, Any], key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}
