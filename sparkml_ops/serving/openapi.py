"""The OpenAPI document, typed by the columns of the views as they are published. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sparkml_ops
from sparkml_ops.serving.answers import STATUSES
from sparkml_ops.serving.publication import Publication, ServedColumn
from sparkml_ops.serving.values import describe_value

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

Schema = dict[str, Any]

INSTANT: Schema = {"type": "string", "format": "date-time"}
MAYBE_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}
STATE: Schema = {"version": {"type": "integer", "description": "of the feature table"}, "published_at": INSTANT}
_ERRORS = {
    "401": "the token is lacking or wrong",
    "404": "there is no such view, or it is not published yet",
    "413": "the body is too long",
    "422": "the request is none of this form; `detail` says what is wrong",
    "503": "the store cannot be used now",
}


def describe_server(use_case: "UseCase", publications: Mapping[str, Publication]) -> Schema:
    """The document.

    Args:
        use_case: whose server it is.
        publications: what is published, by view.
    """
    paths: Schema = {
        "/health": {
            "get": describe_operation(
                "report_health", "Whether it can answer", describe_object({"status": {"type": "string"}})
            )
        }
    }
    for view, publication in publications.items():
        described = use_case.features[view].description or f"Features of the view {view}"
        paths[f"/features/{view}"] = {
            "get": {
                **describe_operation(f"look_up_{view}", described, _describe_one(publication)),
                "parameters": [_describe_parameter(column) for column in publication.entity],
            },
            "post": _with_body(
                describe_operation(
                    f"look_up_{view}_batch", f"{described}, for several entities", _describe_batch(publication)
                ),
                describe_object({"entities": _list_entities([publication], use_case.serving.max_batch)}),
            ),
        }
    if publications:
        paths["/features"] = {"post": _describe_views(use_case, publications)}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": f"Features of {use_case.name}",
            "version": sparkml_ops.__version__,
            "description": use_case.description,
        },
        "paths": paths,
    }
    return secure(document, use_case)


def secure(document: Schema, use_case: "UseCase") -> Schema:
    """The document with the token that is wanted everywhere but at `/health`, where there is one."""
    if use_case.serving.token is not None:
        document["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        document["security"] = [{"token": []}]
        document["paths"]["/health"]["get"]["security"] = []
    return document


def _describe_views(use_case: "UseCase", publications: Mapping[str, Publication]) -> Schema:
    answers = {view: describe_object(_describe_answer(publication)) for view, publication in publications.items()}
    result = describe_object({"entity": {"type": "object"}, "views": {"type": "object", "properties": answers}})
    views = {"type": "object", "additionalProperties": describe_object(STATE)}
    asked = {
        "views": {"type": "array", "items": {"enum": list(publications)}, "minItems": 1},
        "entities": _list_entities(list(publications.values()), use_case.serving.max_batch, all_needed=False),
    }
    response = describe_object({"asked_at": INSTANT, "views": views, "results": {"type": "array", "items": result}})
    return _with_body(
        describe_operation("look_up_views", "Several entities, each from several views", response),
        describe_object(asked),
    )


def _describe_one(publication: Publication) -> Schema:
    entity = {"type": "object", "properties": {column.name: {"type": "string"} for column in publication.entity}}
    return describe_object(
        {
            "view": {"const": publication.view},
            **STATE,
            "asked_at": INSTANT,
            "entity": entity,
            **_describe_answer(publication),
        }
    )


def _describe_batch(publication: Publication) -> Schema:
    result = describe_object({"entity": _describe_entity(publication), **_describe_answer(publication)})
    results = {"type": "array", "items": result, "description": "in the order of the entities"}
    return describe_object({"view": {"const": publication.view}, **STATE, "asked_at": INSTANT, "results": results})


def _describe_answer(publication: Publication) -> Schema:
    features = {column.name: describe_value(column.type) for column in publication.columns}
    return {
        "status": {"enum": list(STATUSES)},
        "_timestamp": MAYBE_INSTANT,
        "_known_at": MAYBE_INSTANT,
        "features": describe_object(features),
    }


def _describe_entity(publication: Publication) -> Schema:
    return describe_object({column.name: _describe_key(column) for column in publication.entity}) | {
        "additionalProperties": False
    }


def _describe_key(column: ServedColumn) -> Schema:
    if isinstance(column.type, str) and column.type.startswith("decimal"):
        return {"type": ["string", "number", "null"], "description": column.type}
    return describe_value(column.type)


def _list_entities(publications: list[Publication], most: int, *, all_needed: bool = True) -> Schema:
    merged: Schema = {"type": "object", "properties": {}}
    for publication in publications:
        merged["properties"] |= _describe_entity(publication)["properties"]
    if all_needed:
        merged = _describe_entity(publications[0])
    return {"type": "array", "items": merged, "minItems": 1, "maxItems": most}


def _describe_parameter(column: ServedColumn) -> Schema:
    schema = _describe_key(column)
    kinds = [kind for kind in schema["type"] if kind != "null"]
    return {"name": column.name, "in": "query", "required": True, "schema": {**schema, "type": kinds}}


def describe_operation(name: str, summary: str, response: Schema, meanings: Mapping[str, str] = _ERRORS) -> Schema:
    """An operation with its answer, and what other statuses mean."""
    errors = {status: {"description": meaning} for status, meaning in meanings.items()}
    answer = {"description": "the answer", "content": {"application/json": {"schema": response}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer, **errors}}


def _with_body(operation: Schema, body: Schema) -> Schema:
    return {**operation, "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def describe_object(properties: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}
