"""What pydantic refuses, in the user's words: what was found, what is allowed, and the nearest name."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sparkml_ops.config.dataset import EventLabel
from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.model import ClassWeights
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.schema import Schema, allowed_keys, model_schema, schemas_at, use_case_schema
from sparkml_ops.config.segments import SegmentBy
from sparkml_ops.config.sources import Expectation
from sparkml_ops.config.types import IDENTIFIER_PATTERN, Relation
from sparkml_ops.config.use_case import UseCase

_MAPPING = "a mapping of keys"
_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "none_required": "nothing (null)",
}
_LIMITS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g} up",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number up to {le:g}",
    "string_too_long": "at most {max_length} characters",
    "too_long": "at most {max_length} entries",
    "too_short": "at least one entry",
}
_PATTERNS = {
    IDENTIFIER_PATTERN: "a name of letters, digits and _ that does not start with a digit",
    r"^spark\.": "a Spark setting, such as spark.sql.shuffle.partitions",
    r"^[\w.]+:\w+$": "package.module:function",
}
_RELATION = "a table's name, a query (select …), {sql: …}, or {python: package.module:function}"
_SHORT_FORMS: Mapping[type[BaseModel], str] = {
    Expectation: "a rule over one row, or {rule: …, on_violation: …}",
    ClassWeights: "balanced, or {0: a weight, 1: a weight}",
    SegmentBy: "a column, a list of columns, or {columns: […], minimum_rows: …, minimum_gain: …, confidence: …}",
    EventLabel: "SQL over one row, or events that tell it: {from: …, entity: …, timestamp: …, within: …, value: …}",
}
"""Sections that may be written as one text."""


def translate_errors(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any]) -> list[Finding]:
    """Findings for everything that pydantic refused.

    Args:
        error: what it raised for `values`.
        model: the section that was validated.
        values: the document as written.
    """
    schema = use_case_schema() if model is UseCase else model_schema(model)
    findings: dict[tuple[KeyPath, str], Finding] = {}
    for detail in error.errors(include_url=False):
        finding = _translate(detail, schema, values)
        same = findings.get((finding.path, finding.found))
        # A value of several possible types is refused once for each.
        findings[finding.path, finding.found] = finding if same is None else _join(same, finding)
    return list(findings.values())


def _translate(detail: ErrorDetails, schema: Schema, values: Mapping[str, Any]) -> Finding:
    path, rest = _written_path(detail["loc"], values)
    forms = schemas_at(schema, path, values)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        keys = allowed_keys(schemas_at(schema, path[:-1], values))
        return Finding(path, "unknown key", list_names(keys), nearest_name(str(path[-1]), keys))
    if kind in {"missing", "union_tag_not_found"}:
        return _missing(path, rest, context, schema, values)
    name_is_wrong = "[key]" in rest
    value = path[-1] if name_is_wrong else detail["input"]
    found = f"the name {show_value(value)}" if name_is_wrong else f"found {show_value(value)}"
    if _is_titled(forms, Relation) and (kind in {"model_type", "model_attributes_type"} or "table" in rest):
        return Finding(path, found, _RELATION)
    short = [text for section, text in _SHORT_FORMS.items() if _is_titled(forms, section)]
    if kind in {"model_type", "model_attributes_type"} and short:
        return Finding(path, found, short[0])
    if kind in {"literal_error", "union_tag_invalid"}:
        names = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags"))))
        written = value if kind == "literal_error" else context["tag"]
        tag_path = path if kind == "literal_error" else (*path, context["discriminator"].strip("'"))
        shown = found if kind == "literal_error" else f"found {show_value(written)}"
        return Finding(tag_path, shown, list_names(names), nearest_name(str(written), names))
    examples = [str(example) for form in forms for example in form.get("examples", [])]
    is_word = kind == "string_pattern_mismatch" and not name_is_wrong
    nearest = nearest_name(str(value), examples) if is_word else None
    return Finding(path, found, _allowed(kind, context, forms, detail["msg"]), nearest)


def _allowed(kind: str, context: Mapping[str, Any], forms: list[Schema], message: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in _LIMITS:
        return _LIMITS[kind].format(**context)
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_too_short":
        return "one character" if any(form.get("maxLength") == 1 for form in forms) else "text that is not empty"
    if kind == "string_pattern_mismatch":
        described = next((form["description"] for form in forms if "pattern" in form and "description" in form), None)
        pattern = str(context["pattern"])
        return _PATTERNS.get(pattern) or described or f"text that matches {pattern}"
    plain = re.sub(r"^(Input|Value|String) should (be|have) (a valid )?", "", message)
    return plain[:1].lower() + plain[1:]


def _missing(
    path: KeyPath, rest: KeyPath, context: Mapping[str, Any], schema: Schema, values: Mapping[str, Any]
) -> Finding:
    if rest and isinstance(rest[-1], int):
        numbers = max(len(form.get("prefixItems", [])) for form in schemas_at(schema, path, values))
        return Finding(path, "too few values", f"{numbers} numbers")
    key = str(rest[-1]) if rest else str(context["discriminator"]).strip("'")
    forms = schemas_at(schema, (*path, key), values)
    if _is_titled(forms, Relation):
        return Finding((*path, key), "missing", _RELATION)
    meaning = next((form["description"].splitlines()[0] for form in forms if "description" in form), None)
    words = [form.get("enum", [form["const"]] if "const" in form else []) for form in forms]
    names = dict.fromkeys(str(word) for some in words for word in some)
    allowed = list_names(names) if names else ""
    return Finding((*path, key), f"missing: {meaning}" if meaning and not allowed else "missing", allowed or None)


def _is_titled(forms: list[Schema], section: type[BaseModel]) -> bool:
    return any(form.get("title") == section.__name__ for form in forms)


def _written_path(location: tuple[int | str, ...], values: Any) -> tuple[KeyPath, KeyPath]:
    """Split pydantic's location into what the document has and the rest, leaving out pydantic's own steps."""
    path: list[int | str] = []
    rest: list[int | str] = []
    for part in location:
        is_key = isinstance(values, Mapping) and part in values
        is_index = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if is_key or is_index:
            values = values[part]
            path.append(part)
            rest.clear()
        else:
            rest.append(part)
    return tuple(path), tuple(rest)


def _join(first: Finding, second: Finding) -> Finding:
    options = dict.fromkeys(
        part for allowed in (first.allowed, second.allowed) if allowed for part in allowed.split(" or ")
    )
    if "a number" in options:
        options.pop("a whole number", None)
    return Finding(first.path, first.found, " or ".join(options), first.nearest or second.nearest)
