"""Statements that are the same in every dialect but for the quoting of names."""

from collections.abc import Callable, Sequence

from sparkml_ops.databases.connections import TableName
from sparkml_ops.databases.dialects._base import GONE, Shape

Name = Callable[[TableName], str]
_MARKER_KEYS = ("use_case", "export", "target", "scope")


def quote_name(table: TableName, mark: str = '"') -> str:
    """The parts of a name, quoted."""
    return ".".join(mark + part.replace(mark, mark * 2) + mark for part in table)


def match_keys(shape: Shape, staging: TableName, name: Name) -> str:
    """The condition that a row of the table and one of the staging table have the same key."""
    target, staged = name(shape.table), name(staging)
    return " AND ".join(f"{target}.{name((key,))} = {staged}.{name((shape.staged(key),))}" for key in shape.keys)


def write_removal(shape: Shape, staging: TableName, name: Name, *, gone: int) -> str:
    """Remove the rows whose keys were staged, as gone (1) or as rows (0)."""
    target, staged = name(shape.table), name(staging)
    same = match_keys(shape, staging, name)
    return f"DELETE FROM {target} WHERE EXISTS (SELECT 1 FROM {staged} WHERE {name((GONE,))} = {gone} AND {same})"  # noqa: S608  # names are quoted


def write_removal_of_missing(shape: Shape, staging: TableName, name: Name, *, scope: str | None) -> str:
    """Remove the rows whose keys were not staged."""
    target, staged = name(shape.table), name(staging)
    same = match_keys(shape, staging, name)
    within = "" if scope is None else f"{target}.{name((scope,))} = ? AND "
    return f"DELETE FROM {target} WHERE {within}NOT EXISTS (SELECT 1 FROM {staged} WHERE {same})"  # noqa: S608  # as above


def write_table(table: TableName, columns: Sequence[str], keys: Sequence[str], name: Name) -> str:
    """Make a table of columns that are declared already."""
    primary = f", PRIMARY KEY ({', '.join(name((key,)) for key in keys)})" if keys else ""
    return f"CREATE TABLE {name(table)} ({', '.join(columns)}{primary})"


def write_marker(marker: TableName, name: Name, *, text: str, instant: str) -> str:
    """Make the table of what was exported: one row per use case, export, target and batch (empty for all batches).

    Args:
        marker: its name.
        name: quotes a name.
        text: the type of a short text.
        instant: the type of an instant.
    """
    kinds = dict.fromkeys(_MARKER_KEYS, f"{text} NOT NULL")
    kinds |= {"version": "bigint NOT NULL", "table_id": f"{text} NOT NULL", "row_count": "bigint NOT NULL"}
    kinds |= {"rows_changed": "bigint NOT NULL", "rows_removed": "bigint NOT NULL", "run_id": f"{text} NOT NULL"}
    kinds |= {"newest_as_of": instant, "exported_at": f"{instant} NOT NULL"}
    return write_table(marker, [f"{name((column,))} {kind}" for column, kind in kinds.items()], _MARKER_KEYS, name)
