"""The point-in-time lookup: what was known about an entity at a moment.

* For a moment of an entity, a view gives its newest row with `_known_at <= moment`, if that row is not older than the
  view's time to live: `timestamp >= moment - ttl`. Otherwise its columns are null.
* Counts are the exception: no row means that nothing happened in the window, so they are 0.
* A moment with a null entity column, or without a time, gets null in every column of the view, counts included.
* Moments are never dropped and never doubled, and keep their columns and the order of those.

Rows of the views and the moments are brought together by entity, sorted by time, and the last row of each view is
carried on to the moments after it. Views of the same entity share one shuffle. Within a view `_known_at` must not
fall when `timestamp` grows; the tables of this room are made so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType
from pyspark.sql.window import Window

from sparkml_ops.config.features import feature_name
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, to_microseconds
from sparkml_ops.features.expressions import require_columns, require_instant

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_MOMENT, _TIME, _IS_MOMENT, _SALT = "__moment", "__time", "__is_moment", "__salt"
NULL_SALTS = 1024
"""Into how many groups moments without entity or time are dealt, so that they do not all meet in one task."""


@dataclass(frozen=True)
class ViewRows:
    """A feature view, ready to be looked up.

    Attributes:
        name: its name.
        entity: its entity columns.
        columns: its feature columns.
        rows: entity columns, timestamp, _known_at and the feature columns.
        ttl: age past which a row says nothing; None for never.
        counts: the columns that are 0 where there is no row.
    """

    name: str
    entity: tuple[str, ...]
    columns: tuple[str, ...]
    rows: "DataFrame"
    ttl: timedelta | None = None
    counts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Span:
    """First and last moment, in microseconds."""

    first: int
    last: int


def join_point_in_time(moments: "DataFrame", views: Sequence[ViewRows], *, timestamp: str) -> "DataFrame":
    """Give each moment the features known at it.

    Runs one small aggregation over the moments, to leave out feature rows that no moment can see.

    Args:
        moments: rows with the views' entity columns and a time.
        views: what to look up.
        timestamp: name of the column with the moment.

    Returns:
        The moments with a column `<view>__<column>` for every feature, in the order of the views.

    Raises:
        ConfigError: a column is missing, has another type than in the view, or is there already.
    """
    _check_moments(moments, views, timestamp)
    span = _find_span(moments, timestamp)
    joined = moments
    for entity in dict.fromkeys(view.entity for view in views):
        joined = _look_up(joined, [view for view in views if view.entity == entity], timestamp, span)
    features = [feature_name(view.name, column) for view in views for column in view.columns]
    return joined.select(*(F.col(_quote(name)) for name in [*moments.columns, *features]))


def _check_moments(moments: "DataFrame", views: Sequence[ViewRows], timestamp: str) -> None:
    require_instant(moments, timestamp, place="point-in-time lookup, the moment")
    for view in views:
        place = f"point-in-time lookup of {view.name}"
        require_columns(moments, view.entity, place=f"{place}, its entity in the moments")
        require_columns(view.rows, [*view.entity, TIMESTAMP, KNOWN_AT, *view.columns], place=f"{place}, its table")
        for column in view.entity:
            ours, theirs = moments.schema[column].dataType, view.rows.schema[column].dataType
            if ours != theirs and not (isinstance(ours, IntegralType) and isinstance(theirs, IntegralType)):
                raise ConfigError(
                    f"{place}: entity `{column}` is {ours.simpleString()} in the moments and {theirs.simpleString()} "
                    "in the view, so that no two values can be equal. Cast one of them in its relation."
                )
        taken = sorted({feature_name(view.name, column) for column in view.columns} & set(moments.columns))
        if taken:
            raise ConfigError(f"{place}: the moments have a column `{taken[0]}` already. Rename it there.")


def _find_span(moments: "DataFrame", timestamp: str) -> _Span:
    time = F.unix_micros(F.col(_quote(timestamp)).cast("timestamp"))
    first, last = moments.agg(F.min(time), F.max(time)).collect()[0]
    return _Span(0, -1) if first is None else _Span(first, last)


def _look_up(moments: "DataFrame", views: Sequence[ViewRows], timestamp: str, span: _Span) -> "DataFrame":
    """Look up views that have the same entity columns, with one shuffle."""
    entity = views[0].entity
    rows = _to_lookups(moments, entity, timestamp)
    for view in views:
        rows = rows.unionByName(_to_news(view, moments, span), allowMissingColumns=True)
    keys = [_key(number) for number in range(len(entity))]
    # A feature row that becomes known at the very moment comes before it.
    so_far = Window.partitionBy(*keys, _SALT).orderBy(_TIME, _IS_MOMENT).rowsBetween(Window.unboundedPreceding, 0)
    carried = rows.select(
        _MOMENT,
        _TIME,
        _IS_MOMENT,
        _SALT,
        *(F.last(view.name, ignorenulls=True).over(so_far).alias(view.name) for view in views),
    ).filter(_IS_MOMENT)
    found = [_feature(view, column) for view in views for column in view.columns]
    return carried.select(f"{_MOMENT}.*", *found)


def _to_lookups(moments: "DataFrame", entity: Sequence[str], timestamp: str) -> "DataFrame":
    """The moments as rows of the union; those that can find nothing are dealt out by a hash of their content."""
    time = F.unix_micros(F.col(_quote(timestamp)).cast("timestamp"))
    is_whole = reduce(and_, [F.col(_quote(name)).isNotNull() for name in [*entity, timestamp]])
    hashable = [field.name for field in moments.schema if "map<" not in field.dataType.simpleString()]
    salt = F.pmod(F.xxhash64(*(F.col(_quote(name)) for name in hashable)), F.lit(NULL_SALTS)) + 1
    return moments.select(
        F.struct(*(F.col(_quote(name)) for name in moments.columns)).alias(_MOMENT),
        *(F.col(_quote(name)).alias(_key(number)) for number, name in enumerate(entity)),
        time.alias(_TIME),
        F.lit(True).alias(_IS_MOMENT),
        F.when(is_whole, F.lit(0)).otherwise(salt).cast("int").alias(_SALT),
    )


def _to_news(view: ViewRows, moments: "DataFrame", span: _Span) -> "DataFrame":
    """The rows of a view that some moment may see, as rows of the union."""
    known_at = F.unix_micros(KNOWN_AT)
    is_seen = known_at <= F.lit(span.last)
    if view.ttl is not None:
        is_seen &= F.unix_micros(TIMESTAMP) >= F.lit(span.first - to_microseconds(view.ttl))
    # A key outside the range of the moments' integer type cannot be met, and becomes null.
    keys = {_key(n): F.col(name).try_cast(moments.schema[name].dataType) for n, name in enumerate(view.entity)}
    content = F.struct(F.unix_micros(TIMESTAMP).alias(_TIME), *(F.col(column) for column in view.columns))
    news = view.rows.filter(is_seen).select(
        *(key.alias(name) for name, key in keys.items()),
        known_at.alias(_TIME),
        F.lit(False).alias(_IS_MOMENT),
        F.lit(0).alias(_SALT),
        content.alias(view.name),
    )
    return news.dropna(subset=list(keys))


def _feature(view: ViewRows, column: str) -> "Column":
    value = F.col(view.name)[column]
    if view.ttl is not None:
        value = F.when(F.col(_TIME) - F.col(view.name)[_TIME] <= F.lit(to_microseconds(view.ttl)), value)
    if column in view.counts:
        value = F.coalesce(value, F.when(F.col(_SALT) == 0, F.lit(0)).cast(view.rows.schema[column].dataType))
    return value.alias(feature_name(view.name, column))


def _key(number: int) -> str:
    return f"__key_{number}"


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
