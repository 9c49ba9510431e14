"""Hashes of what defines a feature table and a training set.

Only what changes rows counts: a new description (of a view or a column), owner or imputation makes nothing out of date.
"""

import json
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sparkml_ops.config.dataset import Dataset
from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.use_case import UseCase, hash_config
from sparkml_ops.errors import ConfigError

_NO_ROWS_DEPEND_ON = {"description", "owner", "impute", "columns"}


def features_table(view: str) -> str:
    """Name of the table that a view's rows are in."""
    return f"features_{view}"


def hash_view(view: FeatureView) -> str:
    """Hash of what a view's table is made by; `ttl` is left out, since it works at look-up."""
    return hash_config(_describe(view, leave_out={"ttl"}))


def order_views(use_case: UseCase, names: Iterable[str] | None = None) -> list[str]:
    """Names of views, each after those that it is made of; all of them by default.

    Raises:
        ConfigError: a view is unknown, or views are made of each other.
    """
    wanted = list(dict.fromkeys(use_case.features if names is None else names))
    for name in wanted:
        use_case.require_view(name)
    follows = {name: use_case.views_read(use_case.features[name].relation) & set(wanted) for name in wanted}
    try:
        return list(TopologicalSorter(follows).static_order())
    except CycleError as error:
        raise ConfigError(f"feature views are made of each other: {' < '.join(error.args[1])}") from error


def hash_dataset(use_case: UseCase) -> str:
    """Hash of what a training set is made by: the dataset and the views it looks up.

    Of the dataset only what it says counts, without defaults: a new key in a new release makes no version out of date.
    """
    asked = use_case.dataset.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"impute"})
    return hash_config({**describe_dataset(use_case), "dataset": asked})


def describe_dataset(use_case: UseCase) -> dict[str, Any]:
    """What a training set is made by, as plain JSON values; enough to make it again."""
    views = {name: _describe(use_case.features[name]) for name in use_case.dataset.features}
    dataset = use_case.dataset.model_dump(mode="json", by_alias=True, exclude={"impute"})
    # Two classes are not named, so that definitions from before there was another task keep their hash.
    task = {} if use_case.model.task == "binary" else {"task": use_case.model.task}
    return {"dataset": dataset, "features": views} | task


def with_definition(use_case: UseCase, definition: str) -> UseCase:
    """The use case as a version's definition has it, whatever its file says today."""
    stored = json.loads(definition)
    views = {name: FeatureView.model_validate_json(json.dumps(view)) for name, view in stored["features"].items()}
    dataset = Dataset.model_validate_json(json.dumps(stored["dataset"]))
    model = use_case.model.model_copy(update={"task": stored.get("task", "binary")})
    return use_case.model_copy(update={"dataset": dataset, "features": {**use_case.features, **views}, "model": model})


def _describe(view: FeatureView, *, leave_out: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True, exclude=_NO_ROWS_DEPEND_ON | leave_out)
