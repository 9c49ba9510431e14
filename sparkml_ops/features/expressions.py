"""SQL expressions of the configuration, checked against the rows they are computed from."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

_INSTANT_TYPES = ("timestamp", "timestamp_ntz", "date")


def compile_expression(rows: "DataFrame", sql: str, *, place: str) -> "Column":
    """Turn SQL text into a column of the rows.

    Raises:
        ConfigError: it is no SQL, or names a column that the rows lack.
    """
    expression_type(rows, sql, place=place)
    return F.expr(sql)


def expression_type(rows: "DataFrame", sql: str, *, place: str) -> "DataType":
    """Type that an SQL expression has over the rows.

    Args:
        rows: the rows it is computed from.
        sql: Spark SQL.
        place: where it stands in the configuration, for the message.

    Raises:
        ConfigError: it is no SQL, or names a column that the rows lack.
    """
    try:
        return rows.select(F.expr(sql).alias("value")).schema["value"].dataType
    except AnalysisException as error:
        raise ConfigError(
            f"{place}: `{sql}` cannot be computed: {_first_line(error)}. "
            f"The columns there are: {', '.join(rows.columns)}."
        ) from error


def require_columns(rows: "DataFrame", names: Sequence[str], *, place: str) -> None:
    """Raise ConfigError when the rows lack a column, with the nearest name they have."""
    for name in names:
        if name not in rows.columns:
            nearest = get_close_matches(name, rows.columns, n=1)
            hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
            raise ConfigError(
                f"{place}: there is no column `{name}`.{hint} The columns are: {', '.join(rows.columns)}."
            )


def require_instant(rows: "DataFrame", name: str, *, place: str) -> None:
    """Raise ConfigError unless the column is there and holds instants or dates."""
    require_columns(rows, [name], place=place)
    found = rows.schema[name].dataType.simpleString()
    if found not in _INSTANT_TYPES:
        raise ConfigError(
            f"{place}: `{name}` must be a timestamp or a date, and is {found}. Derive one with to_timestamp(…)."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].split(" SQLSTATE")[0].rstrip(".;")
