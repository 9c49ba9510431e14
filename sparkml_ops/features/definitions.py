"""Hashes of what defines a feature table and a training set.

Only what changes rows counts: a new description (of a view or a column), owner or imputation makes nothing out of date.
"""

from typing import Any

from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.use_case import UseCase, hash_config

_NO_ROWS_DEPEND_ON = {"description", "owner", "impute", "columns"}


def hash_view(view: FeatureView) -> str:
    """Hash of what a view's table is made by; `ttl` is left out, since it works at look-up."""
    return hash_config(_describe(view, leave_out={"ttl"}))


def hash_dataset(use_case: UseCase) -> str:
    """Hash of what a training set is made by: the dataset and the views it looks up.

    Of the dataset only what it says counts, without defaults: a new key in a new release makes no version out of date.
    """
    asked = use_case.dataset.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return hash_config({**describe_dataset(use_case), "dataset": asked})


def describe_dataset(use_case: UseCase) -> dict[str, Any]:
    """What a training set is made by, as plain JSON values; enough to make it again."""
    views = {name: _describe(use_case.features[name]) for name in use_case.dataset.features}
    return {"dataset": use_case.dataset.model_dump(mode="json", by_alias=True), "features": views}


def _describe(view: FeatureView, *, leave_out: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True, exclude=_NO_ROWS_DEPEND_ON | leave_out)
