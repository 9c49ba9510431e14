"""Changes that can be put in an order."""

from collections.abc import Iterator
from datetime import timedelta

from sparkml_ops.config.mistakes import Finding, show_value
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.rules.scope import Scope, check_names, check_row_expression
from sparkml_ops.config.sources import Merge, Source
from sparkml_ops.config.types import format_duration

_LONGEST_TOLERANCE = timedelta(days=36525)  # calendars end at the year 9999
_MOMENTS = ("date", "timestamp")


def check_merge(path: KeyPath, source: Source, merge: Merge) -> Iterator[Finding]:
    """What is wrong with the `merge` section of a source.

    Args:
        path: of the source.
        source: it.
        merge: its section.
    """
    at = (*path, "merge")
    if source.mode != "merge":
        yield Finding(at, f"an order of changes for the mode {source.mode}", "mode: merge with it")
    contract = Scope("the contract", source.column_names())
    yield from check_names((*at, "order_by"), merge.order_by, contract)
    for place, name in enumerate(merge.order_by):
        if name in source.key:
            yield Finding(
                (*at, "order_by", place),
                f"{show_value(name)} is part of the key",
                "columns that tell apart the changes of a key",
            )
        elif name in source.columns and source.columns[name].nullable:
            yield Finding(
                (*at, "order_by", place), f"{show_value(name)} is declared nullable", "columns that are never null"
            )
    if merge.deleted_when is not None:
        yield from check_row_expression((*at, "deleted_when"), merge.deleted_when, contract)
    if "future_tolerance" in merge.model_fields_set and not any(
        _may_be_moment(source, name) for name in merge.order_by
    ):
        yield Finding(
            (*at, "future_tolerance"),
            "no column of order_by is a date or a timestamp",
            "order_by with one, or no tolerance",
        )
    if merge.future_tolerance > _LONGEST_TOLERANCE:
        yield Finding(
            (*at, "future_tolerance"), f"found {format_duration(merge.future_tolerance)}", "a hundred years or less"
        )
    yield from _check_history(path, source, merge)


def _check_history(path: KeyPath, source: Source, merge: Merge) -> Iterator[Finding]:
    if not merge.history:
        return
    first = merge.order_by[0]
    if first in source.columns and not _may_be_moment(source, first):
        found = f"order_by starts with {first}, a {source.columns[first].type}"
        yield Finding((*path, "merge", "history"), found, "a date or timestamp first: it is what a version holds from")
    for group, names in (("columns", source.columns), ("derive", source.derive)):
        for name in names:
            if name.lower() in source.history_columns():
                yield Finding((*path, group, name), "the name of a column that merge.history adds", "another name")


def _may_be_moment(source: Source, name: str) -> bool:
    """Whether it is a date or a timestamp; of what is derived the text does not tell."""
    return name in source.derive or (name in source.columns and source.columns[name].type in _MOMENTS)
