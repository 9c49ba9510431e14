"""Each column of a feature view: what it means and holds, and its way from the sources to the predictions. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.config.column_reads import trace_view
from sparkml_ops.config.comments import comment_view
from sparkml_ops.config.features import feature_name
from sparkml_ops.config.sql import SqlError, read_expression

if TYPE_CHECKING:
    from sparkml_ops.catalog.view_statistics import ColumnStatistics
    from sparkml_ops.config.use_case import UseCase


@dataclass(frozen=True)
class ViewColumn:
    """One feature column.

    Attributes:
        name: its name in the view.
        type: Spark's name of its type; None when the view was never built.
        meaning: what it says.
        owner: who answers for it, where that is not the view's owner.
        reads: columns of the clean tables that it is made of, as `<source>.<column>`.
        raw: the columns that came in, of which those are derived.
        is_traced: whether that is all; what a Python function reads cannot be known.
        feature: its name in a training row.
        derived: features of the dataset that are derived from it.
        is_learned: whether a model learns from it, or from one of these, by the file as it is now.
        models: model versions that did, newest first.
        statistics: its figures over time, newest first.
    """

    name: str
    type: str | None
    meaning: str
    owner: str | None
    reads: tuple[str, ...]
    raw: tuple[str, ...]
    is_traced: bool
    feature: str
    derived: tuple[str, ...]
    is_learned: bool
    models: tuple[int, ...]
    statistics: "tuple[ColumnStatistics, ...]"


def describe_columns(
    use_case: "UseCase",
    name: str,
    types: Mapping[str, str],
    statistics: "Mapping[str, tuple[ColumnStatistics, ...]]",
    learned: Mapping[str, tuple[int, ...]],
) -> tuple[tuple[ViewColumn, ...], tuple[str, ...]]:
    """The columns of a view, and the source columns that say which rows it has.

    Args:
        use_case: declares it.
        name: the view.
        types: types of the table's columns.
        statistics: figures by `<view>.<column>`.
        learned: model versions by the feature of a training row.
    """
    view = use_case.features[name]
    traced, meanings = trace_view(use_case, name), comment_view(view)
    now_learned = set(use_case.feature_columns()) if name in use_case.dataset.features else set()
    found = []
    for column in view.column_names():
        feature = feature_name(name, column)
        derived = _follow_derived(use_case, feature)
        models = sorted({model for one in (feature, *derived) for model in learned.get(one, ())}, reverse=True)
        said = view.columns.get(column)
        found.append(
            ViewColumn(
                name=column,
                type=types.get(column),
                meaning=meanings.get(column, ""),
                owner=said.owner if said else None,
                reads=traced[column].columns,
                raw=traced[column].raw,
                is_traced=traced[column].is_known,
                feature=feature,
                derived=derived,
                is_learned=bool(now_learned & {feature, *derived}),
                models=tuple(models),
                statistics=statistics.get(f"{name}.{column}", ()),
            )
        )
    return tuple(found), traced[view.entity[0]].columns


def _follow_derived(use_case: "UseCase", feature: str) -> tuple[str, ...]:
    """Derived features of the dataset that a looked-up one goes into, also by way of another."""
    reached = {feature.lower()}
    found = []
    for name, sql in use_case.dataset.derived.items():
        try:
            names = read_expression(sql).columns
        except SqlError:
            continue  # told by the loader
        if reached & {one.lower() for one in names}:
            reached.add(name.lower())
            found.append(name)
    return tuple(found)
