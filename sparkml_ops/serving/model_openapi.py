"""The OpenAPI document of the model server, typed by the signature of the version that answers. Pure."""

from typing import TYPE_CHECKING, Any

import sparkml_ops
from sparkml_ops.serving.answers import STATUSES
from sparkml_ops.serving.asked_columns import WORDS, AskedColumn
from sparkml_ops.serving.openapi import (
    INSTANT,
    MAYBE_INSTANT,
    STATE,
    Schema,
    describe_object,
    describe_operation,
    secure,
)
from sparkml_ops.serving.prediction import MOST_REASONS, list_names

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.serving.champion import Champion

_ERRORS = {
    "401": "the token is lacking or wrong",
    "413": "the body is too long",
    "422": "the request is none of this form; `detail` says what is wrong",
    "503": "no champion is loaded yet, or the store cannot be used now",
}
_TYPES = {"number": ["number", "boolean", "string", "null"], "text": ["string", "null"], "boolean": ["boolean", "null"]}
_KEY: Schema = {"type": ["string", "number", "boolean", "null"]}


def describe_model_server(use_case: "UseCase", champion: "Champion") -> Schema:
    """The document.

    Args:
        use_case: whose server it is.
        champion: the version that answers.
    """
    version = champion.version
    predict = describe_operation(
        "predict", f"Predictions by version {version.version}, row by row", _describe_answer(champion), _ERRORS
    )
    predict["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _describe_request(use_case, champion)}},
    }
    health = describe_object({"status": {"type": "string"}})
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": f"The model {version.name}",
            "version": sparkml_ops.__version__,
            "description": use_case.description,
        },
        "paths": {
            "/predict": {"post": predict},
            "/model": {"get": describe_operation("describe_model", "What answers", {"type": "object"}, _ERRORS)},
            "/health": {"get": describe_operation("report_health", "Whether it can answer", health, _ERRORS)},
        },
    }
    return secure(document, use_case)


def describe_signature(use_case: "UseCase", champion: "Champion") -> list[dict[str, Any]]:
    """The columns of the model: type, names under which a row may bring them, and where they come from if it does not."""
    return [
        {
            "name": column.name,
            "type": column.kind,
            "given_as": list(column.given_as),
            "otherwise": _tell(use_case, column),
        }
        for column in champion.columns
    ]


def _tell(use_case: "UseCase", column: AskedColumn) -> str | None:
    """Where a column comes from where a row does not bring it; None where it must."""
    return (
        None
        if column.view is None
        else f"features of {column.view} by {', '.join(use_case.features[column.view].entity)}"
    )


def _describe_request(use_case: "UseCase", champion: "Champion") -> Schema:
    properties: Schema = dict.fromkeys(list_names(use_case, champion), _KEY)
    choices = []
    for column in champion.columns:
        for name in column.given_as:
            properties[name] = _describe_column(use_case, column)
        if column.view is None:
            choices.append({"anyOf": [{"required": [name]} for name in column.given_as]})
    row: Schema = {
        "type": "object",
        "properties": properties,
        "required": list(use_case.dataset.key_columns()),
        "additionalProperties": False,
    }
    if choices:
        row["allOf"] = choices
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": use_case.serving.max_batch}
    explain = {"type": "integer", "minimum": 0, "maximum": MOST_REASONS, "description": "so many reasons for each row"}
    asked = {"type": "object", "properties": {"rows": rows, "explain": explain}, "required": ["rows"]}
    return asked | {"additionalProperties": False}


def _describe_column(use_case: "UseCase", column: AskedColumn) -> Schema:
    otherwise = _tell(use_case, column)
    must = "wanted" if column.sql is None else f"wanted: it is `{' '.join(column.sql.split())}` in Spark"
    return {
        "type": _TYPES[column.kind],
        "description": f"{WORDS[column.kind]}; {must if otherwise is None else f'by default {otherwise}'}",
    }


def _describe_answer(champion: "Champion") -> Schema:
    number, text = {"type": ["number", "null"]}, {"type": ["string", "null"]}
    classes = champion.model.classes
    label: Schema = {"enum": [*classes, None]} if classes else {"type": "null"}
    chances = describe_object({name: {"type": "number"} for name in classes}) | {"type": ["object", "null"]}
    reason = describe_object({"feature": {"type": "string"}, "contribution": {"type": "number"}})
    state = describe_object(
        {"status": {"enum": list(STATUSES)}, "_timestamp": MAYBE_INSTANT, "_known_at": MAYBE_INSTANT}
    )
    result = describe_object(
        {
            "entity": {"type": "object"},
            "error": {**text, "description": "why this row has no prediction"},
            "prediction": number,
            "predicted_class": {"enum": [0, 1, None]},
            "predicted_label": label,
            "probabilities": chances if classes else {"type": "null"},
            "segment": text,
            "reasons": {"type": ["array", "null"], "items": reason},
            "features": {"type": "object", "additionalProperties": state},
        }
    )
    return describe_object(
        {
            "model_name": {"type": "string"},
            "model_version": {"type": "integer"},
            "asked_at": INSTANT,
            "views": {"type": "object", "additionalProperties": describe_object(STATE)},
            "results": {"type": "array", "items": result, "description": "in the order of the rows"},
        }
    )
