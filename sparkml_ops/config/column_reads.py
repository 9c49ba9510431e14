"""Which columns of the sources each column of a feature view is made of, read from the text of the use case alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.config.features import feature_name
from sparkml_ops.config.parts import Parts, take_apart
from sparkml_ops.config.sql import SqlError, read_expression, read_output_columns

if TYPE_CHECKING:
    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.types import Relation
    from sparkml_ops.config.use_case import UseCase

_VIEW = "features_"


@dataclass(frozen=True)
class ColumnReads:
    """What a column is made of.

    Attributes:
        columns: columns of clean tables, as `<source>.<column>`.
        raw: columns that come in, of which those are derived.
        is_known: whether that is all; what a Python function reads cannot be known.
    """

    columns: tuple[str, ...]
    raw: tuple[str, ...]
    is_known: bool


def trace_view(use_case: "UseCase", name: str) -> dict[str, ColumnReads]:
    """Of each feature column of a view what its values are made of; then of its entity, times and `where`, which choose the rows.

    Conditions and buckets of an aggregate count as what its columns are made of.
    """
    return _trace_view(use_case.features[name], take_apart(use_case))


def trace_column(use_case: "UseCase", relation: "Relation", column: str) -> ColumnReads:
    """What a column of a relation is made of."""
    return _tracer(relation, take_apart(use_case))(column)


def list_personal(use_case: "UseCase", name: str) -> frozenset[str]:
    """Feature columns of a view that hold, or may hold, personal data: made of a `pii` column, or of nobody knows what."""
    personal = {f"{source}.{column}" for source, each in use_case.sources.items() for column in each.personal_columns()}
    if not personal:
        return frozenset()
    traced = trace_view(use_case, name)
    return frozenset(
        column
        for column in use_case.features[name].column_names()
        if not traced[column].is_known or personal & {*traced[column].columns, *traced[column].raw}
    )


def list_personal_features(use_case: "UseCase") -> frozenset[str]:
    """Columns of a training row that hold, or may hold, personal data, entity and derived ones included."""
    by_name = {column for source in use_case.sources.values() for column in source.personal_columns()}
    personal = {column for column in use_case.dataset.entity if column in by_name}
    for view in use_case.dataset.features:
        personal |= {feature_name(view, column) for column in list_personal(use_case, view)}
    known = {name.lower() for name in by_name | personal}
    for name, sql in use_case.dataset.derived.items():
        # Of what cannot be read nobody knows that it holds none.
        if known and any(read == "?" or read.lower() in known for read in _names(sql)):
            personal.add(name)
            known.add(name.lower())
    return frozenset(personal)


def _trace_view(view: "FeatureView", parts: Parts) -> dict[str, ColumnReads]:
    trace = _tracer(view.relation, parts)
    found: dict[str, ColumnReads] = {}

    def read(names: Iterable[str]) -> ColumnReads:
        traced = [found[name] if name in found else trace(name) for name in dict.fromkeys(names)]
        return ColumnReads(
            tuple(dict.fromkeys(one for each in traced for one in each.columns)),
            tuple(dict.fromkeys(one for each in traced for one in each.raw)),
            is_known=all(each.is_known for each in traced),
        )

    rows = read(_row_columns(view))
    found |= {column: read(_names(sql)) for column, sql in view.select.items()}
    for aggregate in view.aggregates:
        texts = [aggregate.of, *([aggregate.where] if aggregate.where else [])]
        names = [name for text in texts for name in _names(text)] + (
            [aggregate.by_column] if aggregate.by_column else []
        )
        found |= {column.name: read(names) for column in aggregate.columns()}
    for column, sql in view.derive.items():
        found[column] = read(_names(sql))
    return {**{column: found[column] for column in view.column_names()}, **dict.fromkeys(view.entity, rows)}


def _row_columns(view: "FeatureView") -> list[str]:
    times = [one for one in (view.timestamp, view.known_at) if one is not None]
    return [*view.entity, *times, *(_names(view.where) if view.where else [])]


def _names(sql: str) -> tuple[str, ...]:
    try:
        return read_expression(sql).columns
    except SqlError:
        return ("?",)  # a column that is nowhere, so that nobody takes it for nothing


def _tracer(relation: "Relation", parts: Parts) -> Callable[[str], ColumnReads]:
    """What follows a column of the relation to the sources."""
    if relation.table is not None:
        table = relation.table
        return lambda column: _read_source(parts, [(table, column)], is_known=column != "?")
    if relation.sql is None:
        return lambda _: ColumnReads((), (), is_known=False)
    query, known = relation.sql, {}

    def trace(column: str) -> ColumnReads:
        if column not in known:
            known[column] = _trace_query(query, column, parts)
        return known[column]

    return trace


def _trace_query(query: str, column: str, parts: Parts) -> ColumnReads:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    tables = (
        *parts.sources,
        *(f"clean_{name}" for name in parts.sources),
        *(f"{_VIEW}{name}" for name in parts.features),
    )
    columns = {name: parts.table_columns(name) for name in tables}
    schema = {table: dict.fromkeys(each, "string") for table, each in columns.items() if each is not None}
    try:
        outputs = {name.lower(): name for name in read_output_columns(query, parts.table_columns) or [column]}
        leaves = [
            node
            for node in lineage(outputs.get(column.lower(), column), query, schema=schema, dialect="spark").walk()
            if not node.downstream
        ]
    except (SqlglotError, SqlError, ValueError, RecursionError):
        return ColumnReads((), (), is_known=False)
    read = [(leaf.source.name, leaf.name.rpartition(".")[2]) for leaf in leaves if isinstance(leaf.source, exp.Table)]
    # A leaf that is no table's column is a constant or a count of rows: it is made of no column, and that is known.
    is_known = all(isinstance(leaf.source, exp.Table | exp.Select) and leaf.name != "*" for leaf in leaves)
    return _read_source(parts, read, is_known=is_known)


def _read_source(parts: Parts, read: Iterable[tuple[str, str]], *, is_known: bool) -> ColumnReads:
    columns: list[str] = []
    raw: list[str] = []
    for table, column in read:
        view = parts.features.get(table.removeprefix(_VIEW)) if table.startswith(_VIEW) else None
        if view is not None:
            of_view = _trace_view(view, parts)
            found = of_view.get(column, of_view[view.entity[0]])  # its times are read as its entity is
            columns += found.columns
            raw += found.raw
            is_known = is_known and found.is_known
            continue
        name = table if table in parts.sources else table.removeprefix("clean_")
        source = parts.sources.get(name)
        there = {one.lower(): one for one in (parts.table_columns(name) or ())}
        written = there.get(column.lower(), column)
        columns.append(f"{name}.{written}")
        raw += [f"{name}.{one}" for one in _follow_derived(written, dict(source.derive) if source else {}, ())]
    return ColumnReads(tuple(dict.fromkeys(columns)), tuple(dict.fromkeys(raw)), is_known=is_known)


def _follow_derived(column: str, derive: dict[str, str], seen: tuple[str, ...]) -> list[str]:
    if column not in derive or column in seen:
        return [column]
    inner = (one for name in _names(derive[column]) for one in _follow_derived(name, derive, (*seen, column)))
    return list(dict.fromkeys(inner))
