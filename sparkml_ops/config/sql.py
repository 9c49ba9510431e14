"""What SQL text names: read from the text alone, before Spark starts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from sqlglot import exp

_UNREPEATABLE = {
    "rand", "randn", "random", "uuid", "shuffle", "monotonically_increasing_id", "spark_partition_id", "now",
    "current_timestamp", "current_date", "localtimestamp", "curdate",
    "first", "first_value", "last", "last_value", "any_value",  # of rows that have no order
}  # fmt: skip
"""Functions that answer differently each time, so that nothing computed by them can be made again."""


@dataclass(frozen=True)
class Expression:
    """What one SQL expression is made of.

    Attributes:
        columns: names of the columns it reads, as written, in their order.
        is_column: it is nothing but a column's name.
        is_aggregate: it makes one value of many rows.
        windows: it looks at other rows (`over (…)`).
        unrepeatable: functions in it that answer differently each time.
    """

    columns: tuple[str, ...]
    is_column: bool
    is_aggregate: bool
    windows: bool
    unrepeatable: tuple[str, ...]


class SqlError(ValueError):
    """SQL text that cannot be read, with the place."""


def read_expression(text: str) -> Expression:
    """Read one SQL expression.

    Raises:
        SqlError: it is no single expression.
    """
    from sqlglot import exp

    tree = _parse(text, into=exp.Condition)
    if tree.find(exp.Query):
        raise SqlError(f"a query within an expression: {quote_sql(text)}; a relation {{sql: …}} can hold it")
    functions = [_function_name(node) for node in tree.find_all(exp.Func)]
    return Expression(
        columns=tuple(dict.fromkeys(column.parts[0].name for column in tree.find_all(exp.Column, bfs=False))),
        is_column=isinstance(tree, exp.Column) and len(tree.parts) == 1,
        is_aggregate=tree.find(exp.AggFunc) is not None,
        windows=tree.find(exp.Window) is not None,
        unrepeatable=tuple(dict.fromkeys(name for name in functions if name in _UNREPEATABLE)),
    )


def find_lone_column(text: str) -> str | None:
    """The column that an expression is the name of and nothing more; None for any other expression."""
    try:
        expression = read_expression(text)
    except SqlError:
        return None
    return expression.columns[0] if expression.is_column else None


def table_names(sql: str) -> set[str]:
    """Names of the tables that a single SELECT reads; those it defines in WITH are left out.

    Raises:
        ConfigError: the text is not one SELECT, or a table is named with dots.
    """
    try:
        return set(read_tables(sql))
    except SqlError as error:
        raise ConfigError(str(error)) from error


def read_tables(sql: str) -> list[str]:
    """As `table_names`, in the order of the text.

    Raises:
        SqlError: the text is not one SELECT, or a table is named with dots.
    """
    from sqlglot import exp

    query = parse_query(sql)
    defined = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    tables = [
        table for table in query.find_all(exp.Table, bfs=False) if table.name and table.name.lower() not in defined
    ]
    dotted = [table.sql("spark") for table in tables if table.db]
    if dotted:
        raise SqlError(f"tables go by their plain names here: {', '.join(dotted)}")
    return list(dict.fromkeys(table.name for table in tables))


def read_output_columns(sql: str, columns_of: Callable[[str], Sequence[str] | None]) -> list[str] | None:
    """Names of the columns that a SELECT gives; None when the text alone does not tell.

    Args:
        sql: the query.
        columns_of: columns of a table, None when they are not known.

    Raises:
        SqlError: the text is not one SELECT.
    """
    from sqlglot import exp

    query = parse_query(sql)
    if not isinstance(query, exp.Select):
        return None
    names: list[str] = []
    for projection in query.expressions:
        if isinstance(projection, exp.Star) and not any(projection.args.values()):
            starred = _starred_columns(query, columns_of)
            if starred is None:
                return None
            names += starred
        elif projection.is_star or not projection.alias_or_name:
            return None
        else:
            names.append(projection.alias_or_name)
    return names


def forgive_zero(text: str) -> str:
    """The same expression, with null where it divides by zero: `a / b` becomes `a / nullif(b, 0)`.

    Raises:
        SqlError: it is no single expression.
    """
    from sqlglot import exp

    tree = _parse(text, into=exp.Condition)
    divisions = list(tree.find_all(exp.Div, exp.Mod, exp.IntDiv))
    for node in divisions:
        node.set("expression", exp.Nullif(this=node.expression.unnest(), expression=exp.Literal.number(0)))
    return tree.sql("spark") if divisions else text


def list_map_keys(text: str, column: str) -> tuple[str, ...]:
    """Texts that a map is asked for by name: `column['a']`, `column.a`, `element_at(column, 'a')`; in their order.

    Raises:
        SqlError: the text is no single expression.
    """
    from sqlglot import exp

    found: list[str] = []
    for node in _parse(text, into=exp.Condition).find_all(exp.Column, bfs=False):
        if node.parts[0].name.lower() != column.lower():
            continue
        if len(node.parts) > 1:
            found.append(node.parts[1].name)
        elif isinstance(node.parent, exp.Bracket | exp.Func):
            found += [
                one.name for one in node.parent.iter_expressions() if isinstance(one, exp.Literal) and one.is_string
            ]
    return tuple(dict.fromkeys(found))


def quote_sql(text: str) -> str:
    """SQL for a message: on one line, cut when long."""
    flat = " ".join(text.split())
    return f"`{flat[:100]}…`" if len(flat) > 100 else f"`{flat}`"  # noqa: PLR2004


def _starred_columns(query: "exp.Select", columns_of: Callable[[str], Sequence[str] | None]) -> list[str] | None:
    """What `*` stands for, where it stands for one table of the lake and nothing else."""
    from sqlglot import exp

    source = query.find(exp.From)
    widened = any(query.find(part) for part in (exp.With, exp.Join, exp.Lateral, exp.Pivot))
    if source is None or widened or not isinstance(source.this, exp.Table) or not source.this.name:
        return None
    known = columns_of(source.this.name)
    return None if known is None else list(known)


def parse_query(sql: str) -> "exp.Query":
    """The tree of one SELECT.

    Raises:
        SqlError: the text is not one SELECT.
    """
    from sqlglot import exp

    tree = _parse(sql)
    if not isinstance(tree, exp.Query):
        raise SqlError(f"expected one SELECT, found {quote_sql(sql)}")
    return tree


def _parse(text: str, into: "type[exp.Expr] | None" = None) -> "exp.Expr":
    import sqlglot
    from sqlglot.errors import ParseError, SqlglotError

    kind = "SELECT" if into is None else "expression"
    try:
        return sqlglot.parse_one(text, read="spark", into=into) if into else sqlglot.parse_one(text, read="spark")
    except ParseError as error:
        raise SqlError(f"no SQL {kind}: {quote_sql(text)}{_place(error.errors)}") from error
    except (SqlglotError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else "a quote or comment is not closed"
        raise SqlError(f"no SQL {kind}: {quote_sql(text)}; {reason}") from error


def _place(errors: Sequence[dict[str, object]]) -> str:
    """Where the reading stopped, in words."""
    if not errors or "highlight" not in errors[0]:
        return ""
    first = errors[0]
    before = " ".join(str(first.get("start_context", "")).split())[-30:]
    where = f"line {first['line']}, character {first['col']}"
    return f"; it breaks at `{first['highlight']}`" + (f" after `{before}`" if before else "") + f" ({where})"


def _function_name(node: "exp.Func") -> str:
    from sqlglot import exp

    return str(node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
