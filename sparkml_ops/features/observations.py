"""Rows of `select` views: what was observed about an entity, and when it could be known.

* `timestamp` is the event's time, `_known_at` is `timestamp + available_after`, or what the view's `known_at` says.
* A timeless view has one row per entity, with timestamp = _known_at = 1900-01-01 UTC, whatever `available_after`
  says.
* Rows are unique by (entity, timestamp, _known_at), so a correction stands beside what it corrects: of several, the one with the greatest content stays. Contents are compared
  column by column in the order of their names; null is below every value. So the choice does not depend on how rows
  were read, or on the order of `select`.
"""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.features.entity_hash import ENTITY_HASH, hash_column
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, event_time, known_time, says_nothing
from sparkml_ops.features.expressions import compile_expression

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView


def observe_events(events: "DataFrame", view: "FeatureView", *, name: str) -> "DataFrame":
    """Rows of a `select` view: entity columns, timestamp, _known_at, the selected columns and _entity_hash.

    Raises:
        ConfigError: a selected expression cannot be computed.
    """
    selected = [
        compile_expression(events, sql, place=f"features.{name}.select.{column}").alias(column)
        for column, sql in sorted(view.select.items())
    ]
    observations = events.filter(~says_nothing(view)).select(
        *view.entity,
        event_time(view).alias(TIMESTAMP),
        known_time(view).alias(KNOWN_AT),
        F.struct(*selected).alias("_content"),
        hash_column(events.schema, view.entity),
    )
    contents = [F.col(f"_content.{column}") for column in view.select]
    # By ranges of time, so that a file has rows of a stretch of it, and what changes a few days of the table leaves most files alone.
    order = [ENTITY_HASH, *view.entity, KNOWN_AT]
    dealt = observations.repartitionByRange(*([TIMESTAMP, *order] if view.timestamp is not None else order))
    # The group's columns are what Spark sorts by to find the greatest: so a file comes out in the order of `_entity_hash`.
    newest = dealt.groupBy(*order, TIMESTAMP).agg(F.max("_content").alias("_content"))
    return newest.select(*view.entity, TIMESTAMP, KNOWN_AT, *contents, ENTITY_HASH)
