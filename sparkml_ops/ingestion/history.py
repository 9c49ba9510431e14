"""Every version of a row, from when until before when it held (slowly changing dimension, type 2).

A version holds from the moment of its change, `valid_from`, until before the next change of its key, `valid_to`; null is: until
now. A deletion ends a version and begins none. Of several changes of a key at one moment the latest by `order_by` counts. A change
that comes late takes its place: it ends where the next one begins, and the version before it ends where it begins. Only the
versions of keys in the batch are read, and only those before a new change are patched.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.config.sources import HISTORY_COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

VALID_FROM, VALID_TO = HISTORY_COLUMNS
BEFORE = "_before"
"""The `valid_from` of the version that ends where a change begins; null where there is none in the table."""


def add_intervals(
    events: "DataFrame", key: Sequence[str], moment: str, *, holds: str, is_version: Column
) -> "DataFrame":
    """Add `valid_from`, `valid_to` and `_before` to each event that holds; of others they mean nothing.

    Args:
        events: all changes of the keys, those of the table among them, with `key` and `moment`.
        key: the key columns.
        moment: when a change begins to hold.
        holds: a column, true of one event of each key and moment.
        is_version: true of events that are rows of the table.
    """
    at = F.col(moment).cast("timestamp")
    timeline = Window.partitionBy(*key).orderBy(F.desc(holds), at)
    return events.withColumns(
        {
            VALID_FROM: at,
            VALID_TO: F.when(F.lead(holds).over(timeline), F.lead(at).over(timeline)),
            BEFORE: F.when(F.col(holds) & F.lag(is_version).over(timeline), F.lag(at).over(timeline)),
        }
    )


def add_open_intervals(events: "DataFrame", moment: str) -> "DataFrame":
    """As `add_intervals`, where each key has one event."""
    nothing = F.lit(None).cast("timestamp")
    return events.withColumns({VALID_FROM: F.col(moment).cast("timestamp"), VALID_TO: nothing, BEFORE: nothing})


def list_patches(changes: "DataFrame", key: Sequence[str]) -> "DataFrame":
    """Key, `valid_from` and new `valid_to` of the versions that end where a change begins."""
    ended = changes.where(F.col(BEFORE).isNotNull())
    return ended.select(*key, F.col(BEFORE).alias(VALID_FROM), F.col(VALID_FROM).alias(VALID_TO))
