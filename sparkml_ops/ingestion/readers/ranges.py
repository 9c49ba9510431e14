"""Ranges of a column that grows: which rows are new, as text that the manifest keeps and SQL understands.

A range ends at a mark that is fixed before a row is read, so reading it again gives the same range. It begins after the end of
the one before it: `low < column <= high`. Nothing between two ranges, and nothing in both.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise

Mark = datetime | date | Decimal
"""A value of the column: an instant in UTC without its zone, a day, or a number without fraction."""

_NAME = re.compile(
    r"(?P<what>.+): (?P<column>.+?)(?: after (?P<low>\S+(?: \S+)?))? up to (?P<high>\S+(?: \S+)?)", re.DOTALL
)
_FINER = re.compile(r"\.\d{6}0*[1-9]")


@dataclass(frozen=True)
class MarkRange:
    """Rows with `low < column <= high`; without a low, all up to the high.

    Attributes:
        what: the table, or the query's short name.
        column: the column that grows.
        low: the mark that the rows lie above.
        high: the greatest mark that is in it.
    """

    what: str
    column: str
    low: Mark | None
    high: Mark

    def __str__(self) -> str:
        """The name of the piece: `public.orders: updated_at after 2026-01-01 00:00:00 up to 2026-01-02 00:00:00`."""
        after = f" after {self.low}" if self.low is not None else ""
        return f"{self.what}: {self.column}{after} up to {self.high}"

    def condition(self, column: str) -> str:
        """The rows of the range as SQL, with the column as it is quoted there."""
        low = f"{column} > {to_literal(self.low)} AND " if self.low is not None else ""
        return f"{low}{column} <= {to_literal(self.high)}"

    def ends_at(self, now: datetime) -> datetime:
        """The end as an instant; for numbers the time at which it was found."""
        if isinstance(self.high, datetime):
            return self.high.replace(tzinfo=UTC)
        return datetime.combine(self.high, time.max, UTC) if isinstance(self.high, date) else now


def parse_range(name: str) -> MarkRange | None:
    """The range that a piece's name tells; None when it tells none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    low = parse_mark(found["low"]) if found["low"] else None
    high = parse_mark(found["high"])
    return None if high is None else MarkRange(found["what"], found["column"], low, high)


def parse_mark(text: str) -> Mark | None:
    """A value as the database writes it; None for one that cannot be a mark (infinity, NaN, a fraction of a microsecond)."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return date.fromisoformat(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None if _FINER.search(text) else _parse_instant(text)
    return number if number.is_finite() and number == number.to_integral_value() else None


def end_of_range(newest: Mark, now: datetime, lag: timedelta) -> Mark:
    """The greatest mark that no row can come to any more.

    Rows that are younger than the lag may have neighbours that are written already and not committed yet, so they wait. A
    number has no clock: it is taken as it is.

    Args:
        newest: the greatest mark of the table.
        now: the database's clock, UTC, without its zone.
        lag: longer than any transaction that writes the table.
    """
    settled = now - lag
    if isinstance(newest, datetime):
        return min(newest, settled)
    # A day is over, and may be read, when its last moment is.
    return min(newest, settled.date() - timedelta(days=1)) if isinstance(newest, date) else newest


def to_literal(mark: Mark) -> str:
    """A mark in the SQL that every driver of JDBC understands."""
    if isinstance(mark, datetime):
        return f"{{ts '{mark.isoformat(sep=' ', timespec='microseconds')}'}}"
    return f"{{d '{mark.isoformat()}'}}" if isinstance(mark, date) else format(mark, "f")


def split_conditions(column: str, low: int, high: int, partitions: int) -> Sequence[str]:
    """Conditions that share the rows out: each row has exactly one, whatever its number is, and also without one.

    Args:
        column: as it is quoted in SQL.
        low: the lowest number that was seen.
        high: the highest.
        partitions: how many conditions, at most one for each number.
    """
    number = max(1, min(partitions, high - low + 1))
    bounds = [low + (high - low + 1) * at // number for at in range(1, number)]
    if not bounds:
        return []
    between = [f"{column} >= {a} AND {column} < {b}" for a, b in pairwise(bounds)]
    return [f"{column} < {bounds[0]} OR {column} IS NULL", *between, f"{column} >= {bounds[-1]}"]


def _parse_instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
