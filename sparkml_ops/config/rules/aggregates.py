"""Aggregates whose windows can hold something, whose values can be met, and whose columns have names of their own."""

from collections.abc import Iterator

from sparkml_ops.config.aggregates import DAY, Aggregate, BucketValue, is_sketch, name_value
from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.rules.scope import Scope, check_name, check_row_expression, find_twins, is_column
from sparkml_ops.config.sources import Column
from sparkml_ops.config.types import Relation, format_duration

_WRITTEN_AS = {
    "string": (str,),
    "boolean": (bool,),
    "int": (int,),
    "long": (int,),
    "double": (int, float),
    "decimal": (int, float),
    "date": (str,),
    "timestamp": (str,),
}
"""How a value of a column's type is written."""


def check_aggregates(path: KeyPath, view: FeatureView, scope: Scope, parts: Parts) -> Iterator[Finding]:
    """Everything about the aggregates of a view that needs more than one key to be judged."""
    for at, aggregate in enumerate(view.aggregates):
        place = (*path, "aggregate", at)
        yield from _check_expressions(place, aggregate, scope)
        yield from _check_windows(place, aggregate, view)
        yield from _check_operations(place, aggregate, view)
        if aggregate.by is not None:
            yield from _check_buckets((*place, "by"), aggregate, scope, _find_column(view.relation, aggregate, parts))
    yield from _check_names(path, view)
    yield from _check_derived(path, view)


def _check_expressions(path: KeyPath, aggregate: Aggregate, scope: Scope) -> Iterator[Finding]:
    yield from check_row_expression((*path, "of"), aggregate.of, scope)
    if aggregate.where is not None:
        yield from check_row_expression((*path, "where"), aggregate.where, scope)
    if aggregate.name is None and not is_column(aggregate.of):
        found = "missing, while `of` is an expression"
        yield Finding((*path, "name"), found, "a name, from which the columns are named")


def _check_windows(path: KeyPath, aggregate: Aggregate, view: FeatureView) -> Iterator[Finding]:
    for number, window in enumerate(aggregate.windows):
        if window <= view.available_after:
            found = f"found {format_duration(window)}, which has passed before an event may be known"
            allowed = f"windows longer than available_after, {format_duration(view.available_after)}"
            yield Finding((*path, "windows", number), found, allowed)
        elif view.accuracy == "snapshot" and window % DAY:
            found = f"found {format_duration(window)} in a view whose accuracy is snapshot, as of midnights"
            yield Finding((*path, "windows", number), found, "whole days, or accuracy: temporal")


def _check_operations(path: KeyPath, aggregate: Aggregate, view: FeatureView) -> Iterator[Finding]:
    for number, operation in enumerate(aggregate.ops):
        if is_sketch(operation) and view.accuracy != "snapshot":
            exact = operation.removeprefix("approx_")
            found = f"found {operation}, a sketch of days, in a view whose windows slide with every instant"
            yield Finding((*path, "ops", number), found, f"accuracy: snapshot for the view, or {exact}, which is exact")
        elif is_sketch(operation) and view.known_at is not None:
            found = (
                f"found {operation}, a sketch of days, in a view with known_at, in which each event is known by itself"
            )
            exact = operation.removeprefix("approx_")
            yield Finding((*path, "ops", number), found, f"available_after for the view, or {exact}, which is exact")


def _check_buckets(path: KeyPath, aggregate: Aggregate, scope: Scope, column: Column | None) -> Iterator[Finding]:
    name = str(aggregate.by_column)
    yield from check_name((*path, name), name, scope)
    if column is not None and column.pii:
        yield Finding((*path, name), "personal data, whose values would be names of columns", "another column")
        return
    for number, value in enumerate(aggregate.by_values):
        place = (*path, name, number)
        if column is not None and type(value) not in _WRITTEN_AS[column.type.partition("(")[0]]:
            yield Finding(place, f"found {show_value(value)} for a {column.type}", f"values of {name}: {column.type}")
        elif column is not None and column.allowed is not None and value not in column.allowed:
            known = list(map(str, column.allowed))
            yield Finding(place, f"found {show_value(value)}", list_names(known), nearest_name(str(value), known))


def _check_names(path: KeyPath, view: FeatureView) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for at, aggregate in enumerate(view.aggregates):
        here: set[str] = set()
        for column in aggregate.columns():
            name = column.name.lower()
            if name in here or seen.setdefault(name, at) != at:
                found = f"the column {column.name} a second time"
                values = [] if aggregate.by is None else _find_equal(aggregate.by_values)
                allowed = "names, ops and windows that differ"
                if values:
                    allowed = f"values of by whose names differ: {values[0]!r} and {values[1]!r} have the same"
                yield Finding((*path, "aggregate", at), found, allowed)
                break
            here.add(name)


def _find_equal(values: list[BucketValue]) -> list[BucketValue]:
    """The first two values that have the same name; none if all differ."""
    seen: dict[str, BucketValue] = {}
    for value in values:
        name = name_value(value).lower()
        if name in seen:
            return [seen[name], value]
        seen[name] = value
    return []


def _check_derived(path: KeyPath, view: FeatureView) -> Iterator[Finding]:
    if not view.aggregates:
        for key in ("derive", "accuracy"):
            if key in view.model_fields_set:
                hint = "an expression of select" if key == "derive" else "a view with aggregate"
                yield Finding((*path, key), "without aggregates it means nothing", hint)
        return
    known = [column.name for aggregate in view.aggregates for column in aggregate.columns()]
    for name, sql in view.derive.items():
        place = (*path, "derive", name)
        if name.lower() in {column.lower() for column in known} or name in (*view.entity, view.timestamp):
            yield Finding(place, "the name of another column of the view", "another name")
        elif name.startswith("_"):
            yield Finding(place, "a name that starts with _ as a feature", "another name")
        yield from check_row_expression(place, sql, Scope("the view", known))
        known.append(name)
    for name, twin in find_twins(view.derive):
        yield Finding((*path, "derive", name), f"differs from {twin} in the case of letters alone", "another name")


def _find_column(relation: Relation, aggregate: Aggregate, parts: Parts) -> Column | None:
    """The contract of the column of `by`, where the view is of a source's table."""
    name = (relation.table or "").removeprefix("clean_")
    source = parts.sources.get(name)
    return None if source is None else source.columns.get(str(aggregate.by_column))
