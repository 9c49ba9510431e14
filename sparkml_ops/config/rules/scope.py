"""Names and expressions held against the columns that are there."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.sql import Expression, SqlError, quote_sql, read_expression, read_output_columns, read_tables
from sparkml_ops.config.types import Relation


@dataclass(frozen=True)
class Scope:
    """The columns that a name or expression may use.

    Attributes:
        title: what they are columns of, for messages.
        columns: their names; None when the configuration alone does not tell.
    """

    title: str
    columns: Sequence[str] | None


def check_relation(path: KeyPath, relation: Relation, parts: Parts, *, views: bool = False) -> Iterator[Finding]:
    """Every table of a relation must be a source's; or a feature view's, where these may be read."""
    if relation.python is not None:
        return
    tables_of_views = [f"features_{name}" for name in parts.features] if views else []
    known = [*parts.sources, *(f"clean_{name}" for name in parts.sources), *tables_of_views]
    try:
        tables = [relation.table] if relation.table else read_tables(str(relation.sql))
    except SqlError as error:
        yield Finding(path, str(error))
        return
    unknown = [str(table) for table in tables if table not in known]
    if unknown:
        found = f"no source feeds it: {list_names(map(show_value, unknown))}"
        allowed = f"a source: {list_names(parts.sources)}{', or features_<view>' if views else ''}"
        yield Finding(path, found, allowed, nearest_name(unknown[0], known))


def find_scope(relation: Relation, parts: Parts) -> Scope:
    """The columns of a relation, as far as the text tells."""
    if relation.table is not None:
        return Scope(relation.table, parts.table_columns(relation.table))
    if relation.sql is None:
        return Scope(str(relation.python), None)
    try:
        return Scope("the query", read_output_columns(relation.sql, parts.table_columns))
    except SqlError:
        return Scope("the query", None)


def check_name(path: KeyPath, name: str, scope: Scope) -> Iterator[Finding]:
    """A column must be there, spelled exactly so."""
    if scope.columns is not None and name not in scope.columns:
        yield _no_column(path, scope, name)


def check_names(path: KeyPath, names: Sequence[str], scope: Scope) -> Iterator[Finding]:
    """Each column of a list must be there, and once."""
    for at, name in enumerate(names):
        if name in names[:at]:
            yield Finding((*path, at), f"{show_value(name)} a second time")
        else:
            yield from check_name((*path, at), name, scope)


def check_row_expression(path: KeyPath, sql: str, scope: Scope) -> Iterator[Finding]:
    """An expression over one row: its columns are there, and it can be computed again with the same result."""
    expression = yield from _read(path, sql)
    if expression is None:
        return
    yield from _check_columns(path, expression, scope)
    if expression.is_aggregate or expression.windows:
        yield Finding(path, f"{quote_sql(sql)} looks at more than one row", "an expression over one row")
    if expression.unrepeatable:
        yield _is_unrepeatable(path, sql, expression)


def check_aggregate_expression(path: KeyPath, sql: str, scope: Scope) -> Iterator[Finding]:
    """An expression over many rows that makes one value."""
    expression = yield from _read(path, sql)
    if expression is None:
        return
    yield from _check_columns(path, expression, scope)
    if not expression.is_aggregate:
        yield Finding(path, f"{quote_sql(sql)} is a value for each row", "an aggregate, such as avg(…)")
    if expression.unrepeatable:
        yield _is_unrepeatable(path, sql, expression)


def is_column(sql: str) -> bool:
    """Whether an expression is nothing but a column's name."""
    try:
        return read_expression(sql).is_column
    except SqlError:
        return True  # the syntax is told elsewhere


def find_twins(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of names that SQL takes for the same: equal but for the case of letters."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            yield name, twin


def _read(path: KeyPath, sql: str) -> Generator[Finding, None, Expression | None]:
    try:
        return read_expression(sql)
    except SqlError as error:
        yield Finding(path, str(error))
        return None


def _check_columns(path: KeyPath, expression: Expression, scope: Scope) -> Iterator[Finding]:
    if scope.columns is None:
        return
    known = {column.lower() for column in scope.columns}
    unknown = [name for name in expression.columns if name.lower() not in known]
    if unknown:
        yield _no_column(path, scope, *unknown)


def _is_unrepeatable(path: KeyPath, sql: str, expression: Expression) -> Finding:
    found = f"{expression.unrepeatable[0]}() in {quote_sql(sql)} answers differently each time"
    return Finding(path, found, "expressions that can be computed again with the same result")


def _no_column(path: KeyPath, scope: Scope, *names: str) -> Finding:
    columns = list(scope.columns or ())
    found = f"no column {list_names(map(show_value, names))} in {scope.title}"
    return Finding(path, found, list_names(columns), nearest_name(names[0], columns))
