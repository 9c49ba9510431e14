"""A dataset whose rows can be built: entity, label, features and what is derived of them."""

from collections.abc import Iterator, Sequence

from sparkml_ops.config.dataset import AS_OF, NEWEST_EVENT, Dataset, EventLabel, HashSplit
from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.rules.imputes import check_imputes
from sparkml_ops.config.rules.scope import (
    Scope,
    check_aggregate_expression,
    check_name,
    check_names,
    check_relation,
    check_row_expression,
    find_scope,
    find_twins,
)

RESERVED = (
    "label", "split", "prediction", "predicted_class", "predicted_label", "probabilities", "as_of", "model_name", "model_version", "role", "segment", "refused_at", "features_digest",
    "batch_id", "run_id", "feature_versions", "scored_at", "reasons",
)  # fmt: skip
"""Columns of training sets and of the prediction ledger, which no entity or feature can be called."""

_PATH: KeyPath = ("dataset",)


def check_dataset(parts: Parts) -> Iterator[Finding]:
    """Everything about the dataset that needs more than one key to be judged."""
    dataset = parts.dataset
    if dataset is None:
        return
    yield from check_relation((*_PATH, "from"), dataset.relation, parts)
    yield from _check_columns(dataset, find_scope(dataset.relation, parts))
    if isinstance(dataset.label, EventLabel):
        yield from _check_events(dataset, dataset.label, parts)
    yield from _check_features(dataset, parts)
    yield from _check_derived(dataset, parts)
    yield from _check_left_out(dataset, parts)
    learned_from = [name for name in dataset.derived if name not in dataset.leave_out]
    yield from check_imputes((*_PATH, "impute"), dataset.impute, learned_from, title="that is derived and learned from")


def _check_columns(dataset: Dataset, scope: Scope) -> Iterator[Finding]:
    yield from check_names((*_PATH, "entity"), dataset.entity, scope)
    yield from check_names((*_PATH, "key"), dataset.key, Scope("dataset.entity", dataset.entity))
    yield from check_name((*_PATH, "timestamp"), dataset.timestamp, scope)
    if isinstance(dataset.label, str):
        yield from check_row_expression((*_PATH, "label"), dataset.label, scope)
    if dataset.where is not None:
        yield from check_row_expression((*_PATH, "where"), dataset.where, scope)
    key, together = (
        ("of", dataset.split.of) if isinstance(dataset.split, HashSplit) else ("groups", dataset.split.groups)
    )
    yield from check_names((*_PATH, "split", key), together, Scope("dataset.entity", dataset.entity))
    for at, name in enumerate(dataset.entity):
        if name.lower() in RESERVED:
            yield Finding((*_PATH, "entity", at), f"{show_value(name)} is a column of the predictions", "another name")


def _check_events(dataset: Dataset, label: EventLabel, parts: Parts) -> Iterator[Finding]:
    path: KeyPath = (*_PATH, "label")
    scope = find_scope(label.relation, parts)
    yield from check_relation((*path, "from"), label.relation, parts)
    yield from check_names((*path, "entity"), label.entity, Scope("dataset.entity", dataset.entity))
    yield from check_names((*path, "entity"), label.entity, scope)
    yield from check_name((*path, "timestamp"), label.timestamp, scope)
    if label.where is not None:
        yield from check_row_expression((*path, "where"), label.where, scope)
    yield from check_aggregate_expression((*path, "value"), label.value, scope)
    if label.complete_until not in {NEWEST_EVENT, AS_OF}:
        yield from check_aggregate_expression((*path, "complete_until"), label.complete_until, scope)
    if dataset.label_matures_after:
        found = "a label that events tell matures after its own `within` and `available_after`"
        yield Finding((*_PATH, "label_matures_after"), found, "the one or the other")


def _check_features(dataset: Dataset, parts: Parts) -> Iterator[Finding]:
    for at, name in enumerate(dataset.features):
        path = (*_PATH, "features", at)
        if name in dataset.features[:at]:
            yield Finding(path, f"{show_value(name)} a second time")
        elif name not in parts.features:
            nearest = nearest_name(name, parts.features)
            yield Finding(path, f"no feature view {show_value(name)}", list_names(parts.features), nearest)
        else:
            yield from _check_entity(path, name, dataset, parts)


def _check_entity(path: KeyPath, name: str, dataset: Dataset, parts: Parts) -> Iterator[Finding]:
    view = parts.features[name]
    lacking = [column for column in view.entity if column not in dataset.entity] if view else []
    if lacking:
        found = f"{name} is looked up by {list_names(lacking)}, which dataset.entity lacks"
        yield Finding(path, found, list_names(dataset.entity), nearest_name(lacking[0], dataset.entity))


def _check_derived(dataset: Dataset, parts: Parts) -> Iterator[Finding]:
    looked_up = parts.feature_columns()
    given = [*dataset.entity, dataset.timestamp]
    known: list[str] | None = None if looked_up is None else list(dict.fromkeys([*given, *looked_up]))
    for name, sql in dataset.derived.items():
        path = (*_PATH, "derived", name)
        title = "the joined row: entity, timestamp, features, and what is derived above it"
        yield from check_row_expression(path, sql, Scope(title, known))
        yield from _check_derived_name(path, name, [*given, *(looked_up or [])])
        known = None if known is None else [*known, name]
    for name, twin in find_twins(dataset.derived):
        yield Finding((*_PATH, "derived", name), f"differs from {twin} in the case of letters alone", "another name")


def _check_left_out(dataset: Dataset, parts: Parts) -> Iterator[Finding]:
    looked_up = parts.feature_columns()
    if looked_up is None:
        return
    known = [*looked_up, *dataset.derived]
    for at, name in enumerate(dataset.leave_out):
        if name not in known:
            found = f"{show_value(name)} is neither looked up nor derived"
            yield Finding((*_PATH, "leave_out", at), found, list_names(known), nearest_name(name, known))
    if known and set(known) <= set(dataset.leave_out):
        yield Finding((*_PATH, "leave_out"), "every feature is left out", "at least one feature to learn from")


def _check_derived_name(path: KeyPath, name: str, taken: Sequence[str]) -> Iterator[Finding]:
    if name.lower() in RESERVED:
        yield Finding(path, "the name of a column of training sets or predictions", "another name")
    elif name.startswith("_"):
        yield Finding(path, "a name that starts with _, which the lake keeps for itself", "another name")
    elif name.lower() in {other.lower() for other in taken}:
        yield Finding(path, "the name of an entity column, the timestamp or a feature", "another name")
