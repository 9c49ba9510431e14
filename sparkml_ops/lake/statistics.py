"""What a table's log says of its columns: least and greatest values, which Delta keeps in clear text to skip files by."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import DateType, NumericType, StringType, TimestampType

from sparkml_ops.lake.location import Lake, quote_identifier, quote_text, sql_name
from sparkml_ops.lake.tables import read_table
from sparkml_ops.lake.upkeep import describe_detail

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

STATISTICS = "delta.dataSkippingStatsColumns"
_HIDDEN = "sparkml_ops.hidden"
_HAVE_STATISTICS = (DateType, NumericType, StringType, TimestampType)


def hide_columns(rows: "DataFrame", names: Iterable[str]) -> "DataFrame":
    """The rows, with a mark on these columns: the log of the table that they are written to tells nothing of their values."""
    hidden = set(names)
    return rows.select(
        *(
            F.col(quote_identifier(one.name)).alias(one.name, metadata={**one.metadata, _HIDDEN: True})
            if one.name in hidden
            else F.col(quote_identifier(one.name))
            for one in rows.schema
        )
    )


def choose_statistics(columns: "StructType") -> dict[str, str]:
    """The table property that says of which columns there are statistics; empty where no column is hidden."""
    if not any(column.metadata.get(_HIDDEN) for column in columns):
        return {}
    return {STATISTICS: ",".join(map(quote_identifier, _list_shown(columns)))}


def hide_before(lake: Lake, table: str, columns: "StructType") -> None:
    """Before a table is replaced: let it have no statistics of hidden columns, nor of those that it is about to lose."""
    known = describe_detail(lake, table).properties.get(STATISTICS)
    if known is None and not choose_statistics(columns):
        return
    there = set(read_table(lake, table).columns)
    both = ",".join(quote_identifier(name) for name in _list_shown(columns) if name in there)
    if known != both:
        lake.spark.sql(
            f"ALTER TABLE {sql_name(lake, table)} SET TBLPROPERTIES ({quote_text(STATISTICS)} = {quote_text(both)})"
        )


def _list_shown(columns: "StructType") -> list[str]:
    return [
        column.name
        for column in columns
        if not column.metadata.get(_HIDDEN) and isinstance(column.dataType, _HAVE_STATISTICS)
    ]
