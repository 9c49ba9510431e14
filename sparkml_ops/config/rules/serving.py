"""Gates and scoring, held against the dataset."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkml_ops.config.gates import SlicesGate
from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.rules.scope import (
    Scope,
    check_aggregate_expression,
    check_name,
    check_names,
    check_relation,
    find_scope,
)
from sparkml_ops.config.tasks import CLASS_ANSWERS

if TYPE_CHECKING:
    from sparkml_ops.config.places import KeyPath


def check_gates(parts: Parts) -> Iterator[Finding]:
    """Slices and the business figure are made of columns that a judged row has."""
    if parts.gates is None or parts.dataset is None:
        return
    features = parts.feature_columns()
    dataset = parts.dataset
    named = [*dataset.entity, *dataset.derived]
    slices = None if features is None else [*named, *features]
    scope = Scope("a judged row", slices)
    if parts.gates.slices is not None:
        yield from check_names(("gates", "slices", "by"), parts.gates.slices.by, scope)
        yield from _check_must_have(parts.gates.slices)
    if parts.gates.fairness is not None:
        yield from check_names(("gates", "fairness", "by"), parts.gates.fairness.by, scope)
    if parts.gates.kpi is not None:
        answers = CLASS_ANSWERS if parts.model is None or parts.model.task == "multiclass" else ()
        columns = None if slices is None else ["prediction", *answers, "label", dataset.timestamp, *slices]
        yield from check_aggregate_expression(
            ("gates", "kpi", "sql"), parts.gates.kpi.sql, Scope("a judged row", columns)
        )


def _check_must_have(gate: SlicesGate) -> Iterator[Finding]:
    """A slice can only be missed among those that are judged."""
    for column, values in gate.must_have.items():
        path: KeyPath = ("gates", "slices", "must_have", column)
        if column not in gate.by:
            yield Finding(
                path,
                "no column that gates.slices.by slices by",
                list_names(gate.by),
                nearest_name(column, gate.by),
            )
        for at, value in enumerate(values):
            if value in values[:at]:
                yield Finding((*path, at), f"{show_value(value)} a second time")


def check_scoring(parts: Parts) -> Iterator[Finding]:
    """The request has every column that a prediction is looked up by, and somebody publishes."""
    scoring = parts.scoring
    if scoring is None:
        return
    yield from check_relation(("scoring", "from"), scoring.relation, parts)
    scope = find_scope(scoring.relation, parts)
    yield from check_name(("scoring", "as_of"), scoring.as_of, scope)
    lacking = [
        column
        for column in (parts.dataset.entity if parts.dataset else ())
        if scope.columns is not None and column not in scope.columns
    ]
    if lacking:
        found = f"{scope.title} lacks the entity columns {list_names(lacking)}"
        yield Finding(("scoring", "from"), found, "every column of dataset.entity")
    published = [role for role, what in scoring.roles.items() if what == "publish"]
    if len(published) != 1:
        found = f"published by {list_names(published) if published else 'nobody'}"
        yield Finding(("scoring", "roles"), found, "publish for exactly one role")
