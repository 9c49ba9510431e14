"""Which rows of a view's table may change when some of its events do: a range of time for each slice of the entities.

An event counts from the instant at which it enters the longest window until it leaves it, in a `select` view at its own time alone. So of a
slice only the rows from the first such instant to the last can change. There are `SLICES` slices by a hash of the entity, so that what is
touched is told in a few numbers, however many events there are. Rows that are touched without need come out as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkml_ops.features.change_points import DAY
from sparkml_ops.features.entity_hash import ENTITY_HASH, HASHES, tell_hash
from sparkml_ops.features.events import (
    TIMESTAMP,
    event_time,
    from_microseconds,
    known_time,
    says_nothing,
    to_microseconds,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView

SLICES = 256
_YEAR_1, _YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999  # its first, and its last microsecond
_NEVER = 4 * 10**18  # microseconds; later than any instant, and room to add to it


@dataclass(frozen=True)
class Touched:
    """The first and the last instant of each slice, in microseconds; `last < first` where nothing is touched.

    Attributes:
        first: by the slice's number; a single one for all of them.
        last: the same.
    """

    first: tuple[int, ...] = (_NEVER,)
    last: tuple[int, ...] = (-_NEVER,)

    def slices(self) -> int:
        """How many slices are touched."""
        found = sum(first <= last for first, last in zip(self.first, self.last, strict=True))
        return found * (SLICES // len(self.first))

    def ends(self) -> tuple[int, int]:
        """The first and the last instant of all, in microseconds."""
        return min(self.first), max(self.last)

    def span(self) -> tuple[datetime, datetime] | None:
        """The first and the last instant of all; None where nothing is touched."""
        if not self.slices():
            return None
        first, last = self.ends()
        return from_microseconds(max(first, _YEAR_1)), from_microseconds(min(last, _YEAR_9999))

    def begin_earlier(self, earlier: int) -> "Touched":
        """Beginning so many microseconds earlier."""
        return Touched(tuple(first - earlier for first in self.first), self.last)


@dataclass(frozen=True)
class ChangedEvents:
    """Events that are new, gone, or changed.

    Attributes:
        events: how many; a changed one counts as it was and as it is.
        left_out: how many more say nothing.
        touched: what they touch.
    """

    events: int
    left_out: int
    touched: Touched


def measure_changes(events: "DataFrame", view: "FeatureView") -> ChangedEvents:
    """What some events touch, by one job.

    Args:
        events: those that changed.
        view: the view that they are of.
    """
    first = F.unix_micros(known_time(view) if view.aggregates else event_time(view))
    last = F.unix_micros(event_time(view)) + F.lit(_reach(view))
    number = F.expr(tell_slice(events.schema, view.entity))
    counted = events.select(
        says_nothing(view).alias("says_nothing"), number.alias("slice"), first.alias("first"), last.alias("last")
    )
    found = counted.groupBy("says_nothing", "slice").agg(F.count("*"), F.min("first"), F.max("last")).collect()
    by_slice = {row["slice"]: row for row in found if not row["says_nothing"]}
    touched = Touched(
        tuple(by_slice[n]["min(first)"] if n in by_slice else _NEVER for n in range(SLICES)),
        tuple(by_slice[n]["max(last)"] if n in by_slice else -_NEVER for n in range(SLICES)),
    )
    told = sum(row["count(1)"] for row in by_slice.values())
    return ChangedEvents(told, sum(row["count(1)"] for row in found) - told, touched)


def touch_range(first: int, last: int) -> Touched:
    """A range of time of every entity, both ends included, in microseconds."""
    return Touched((first,), (last,))


def keep_events(events: "DataFrame", view: "FeatureView", touched: Touched) -> "DataFrame":
    """The events that touched rows are made of, and perhaps a few more."""
    time, known = event_time(view), F.greatest(known_time(view), event_time(view))
    earlier = touched.begin_earlier(_reach(view))
    lower, upper = _bounds(earlier, tell_slice(events.schema, view.entity))
    seen = known if view.aggregates else time
    kept = (F.unix_micros(time) >= F.expr(lower)) & (F.unix_micros(seen) <= F.expr(upper))
    span = earlier.span()
    # The instants themselves are compared too: by them files are skipped.
    return events.filter((time >= F.lit(span[0])) & (time <= F.lit(span[1])) & kept) if span else events.filter(kept)


def tell_condition(touched: Touched, columns: StructType, entity: Sequence[str]) -> str:
    """SQL that is true of the touched rows of a view's table."""
    span = touched.span()
    if span is None:
        return "false"
    first, last = (f"TIMESTAMP '{instant.isoformat()}'" for instant in span)
    # A table of an earlier release has no such column.
    number = _to_slice(f"`{ENTITY_HASH}`") if ENTITY_HASH in columns.names else tell_slice(columns, entity)
    lower, upper = _bounds(touched, number)
    at = f"unix_micros(`{TIMESTAMP}`)"
    return f"`{TIMESTAMP}` >= {first} AND `{TIMESTAMP}` <= {last} AND {at} >= {lower} AND {at} <= {upper}"


def _reach(view: "FeatureView") -> int:
    """How long after its own time an event may still change a row."""
    if not view.aggregates:
        return 0
    longest = max(window for aggregate in view.aggregates for window in aggregate.windows)
    return to_microseconds(longest) + (DAY if view.accuracy == "snapshot" else 0)


def _bounds(touched: Touched, number: str) -> tuple[str, str]:
    if len(touched.first) == 1:
        return f"{touched.first[0]}L", f"{touched.last[0]}L"
    first, last = (", ".join(f"{instant}L" for instant in instants) for instants in (touched.first, touched.last))
    return f"array({first})[{number}]", f"array({last})[{number}]"


def tell_slice(columns: StructType, entity: Sequence[str]) -> str:
    """SQL for the number of an entity's slice, an int."""
    return _to_slice(tell_hash(columns, entity))


def _to_slice(hash_: str) -> str:
    return f"CAST({hash_} DIV {HASHES // SLICES} AS INT)"
