"""Which events the row of a view was made of, by their time. Pure.

A row of `select` is one event. A row of an aggregate, as of a moment m, holds of each window w the events of m - w < t <= m - delay; with
`accuracy: snapshot` those of m - w <= t < m, and t <= m - delay (`features/change_points.py`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.lake import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.dossier.facts import LookedUpView


@dataclass(frozen=True)
class Span:
    """Events between two instants.

    Attributes:
        column: with the time of an event.
        first: the first instant.
        last: the last one.
        with_first: whether the first instant belongs to it.
        with_last: whether the last one does.
        where: what else holds for an event, in SQL.
    """

    column: str
    first: datetime
    last: datetime
    with_first: bool = True
    with_last: bool = True
    where: str = ""

    def matches(self) -> "Column":
        """Whether an event lies in it."""
        at = F.col(quote_identifier(self.column)).cast("timestamp")
        first, last = F.lit(self.first), F.lit(self.last)
        found = (at >= first if self.with_first else at > first) & (at <= last if self.with_last else at < last)
        return found & F.expr(self.where) if self.where else found

    def describe(self) -> str:
        """In SQL's words, with instants in UTC."""
        first, last = _tell(self.first), _tell(self.last)
        if self.first == self.last:
            told = f"{self.column} = {last}"
        else:
            begins, ends = ">=" if self.with_first else ">", "<=" if self.with_last else "<"
            told = f"{self.column} {begins} {first} and {self.column} {ends} {last}"
        return f"{told} and ({' '.join(self.where.split())})" if self.where else told


def find_span(view: "FeatureView", found: "LookedUpView") -> Span | None:
    """The events that told the row that counted; None where they are not rows of one table with a time of their own."""
    at = found.timestamp
    if view.relation.table is None or view.timestamp is None or at is None:
        return None
    where = view.where or ""
    if not view.aggregates:
        return Span(view.timestamp, at, at, where=where)
    longest = max(window for aggregate in view.aggregates for window in aggregate.windows)
    is_snapshot, delay = view.accuracy == "snapshot", view.available_after
    if view.known_at is not None:
        known = f"`{view.known_at}` <= TIMESTAMP '{_tell(at)}'"
        where = f"({where}) AND {known}" if where else known
    with_last = not is_snapshot or delay > timedelta(0)
    return Span(view.timestamp, at - longest, at - delay, with_first=is_snapshot, with_last=with_last, where=where)


def _tell(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
