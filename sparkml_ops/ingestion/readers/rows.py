"""Rows of a source that has no files of text: kept, and judged, like those of files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, MapType, StructType, VariantType

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.contract import BLOCK, IS_ROW, POSITION, RAW, name_columns
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.sources import Source

_ROWS_OF_A_TASK = 33  # bits: a monotonically increasing id has the task above them


def name_rows(rows: "DataFrame", source: "Source", *, place: str) -> list[str]:
    """The columns that may have a place in a table.

    Raises:
        ContractError: two names differ in the case of letters alone, or not at all; or one starts with _ and may not.
    """
    folded = [name.casefold() for name in rows.columns]
    doubled = sorted({name for name in rows.columns if folded.count(name.casefold()) > 1})
    if doubled:
        raise ContractError(
            f"{place}: the columns {doubled} have the same name, but for the case of letters. The batch was refused; nothing was "
            "written. Give them names of their own at the source."
        )
    return name_columns(rows.columns, source, place=place)


def write_down(rows: "DataFrame", names: Sequence[str]) -> "Column":
    """A row as a JSON object of texts: what it is kept as, and read from once more; nothing of a value is rounded."""
    texts = [_as_text(rows, name).alias(name) for name in names]
    return F.to_json(F.struct(*texts), {"ignoreNullFields": "false"})


def plain_values(rows: "DataFrame", names: Sequence[str]) -> list["Column"]:
    """The columns as a contract takes them: nested values and bytes as text, all others with their type."""
    return [
        (_as_text(rows, name) if _is_nested(rows, name) else F.col(quote_identifier(name))).alias(name)
        for name in names
    ]


def place_columns() -> list["Column"]:
    """Where a row stands that has no line: its number as it was read."""
    number = F.monotonically_increasing_id()
    return [
        F.lit(True).alias(IS_ROW),
        F.shiftright(number, _ROWS_OF_A_TASK).alias(BLOCK),
        number.alias(POSITION),
    ]


def to_lines(kept: "DataFrame") -> "DataFrame":
    """Rows that were written down (`_raw`, `_source_file`), as lines for the reader of JSON objects."""
    return kept.select(RAW, "_source_file", F.lit(None).cast("string").alias("_fault"), *place_columns())


def _is_nested(rows: "DataFrame", name: str) -> bool:
    return isinstance(_type_of(rows, name), ArrayType | MapType | StructType | VariantType | BinaryType)


def _as_text(rows: "DataFrame", name: str) -> "Column":
    value = F.col(quote_identifier(name))
    kind = _type_of(rows, name)
    if isinstance(kind, BinaryType):
        return F.hex(value)
    return (
        F.to_json(value) if isinstance(kind, ArrayType | MapType | StructType | VariantType) else value.cast("string")
    )


def _type_of(rows: "DataFrame", name: str) -> object:
    return rows.schema[name].dataType
