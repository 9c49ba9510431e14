"""The events of a feature view: the rows of its relation for which its `where` holds.

* A row in which an entity column is null says nothing about any entity, and is left out.
* A row whose timestamp is null says nothing about any time, and is left out. So is one that is known nobody knows when.
* A view without a timestamp is timeless: its rows are true, and known, since 1900-01-01 UTC.
"""

from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.entity_hash import ENTITY_HASH
from sparkml_ops.features.expressions import compile_expression, require_columns, require_instant

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.features import FeatureView

TIMESTAMP = "timestamp"
KNOWN_AT = "_known_at"
ALWAYS = datetime(1900, 1, 1, tzinfo=UTC)
"""Timestamp of what is timeless: before any moment that a decision could be made at."""


def find_events(rows: "DataFrame", view: "FeatureView", *, name: str) -> "DataFrame":
    """Events of a view, those that will be left out included.

    Args:
        rows: rows of the view's relation.
        view: the view.
        name: its name, for messages.

    Raises:
        ConfigError: a column is missing or has a type that cannot serve, or `where` cannot be computed.
    """
    place = f"features.{name}"
    require_columns(rows, view.entity, place=f"{place}.entity")
    if view.timestamp is not None:
        require_instant(rows, view.timestamp, place=f"{place}.timestamp")
    if view.known_at is not None:
        require_instant(rows, view.known_at, place=f"{place}.known_at")
    own = {TIMESTAMP, KNOWN_AT, ENTITY_HASH}
    taken = sorted((own | set(view.entity)) & set(view.column_names()) | own & set(view.entity))
    if taken:
        raise ConfigError(
            f"{place}: `{taken[0]}` is a column of every feature table already. Give the feature another name; an entity gets another "
            "one in the relation, by `AS`."
        )
    return rows if view.where is None else rows.filter(compile_expression(rows, view.where, place=f"{place}.where"))


def says_nothing(view: "FeatureView") -> "Column":
    """Whether an event is left out: an entity column, the timestamp or the instant at which it was known is null."""
    needed = [*view.entity, *(name for name in (view.timestamp, view.known_at) if name is not None)]
    return reduce(or_, [F.col(column).isNull() for column in needed])


def event_time(view: "FeatureView") -> "Column":
    """When an event was true."""
    return F.lit(ALWAYS) if view.timestamp is None else F.col(view.timestamp).cast("timestamp")


def known_time(view: "FeatureView") -> "Column":
    """When an event was known: when its own column says so, or so much later than it was true."""
    if view.known_at is not None:
        return F.col(view.known_at).cast("timestamp")
    delay = 0 if view.timestamp is None else to_microseconds(view.available_after)
    return F.timestamp_micros(F.unix_micros(event_time(view)) + F.lit(delay))


def to_microseconds(duration: timedelta) -> int:
    """A duration as Spark and Arrow count time."""
    return duration // timedelta(microseconds=1)


def from_microseconds(microseconds: int) -> datetime:
    """The UTC instant so many microseconds after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def instant_microseconds(at: datetime) -> int:
    """An instant as Spark counts time: microseconds since 1970; without a zone it is meant as UTC."""
    return to_microseconds((at.replace(tzinfo=UTC) if at.tzinfo is None else at) - datetime(1970, 1, 1, tzinfo=UTC))
