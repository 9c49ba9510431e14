"""Features of a few decisions, computed again by plain SQL: what an audit holds stored values against.

Nothing here is shared with the way features are built and looked up. Each decision is joined with the raw events of its entity by an
inequality, and Spark's own aggregates make the figures. So this is slow, for a sample alone, and written after FEATURES.md
as if the other road were not there.
"""

import re
from collections.abc import Collection, Mapping
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkml_ops.config.features import FeatureView, feature_name
from sparkml_ops.config.sql import forgive_zero
from sparkml_ops.features.rederived_windows import FILLED, Window, figure_of, payload_of, slack_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.dataset import Dataset

ROW, MOMENT, STORED = "__row", "__moment", "__stored_"
_TIME, _KNOWN, _CONTENT = "__time", "__known", "__content"
_ALWAYS = -2_208_988_800_000_000  # 1900-01-01 UTC in microseconds: since when what is timeless is true


def rederive_view(sampled: "DataFrame", view: FeatureView, rows: "DataFrame", *, name: str) -> "DataFrame":
    """Compute a view's features of a sample again.

    Args:
        sampled: decisions: `__row`, a number of its own for each, the entity columns, `__moment` in microseconds, and what is
            stored of the view's sketches as `__stored_<feature>`.
        view: the view.
        rows: rows of its relation.
        name: its name.

    Returns:
        `__row` of every decision, and the view's columns as `<view>__<column>`.
    """
    features = [feature_name(name, column) for column in view.column_names()]
    found = sampled.select(ROW, *dict.fromkeys(view.entity)).join(_compute(sampled, view, rows, name=name), ROW, "left")
    whole = reduce(and_, [F.col(column).isNotNull() for column in view.entity])
    for column in view.zero_when_missing():
        feature = feature_name(name, column)
        found = found.withColumn(feature, F.when(whole, F.coalesce(feature, F.lit(0))))
    return found.select(ROW, *features)


def list_doubtful(
    views: Mapping[str, FeatureView], dataset: "Dataset", *, stored: Collection[str], unknown: Collection[str]
) -> set[str]:
    """Features of which nobody can say what they should be: they depend on others that are not known to the digit.

    Args:
        views: the dataset's views, by name.
        dataset: the dataset.
        stored: features that are stored; a sketch among them is known, as it is held against its own slack.
        unknown: features that could not be computed again.
    """
    doubtful = set(unknown) | {
        feature_name(name, column.name)
        for name, view in views.items()
        for each in view.aggregates
        for column in each.columns()
        if column.operation.startswith("approx_")
    } - set(stored)
    for name, view in views.items():
        for column, sql in view.derive.items():
            if any(_mentions(sql, each.removeprefix(f"{name}__")) for each in doubtful if each.startswith(f"{name}__")):
                doubtful.add(feature_name(name, column))
    for name, sql in dataset.derived.items():
        if any(_mentions(sql, each) for each in doubtful):
            doubtful.add(name)
    return doubtful


def _compute(sampled: "DataFrame", view: FeatureView, rows: "DataFrame", *, name: str) -> "DataFrame":
    """The view's columns of those decisions that some event says something about."""
    events = rows if view.where is None else rows.filter(F.expr(view.where))
    keys = [f"__entity_{number}" for number in range(len(view.entity))]
    content = (
        [F.struct(*(F.expr(sql).alias(column) for column, sql in sorted(view.select.items()))).alias(_CONTENT)]
        if view.select
        else payload_of(events, view)
    )
    told = events.select(
        *(F.col(column).alias(key) for column, key in zip(view.entity, keys, strict=True)),
        _time(view).alias(_TIME),
        _known(view).alias(_KNOWN),
        *content,
    )
    same = reduce(and_, [F.col(column) == F.col(key) for column, key in zip(view.entity, keys, strict=True)])
    decisions = sampled.select(ROW, MOMENT, *dict.fromkeys(view.entity))
    met = told.join(F.broadcast(decisions), same & _is_seen(view))
    return _newest(met, view, name=name) if view.select else _figures(met, sampled, view, name=name)


def _time(view: FeatureView) -> "Column":
    return F.lit(_ALWAYS) if view.timestamp is None else F.unix_micros(F.col(view.timestamp).cast("timestamp"))


def _known(view: FeatureView) -> "Column":
    if view.known_at is not None:
        return F.unix_micros(F.col(view.known_at).cast("timestamp"))
    delay = 0 if view.timestamp is None else int(view.available_after.total_seconds()) * 1_000_000
    return _time(view) + F.lit(delay)


def _is_seen(view: FeatureView) -> "Column":
    """Whether an event was true and known at a moment, and is not too old to matter; null times are never seen."""
    time, known, moment = F.col(_TIME), F.col(_KNOWN), F.col(MOMENT)
    seen = (time <= moment) & (known <= moment)
    oldest = view.time_to_live()
    if view.timestamp is None or oldest is None:
        return seen
    spare = 86_400 if view.accuracy == "snapshot" else 0  # windows as of midnight begin up to a day earlier
    return seen & (time >= moment - F.lit((int(oldest.total_seconds()) + spare) * 1_000_000))


def _newest(met: "DataFrame", view: FeatureView, *, name: str) -> "DataFrame":
    newest = met.groupBy(ROW).agg(F.max(F.struct(_TIME, _KNOWN, _CONTENT)).alias("newest"))
    return newest.select(
        ROW, *(F.col(f"newest.{_CONTENT}.{column}").alias(feature_name(name, column)) for column in view.select)
    )


def _figures(met: "DataFrame", sampled: "DataFrame", view: FeatureView, *, name: str) -> "DataFrame":
    figures, slacks = {}, {}
    inside_any = F.lit(False)
    for number, aggregate in enumerate(view.aggregates):
        for column in aggregate.columns():
            window = Window(_TIME, _KNOWN, MOMENT, number, column, view.accuracy == "snapshot")
            figures[column.name] = figure_of(window)
            inside_any = inside_any | window.holds()
            if column.operation.startswith("approx_"):
                slacks[column.name] = slack_of(window)
    found = met.groupBy(ROW).agg(
        (F.count_if(inside_any) > 0).alias(FILLED),
        *(figure.alias(figured) for figured, figure in figures.items()),
        *(slack.alias(f"__slack_{figured}") for figured, slack in slacks.items()),
    )
    found = _take_near(found, sampled, {each: f"{STORED}{feature_name(name, each)}" for each in slacks})
    # Prefixed at the end: `derive` knows columns by their names in the view.
    for derived, sql in view.derive.items():
        found = found.withColumn(derived, F.when(F.col(FILLED), F.expr(forgive_zero(sql))))
    return found.select(ROW, *(F.col(each).alias(feature_name(name, each)) for each in view.column_names()))


def _take_near(found: "DataFrame", sampled: "DataFrame", stored: Mapping[str, str]) -> "DataFrame":
    """A sketch that is as near as it promises is right, and what is derived of it comes from that very value."""
    there = {each: kept for each, kept in stored.items() if kept in sampled.columns}
    if not there:
        return found
    met = found.join(F.broadcast(sampled.select(ROW, *there.values())), ROW)
    for each, kept in there.items():
        is_near = F.abs(F.col(kept) - F.col(each)) <= F.col(f"__slack_{each}")
        met = met.withColumn(each, F.when(is_near, F.col(kept)).otherwise(F.col(each)))
    return met


def as_feature(value: "Column", rows: "DataFrame", name: str) -> "Column":
    """A computed value as training sets keep it: text as text, everything else as a double."""
    return value if isinstance(rows.schema[name].dataType, StringType) else value.cast("double")


def _mentions(sql: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", sql, re.IGNORECASE) is not None
