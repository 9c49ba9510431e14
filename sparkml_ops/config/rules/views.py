"""Feature views that some source feeds, and whose columns have one meaning."""

from collections.abc import Iterator
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.rules.aggregates import check_aggregates
from sparkml_ops.config.rules.imputes import check_imputes
from sparkml_ops.config.rules.scope import (
    Scope,
    check_name,
    check_names,
    check_relation,
    check_row_expression,
    find_scope,
    find_twins,
)
from sparkml_ops.config.sql import SqlError, read_tables


def check_views(parts: Parts) -> Iterator[Finding]:
    """Everything about the feature views that needs more than one key to be judged."""
    yield from _check_circles(parts)
    for name, twin in find_twins(parts.features):
        yield Finding(("features", name), f"differs from {twin} in the case of letters alone", "another name")
    for name, view in parts.features.items():
        path: KeyPath = ("features", name)
        if "__" in name:
            yield Finding(path, "__ in a view's name", "single underscores; __ stands between view and column")
        if view is not None:
            scope = find_scope(view.relation, parts)
            yield from check_relation((*path, "from"), view.relation, parts, views=True)
            yield from _check_columns(path, view, scope)
            yield from check_aggregates(path, view, scope, parts)
            yield from _check_times(path, view)
            yield from _check_output(path, view)
            yield from _check_impute(path, view)
            yield from _check_described(path, view)


def _check_circles(parts: Parts) -> Iterator[Finding]:
    """No view is made of itself, by whatever way."""
    follows = {name: _views_read(view, parts) if view is not None else set() for name, view in parts.features.items()}
    try:
        TopologicalSorter(follows).prepare()
    except CycleError as error:
        circle = error.args[1]
        yield Finding(
            ("features", circle[0], "from"), f"made of itself: {' < '.join(circle)}", "a view of other tables"
        )


def _views_read(view: FeatureView, parts: Parts) -> set[str]:
    relation = view.relation
    try:
        tables = [relation.table] if relation.table else read_tables(relation.sql) if relation.sql else []
    except SqlError:
        return set()  # told elsewhere
    return {name for name in parts.features if f"features_{name}" in tables}


def _check_columns(path: KeyPath, view: FeatureView, scope: Scope) -> Iterator[Finding]:
    yield from check_names((*path, "entity"), view.entity, scope)
    if view.timestamp is not None:
        yield from check_name((*path, "timestamp"), view.timestamp, scope)
    if view.where is not None:
        yield from check_row_expression((*path, "where"), view.where, scope)
    for name, sql in view.select.items():
        yield from check_row_expression((*path, "select", name), sql, scope)


def _check_times(path: KeyPath, view: FeatureView) -> Iterator[Finding]:
    if view.timestamp is None:
        for key in ("available_after", "ttl"):
            if key in view.model_fields_set and getattr(view, key):
                yield Finding((*path, key), "without a timestamp it means nothing", "a view with a timestamp")
    if view.ttl is not None and view.ttl <= timedelta(0):
        yield Finding((*path, "ttl"), "found 0s", "a duration above zero")
    if view.ttl is not None and view.aggregates:
        yield Finding(
            (*path, "ttl"), "a ttl for aggregates, whose windows say how old an event may be", "a ttl with select"
        )


def _check_output(path: KeyPath, view: FeatureView) -> Iterator[Finding]:
    taken = {*view.entity, *([view.timestamp] if view.timestamp else [])}
    for name in view.select:
        if name in taken or name.startswith("_"):
            reason = "the view's entity or timestamp" if name in taken else "a name that starts with _"
            yield Finding((*path, "select", name), f"{reason} as a feature", "another name")
    for name, twin in find_twins(view.select):
        yield Finding((*path, "select", name), f"differs from {twin} in the case of letters alone", "another name")


def _check_described(path: KeyPath, view: FeatureView) -> Iterator[Finding]:
    columns = view.column_names()
    for name in view.columns:
        if name not in columns:
            found = f"no column {show_value(name)} in the view"
            yield Finding((*path, "columns", name), found, list_names(columns), nearest_name(name, columns))


def _check_impute(path: KeyPath, view: FeatureView) -> Iterator[Finding]:
    yield from check_imputes((*path, "impute"), view.impute, view.column_names(), title="in the view")
