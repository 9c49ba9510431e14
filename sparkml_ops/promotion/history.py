"""Which version was champion when: from `promotions` alone, by one query that anybody can ask."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake, query_tables, table_exists
from sparkml_ops.promotion.decisions import PROMOTIONS

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

CHAMPIONS_SQL = """
SELECT to_version AS version, decided_at AS since, lead(decided_at) OVER (ORDER BY decided_at) AS until,
       decision, from_version, decided_by, reason, run_id
FROM promotions WHERE decision IN ('promoted', 'rolled_back')
"""
"""The champions, each with its time; `until` is null of the present one. README has it too."""

_LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)  # that Python knows


@dataclass(frozen=True)
class Championship:
    """A time in which one version was champion.

    Attributes:
        version: the version.
        since: when it was decided.
        until: when another one was; None of the present one.
        decision: promoted or rolled_back.
        from_version: the champion before; None when there was none.
        decided_by: who.
        reason: why.
        run_id: in which run.
    """

    version: int
    since: datetime
    until: datetime | None
    decision: str
    from_version: int | None
    decided_by: str
    reason: str
    run_id: str


def list_champions(
    use_case: "UseCase", lake: Lake, *, on: datetime | None = None, is_day: bool = False
) -> tuple[Championship, ...]:
    """The champions, newest first: all of them, the one at an instant, or those of a day.

    Args:
        use_case: whose.
        lake: where the tables are.
        on: the instant, or the first one of the day; UTC if it has no zone.
        is_day: whether the whole day is meant that begins then.
    """
    del use_case  # a lake is one use case's
    if not table_exists(lake, PROMOTIONS):
        return ()
    found, _ = query_tables(lake, CHAMPIONS_SQL)
    if on is not None:
        first = on.replace(tzinfo=UTC) if on.tzinfo is None else on
        last = first + timedelta(days=1) if is_day and first < _LAST_DAY else first
        begun = F.col("since") < F.lit(last) if is_day else F.col("since") <= F.lit(last)
        found = found.where(begun & (F.col("until").isNull() | (F.col("until") > F.lit(first))))
    rows = found.orderBy(F.desc("since")).toArrow().to_pylist()
    return tuple(Championship(**row | {"since": _utc(row["since"]), "until": _utc(row["until"])}) for row in rows)


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
