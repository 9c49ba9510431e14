"""Gates and scoring, held against the dataset."""

from collections.abc import Iterator

from sparkml_ops.config.mistakes import Finding, list_names
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


def check_gates(parts: Parts) -> Iterator[Finding]:
    """Slices and the business figure are made of columns that a judged row has."""
    if parts.gates is None or parts.dataset is None:
        return
    features = parts.feature_columns()
    dataset = parts.dataset
    named = [*dataset.entity, *dataset.derived]
    slices = None if features is None else [*named, *features]
    if parts.gates.slices is not None:
        yield from check_names(("gates", "slices", "by"), parts.gates.slices.by, Scope("a judged row", slices))
    if parts.gates.kpi is not None:
        answers = CLASS_ANSWERS if parts.model is None or parts.model.task == "multiclass" else ()
        columns = None if slices is None else ["prediction", *answers, "label", dataset.timestamp, *slices]
        yield from check_aggregate_expression(
            ("gates", "kpi", "sql"), parts.gates.kpi.sql, Scope("a judged row", columns)
        )


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
