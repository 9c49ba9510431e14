"""Whether a query makes its rows from single rows of a table: then a change of some of them changes the rows made of these, and no others."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sparkml_ops.config.sql import parse_query

if TYPE_CHECKING:
    from sqlglot import exp

_LOOKS_AT_ALL = ("group", "having", "distinct", "limit", "offset", "qualify", "sample", "pivots", "windows")
_TURNED = "it is sampled or turned"
_KEEPS_LEFT = {"", "LEFT"}
_KEEPS_RIGHT = {"", "RIGHT"}


def find_obstacle(sql: str, is_meant: Callable[[str], bool]) -> str | None:
    """Why a change of some rows of a table may change rows of the query that are not made of them; None where it cannot.

    Args:
        sql: one SELECT.
        is_meant: whether a name in it means the table.

    Raises:
        SqlError: the text is not one SELECT.
    """
    from sqlglot import exp

    query = parse_query(sql)
    defined = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    read = [table for table in query.find_all(exp.Table) if table.name.lower() not in defined and is_meant(table.name)]
    return _follow(read, query)


def _follow(read: "list[exp.Table]", query: "exp.Query") -> str | None:
    """The way of a table's rows through the query that reads it, to the rows that come out."""
    from sqlglot import exp

    if len(read) != 1:
        return f"the query reads it {len(read)} times"
    child: exp.Expr = read[0]
    if child.args.get("sample") or child.args.get("pivots"):
        return _TURNED
    while (node := child.parent) is not None:
        if isinstance(node, exp.CTE):
            uses = [table for table in query.find_all(exp.Table) if table.name.lower() == node.alias.lower()]
            return _follow(uses, query)
        obstacle = _find_obstacle(node, child)
        if obstacle is not None:
            return obstacle
        child = node
    return None


def _find_obstacle(node: "exp.Expr", child: "exp.Expr") -> str | None:
    from sqlglot import exp

    match node:
        case exp.Select():
            return _judge_select(node, child)
        case exp.Join():
            how = " ".join(part for part in (node.method, node.side, node.kind, "JOIN") if part)
            is_kept = node.side in _KEEPS_RIGHT and node.kind not in {"SEMI", "ANTI"} and not node.args.get("pivots")
            return None if is_kept else f"it stands behind a {how}"
        case exp.Union():
            return "the query has a UNION that looks for equal rows" if node.args.get("distinct") else None
        case exp.From() | exp.Subquery():
            return _TURNED if node.args.get("sample") or node.args.get("pivots") else None
        case _:
            return f"the query reads it within {node.key.upper()}"


def _judge_select(select: "exp.Select", child: "exp.Expr") -> str | None:
    from sqlglot import exp

    found = next((name for name in _LOOKS_AT_ALL if select.args.get(name)), None)
    if found is not None:
        return f"the query has {found.upper()}"
    own = [node for each in select.expressions for node in each.walk(prune=lambda node: isinstance(node, exp.Query))]
    if any(isinstance(node, exp.AggFunc | exp.Window) for node in own):
        return "the query aggregates, or has windows"
    joins = select.args.get("joins") or []
    later = joins[joins.index(child) + 1 :] if isinstance(child, exp.Join) else joins
    for join in later:
        if join.side not in _KEEPS_LEFT:
            return f"it stands before a {join.side} JOIN"
    return None
