"""Rows of a view's table, from the rows of its relation: what a build writes, and what a look-up restates."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.features.events import ALWAYS, KNOWN_AT, find_events, instant_microseconds, known_time
from sparkml_ops.features.observations import observe_events
from sparkml_ops.features.touched import Touched, keep_events, tell_condition
from sparkml_ops.features.windows import aggregate_events

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView


def compute_features(
    rows: "DataFrame", view: "FeatureView", *, name: str, touched: Touched | None = None
) -> "DataFrame":
    """Rows of a view's table, from the rows of its relation.

    Args:
        rows: of the relation.
        view: the view.
        name: its name, for messages.
        touched: the rows that are wanted; by default all.

    Raises:
        ConfigError: the view does not fit the relation.
    """
    events = find_events(rows, view, name=name)
    kept = events if touched is None else keep_events(events, view, touched)
    if view.aggregates:
        features = aggregate_events(kept, view, name=name, within=None if touched is None else touched.ends())
    else:
        features = observe_events(kept, view, name=name)
    if touched is None:
        return features
    return features.filter(F.expr(tell_condition(touched, features.schema, view.entity)))


def restate_windows(rows: "DataFrame", view: "FeatureView", *, name: str, as_known_at: datetime) -> "DataFrame":
    """Rows of an `aggregate` view by what was known at one instant: an event counts from its own time on, if it was known by then.

    A view's table cannot tell that: its rows are of what was known at each moment.

    Args:
        rows: of the relation.
        view: the view.
        name: its name, for messages.
        as_known_at: the instant; UTC if it has no zone.

    Raises:
        ConfigError: the view does not fit the relation.
    """
    was_known = F.unix_micros(known_time(view)) <= F.lit(instant_microseconds(as_known_at))
    known = find_events(rows, view, name=name).filter(was_known)
    at_once = view.model_copy(update={"known_at": None, "available_after": timedelta(0)})
    return aggregate_events(known, at_once, name=name).withColumn(KNOWN_AT, F.lit(ALWAYS))
