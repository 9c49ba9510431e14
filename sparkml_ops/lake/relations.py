"""Rows to start from: a table, a SQL query or a Python function, with every table pinned at a version."""

import importlib
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark.errors import AnalysisException

from sparkml_ops.config.sql import table_names
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake.location import Lake, quote_identifier, resolve_table_name, sql_name
from sparkml_ops.lake.tables import read_table, table_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.types import Relation


def resolve_relation(
    lake: Lake,
    relation: "Relation",
    *,
    versions: Mapping[str, int] | None = None,
    instead: "Mapping[str, DataFrame] | None" = None,
) -> "tuple[DataFrame, dict[str, int]]":
    """Rows of a relation and the versions of the tables it was read from, by table name.

    Args:
        lake: where the tables are.
        relation: a table, SQL or Python relation; a source's name means its clean table.
        versions: versions to read tables at; the newest for those that are not named.
        instead: rows to take instead of those of a table, by its name; a Python relation reads its tables itself.

    Raises:
        TableNotFoundError: a table or a version is not there.
        ConfigError: the Python function cannot be imported or does not return a DataFrame.
    """
    if relation.table is not None:
        table = resolve_table_name(lake, relation.table)
        pinned = _pin(lake, table, versions)
        rows = (instead or {}).get(table)
        return read_table(lake, table, version=pinned) if rows is None else rows, {table: pinned}
    if relation.sql is not None:
        return query_tables(lake, relation.sql, versions=versions, instead=instead)
    return _call_function(lake, str(relation.python), versions)


def query_tables(
    lake: Lake,
    sql: str,
    *,
    versions: Mapping[str, int] | None = None,
    instead: "Mapping[str, DataFrame] | None" = None,
) -> "tuple[DataFrame, dict[str, int]]":
    """Run one SELECT in which tables of the lake go by their names, and tell the versions it read.

    Each table becomes a common table expression at its version, so nothing is registered in the session.

    Raises:
        TableNotFoundError: a table is not there.
        ConfigError: the text is no single SELECT, or names a column that is not there.
    """
    names = {name: resolve_table_name(lake, name) for name in sorted(table_names(sql))}
    used = {table: _pin(lake, table, versions) for table in names.values()}
    given = {table: (rows, f"_instead_{uuid4().hex}") for table, rows in (instead or {}).items()}
    bound = [
        f"{quote_identifier(name)} AS (SELECT * FROM {given[table][1] if table in given else f'{sql_name(lake, table)} VERSION AS OF {used[table]}'})"  # noqa: S608  # names are quoted
        for name, table in names.items()
    ]
    query = sql.strip().rstrip(";")
    text = f"WITH {', '.join(bound)} SELECT * FROM (\n{query}\n)" if bound else query  # noqa: S608  # the query is the user\'s own
    for rows, view in given.values():
        rows.createTempView(view)
    try:
        return lake.spark.sql(text), used
    except AnalysisException as error:
        reason = next(line for line in str(error).splitlines() if line.strip())
        raise ConfigError(f"Spark refuses this query: {reason.strip()}\n  {query}") from error
    finally:
        for _, view in given.values():
            lake.spark.catalog.dropTempView(view)


def _pin(lake: Lake, table: str, versions: Mapping[str, int] | None) -> int:
    pinned = (versions or {}).get(table)
    return table_version(lake, table) if pinned is None else pinned


def _call_function(lake: Lake, name: str, versions: Mapping[str, int] | None) -> "tuple[DataFrame, dict[str, int]]":
    used: dict[str, int] = {}

    def read(table_or_source: str) -> "DataFrame":
        table = resolve_table_name(lake, table_or_source)
        used[table] = _pin(lake, table, versions)
        return read_table(lake, table, version=used[table])

    return _call(name, read), used


def relate_frames(lake: Lake, relation: "Relation", frames: "Mapping[str, DataFrame]") -> "DataFrame":
    """Rows of a relation over frames that stand for its tables, for trying it on rows written by hand.

    Args:
        lake: whose session computes them; none of its tables is read.
        relation: a table, SQL or Python relation.
        frames: rows by the name that the relation has for a table.

    Raises:
        ConfigError: a table of the relation is not among the frames, or the relation cannot be computed.
    """

    def read(table: str) -> "DataFrame":
        if table not in frames:
            raise ConfigError(f"the relation reads {table}; rows are given for: {', '.join(frames) or 'no table'}.")
        return frames[table]

    if relation.table is not None:
        return read(relation.table)
    if relation.sql is None:
        return _call(str(relation.python), read)
    bound = {name: f"_sparkml_ops_{uuid.uuid4().hex}" for name in sorted(table_names(relation.sql))}
    try:
        for name, view in bound.items():
            read(name).createOrReplaceTempView(view)
        named = ", ".join(f"{quote_identifier(name)} AS (SELECT * FROM {view})" for name, view in bound.items())  # noqa: S608  # as above
        query = relation.sql.strip().rstrip(";")
        return lake.spark.sql(f"WITH {named} SELECT * FROM (\n{query}\n)" if bound else query)  # noqa: S608  # as above
    finally:
        for view in bound.values():
            lake.spark.catalog.dropTempView(view)


def _call(name: str, read: "Callable[[str], DataFrame]") -> "DataFrame":
    from pyspark.sql import DataFrame

    module, _, function = name.partition(":")
    try:
        build = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"python: {name} cannot be imported ({error}); it must be package.module:function") from error
    rows = build(read)
    if not isinstance(rows, DataFrame):
        raise ConfigError(f"python: {name} must return a Spark DataFrame, and returned {type(rows).__name__}")
    return rows
