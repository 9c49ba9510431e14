"""The model: a search that can run, and wishes about columns that it learns from."""

from collections.abc import Iterator

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.model import Model
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.rules.scope import Scope, check_row_expression
from sparkml_ops.config.search import list_params
from sparkml_ops.config.sql import find_lone_column
from sparkml_ops.config.tasks import CLASS_ANSWERS

_WEIGHT = ("model", "sample_weight")


def check_model(parts: Parts) -> Iterator[Finding]:
    """Everything about the model that needs more than one key to be judged."""
    if parts.model is None:
        return
    yield from _check_search(parts.model)
    yield from _check_columns(parts.model, parts)
    yield from _check_segments(parts.model, parts)
    yield from _check_kpis(parts.model, parts)


def _check_search(model: Model) -> Iterator[Finding]:
    """The search leaves fixed parameters alone, and can run as many trials as it wants to at a time."""
    search = model.search
    for name in list_params(search.space):
        if name in model.params:
            place = (name,) if name in search.space else ()
            found = f"{'' if place else f'{name}, within an option, '}searched, and fixed in model.params"
            yield Finding(("model", "search", "space", *place), found, "one of the two")
    if search.parallelism > search.max_trials:
        found = f"found {search.parallelism}, with {search.max_trials} trials in all"
        yield Finding(("model", "search", "parallelism"), found, "at most max_trials")


def _check_columns(model: Model, parts: Parts) -> Iterator[Finding]:
    """Weights are made of columns of the training set; directions are of columns that the model learns from."""
    features = _learned_columns(parts)
    if model.sample_weight is not None:
        yield from check_row_expression(_WEIGHT, model.sample_weight, Scope("the training set", _all_columns(parts)))
    weight = find_lone_column(model.sample_weight or "")
    for name in model.monotone:
        if weight is not None and name.lower() == weight.lower():
            found = f"{show_value(name)} is model.sample_weight, and so no feature"
            yield Finding(("model", "monotone", name), found, "another column, or a weight computed from this one")
        elif features is not None and name not in features:
            found = f"{show_value(name)} is no feature of the dataset"
            yield Finding(("model", "monotone", name), found, list_names(features), nearest_name(name, features))


def _check_segments(model: Model, parts: Parts) -> Iterator[Finding]:
    """Segments are told by columns that a row has when it is scored, too."""
    features = _learned_columns(parts)
    if model.segment_by is None or parts.dataset is None or features is None:
        return
    weight = (find_lone_column(model.sample_weight or "") or "").lower()
    known = list(dict.fromkeys(name for name in (*parts.dataset.entity, *features) if name.lower() != weight))
    for name in model.segment_by.columns:
        if name not in known:
            found = f"{show_value(name)} is no entity or feature column of the dataset"
            yield Finding(("model", "segment_by"), found, list_names(known), nearest_name(name, known))
        elif name == parts.dataset.timestamp:
            found = f"{show_value(name)} is the moment of decision, which no two segments share"
            yield Finding(("model", "segment_by"), found, "a column of texts, whole numbers, or true and false")


def _check_kpis(model: Model, parts: Parts) -> Iterator[Finding]:
    """Business figures are made of rows of the training set and of what a model says of them."""
    columns = _all_columns(parts)
    answers = CLASS_ANSWERS if model.task == "multiclass" else ("predicted_class",)
    scope = Scope("a judged row", None if columns is None else ["prediction", *answers, *columns])
    for name, kpi in model.evaluation.kpi.items():
        for key, sql in (("value", kpi.value), ("per", kpi.per)):
            yield from check_row_expression(("model", "evaluation", "kpi", name, key), sql, scope)


def _learned_columns(parts: Parts) -> list[str] | None:
    looked_up = parts.feature_columns()
    if parts.dataset is None or looked_up is None:
        return None
    return [name for name in (*looked_up, *parts.dataset.derived) if name not in parts.dataset.leave_out]


def _all_columns(parts: Parts) -> list[str] | None:
    """The columns of a row of the training set."""
    features = _learned_columns(parts)
    if parts.dataset is None or features is None:
        return None
    return list(dict.fromkeys([*parts.dataset.entity, parts.dataset.timestamp, "label", "split", *features]))
