"""Published rows as databases and text files take them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkml_ops.databases import Shape, TableName
from sparkml_ops.databases.dialects import GONE as STAGED_GONE
from sparkml_ops.delivery.published import GONE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_NESTED = (T.ArrayType, T.MapType, T.StructType)
_KEEP_NULLS = {"ignoreNullFields": "false"}
COMMENT = "The champion's published prediction, one row per decision. Kept by sparkml-ops export {name} of the use case {use_case}."


def describe_shape(columns: T.StructType, keys: Sequence[str], *, table: TableName, comment: str) -> Shape:
    """The table that a database needs for rows of these columns: what is nested becomes JSON."""
    nested = tuple(column.name for column in columns if isinstance(column.dataType, _NESTED))
    plain = tuple(
        T.StructField(c.name, T.StringType() if c.name in nested else c.dataType, c.nullable, _comment(c, nested))
        for c in columns
    )
    return Shape(table, plain, tuple(keys), nested, comment)


def write_as_text(rows: "DataFrame") -> "DataFrame":
    """Arrays, maps and structs as JSON, for formats that have none."""
    return rows.select(*[_plain(column).alias(column.name) for column in rows.schema])


def lay_for_staging(rows: "DataFrame", shape: Shape, *, instants_as_text: bool) -> "DataFrame":
    """Rows with the columns of a staging table."""
    kinds = {column.name: column for column in rows.schema}
    columns = [_plain(kinds[column.name]) for column in shape.columns]
    if instants_as_text:
        columns = [
            F.date_format(value, "yyyy-MM-dd HH:mm:ss.SSSSSS") if isinstance(c.dataType, T.TimestampType) else value
            for value, c in zip(columns, shape.columns, strict=True)
        ]
    named = [value.alias(shape.staged(c.name)) for value, c in zip(columns, shape.columns, strict=True)]
    gone = F.col(GONE).cast("int") if GONE in rows.columns else F.lit(0)
    return rows.select(*named, gone.alias(STAGED_GONE))


def _plain(column: T.StructField) -> "Column":
    value = F.col(f"`{column.name.replace('`', '``')}`")
    return F.to_json(value, _KEEP_NULLS) if isinstance(column.dataType, _NESTED) else value


def _comment(column: T.StructField, nested: Sequence[str]) -> dict[str, str]:
    told = column.metadata.get("comment")
    return {} if told is None else {"comment": f"{told}; JSON" if column.name in nested else told}
