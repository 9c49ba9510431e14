"""Feature values in records and in answers: what Spark writes as JSON, and what an application reads.

In a record every value can be told again exactly. In an answer

* whole numbers keep all their digits, beyond 2^53 too; decimals are texts, such as "12.50";
* a NaN is null, because JSON has none and a model takes both for missing; "Infinity" and "-Infinity" are texts;
* timestamps are "2024-03-01T12:00:00.000000Z", always UTC; those without zone have none; dates are "2024-03-01";
* binary values are base64;
* a map is an object where its keys are texts, a list of [key, value] pairs otherwise; a struct is an object.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sparkml_ops.serving.publication import to_instant

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.types import DataType

_AS_IT_IS = frozenset({"byte", "short", "integer", "long", "float", "double", "string", "boolean", "date", "binary"})
Render = Callable[[Any], Any]


def find_unservable(column_type: Any) -> str | None:
    """A type within a type that no record can hold; None when there is none."""
    if isinstance(column_type, str):
        known = column_type in _AS_IT_IS or column_type in {"timestamp", "timestamp_ntz"}
        return None if known or column_type.startswith("decimal(") else column_type
    kind = column_type.get("type")
    if kind == "array":
        return find_unservable(column_type["elementType"])
    if kind == "map":
        return find_unservable(column_type["keyType"]) or find_unservable(column_type["valueType"])
    if kind == "struct":
        return next((found for field in column_type["fields"] if (found := find_unservable(field["type"]))), None)
    return str(kind)


def storable_value(value: "Column", data_type: "DataType") -> "Column":
    """A value in a form that `to_json` writes without loss."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import ArrayType, DecimalType, MapType, StructType, TimestampType

    if isinstance(data_type, TimestampType):
        return F.unix_micros(value)
    if isinstance(data_type, DecimalType):
        return value.cast("string")
    if isinstance(data_type, ArrayType):
        return F.transform(value, lambda item: storable_value(item, data_type.elementType))
    if isinstance(data_type, MapType):
        return F.transform(
            F.map_entries(value),
            lambda entry: F.struct(
                storable_value(entry["key"], data_type.keyType).alias("key"),
                storable_value(entry["value"], data_type.valueType).alias("value"),
            ),
        )
    if isinstance(data_type, StructType):
        fields = [storable_value(value[field.name], field.dataType).alias(field.name) for field in data_type]
        return F.when(value.isNotNull(), F.struct(*fields))
    return value


def plan_rendering(column_type: Any) -> Render:
    """How a stored value of a type is told in an answer."""
    if isinstance(column_type, dict):
        return _plan_nested(column_type)
    if column_type in {"float", "double"}:
        return _render_float
    return _render_instant if column_type == "timestamp" else _render_same


def _plan_nested(column_type: dict[str, Any]) -> Render:
    if column_type["type"] == "array":
        item = plan_rendering(column_type["elementType"])
        return lambda values: None if values is None else [item(value) for value in values]
    if column_type["type"] == "map":
        key, value = plan_rendering(column_type["keyType"]), plan_rendering(column_type["valueType"])
        form = dict if column_type["keyType"] == "string" else _to_pairs
        return lambda entries: None if entries is None else form((key(e["key"]), value(e["value"])) for e in entries)
    fields = {field["name"]: plan_rendering(field["type"]) for field in column_type["fields"]}
    return lambda found: None if found is None else {name: render(found[name]) for name, render in fields.items()}


def _to_pairs(entries: Any) -> list[list[Any]]:
    return [list(entry) for entry in entries]


def _render_same(value: Any) -> Any:
    return value


def _render_float(value: Any) -> Any:
    return None if value == "NaN" else value


def _render_instant(microseconds: int | None) -> str | None:
    return None if microseconds is None else render_instant(microseconds)


def render_instant(microseconds: int) -> str:
    """An instant as ISO 8601 in UTC; years beyond 9999 and before 1 as numpy writes them."""
    try:
        return to_instant(microseconds).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OverflowError:
        import numpy as np

        return f"{np.datetime64(microseconds, 'us')}Z"


def describe_value(column_type: Any) -> dict[str, Any]:
    """The JSON schema of a value in an answer; every value may be null."""
    if isinstance(column_type, dict):
        return _describe_nested(column_type)
    if column_type in {"byte", "short", "integer", "long"}:
        return {"type": ["integer", "null"], "format": "int64" if column_type == "long" else "int32"}
    if column_type in {"float", "double"}:
        return {"type": ["number", "string", "null"], "description": 'a number, or "Infinity" or "-Infinity"'}
    if column_type == "boolean":
        return {"type": ["boolean", "null"]}
    formats = {"timestamp": "date-time", "date": "date", "binary": "byte"}
    form = {"format": formats[column_type]} if column_type in formats else {}
    return {"type": ["string", "null"], **form, **({"description": column_type} if "decimal" in column_type else {})}


def _describe_nested(column_type: dict[str, Any]) -> dict[str, Any]:
    if column_type["type"] == "array":
        return {"type": ["array", "null"], "items": describe_value(column_type["elementType"])}
    if column_type["type"] == "struct":
        fields = {field["name"]: describe_value(field["type"]) for field in column_type["fields"]}
        return {"type": ["object", "null"], "properties": fields}
    value = describe_value(column_type["valueType"])
    if column_type["keyType"] == "string":
        return {"type": ["object", "null"], "additionalProperties": value}
    pair = {"type": "array", "prefixItems": [describe_value(column_type["keyType"]), value]}
    return {"type": ["array", "null"], "items": pair, "description": "pairs of key and value"}
