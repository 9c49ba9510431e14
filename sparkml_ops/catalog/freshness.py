"""How old the newest row of a table is, held against what is declared."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.lake import read_table, table_exists

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake


@dataclass(frozen=True)
class Freshness:
    """The age of the newest row.

    Attributes:
        of: the column that it is told by.
        age_seconds: now minus its newest value; None when there is none.
        within_seconds: what is declared.
    """

    of: str
    age_seconds: float | None
    within_seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether the newest row is young enough."""
        return self.age_seconds is not None and self.age_seconds <= self.within_seconds


def read_freshness(use_case: "UseCase", lake: "Lake", table: str, *, now: datetime) -> Freshness | None:
    """The freshness of a table; None where nothing is declared. It reads one column."""
    declared = _find_declared(use_case, table)
    if declared is None:
        return None
    read_from, column, within = declared
    if not table_exists(lake, read_from):
        return Freshness(column, None, within.total_seconds())
    newest = (
        read_table(lake, read_from).agg(F.unix_micros(F.max(F.col(f"`{column}`").cast("timestamp")))).collect()[0][0]
    )
    age = None if newest is None else now.timestamp() - newest / 1e6
    return Freshness(column, age, within.total_seconds())


def _find_declared(use_case: "UseCase", table: str) -> tuple[str, str, timedelta] | None:
    """The table that tells, its column, and the age that is allowed."""
    source = use_case.sources.get(table.removeprefix("clean_")) if table.startswith("clean_") else None
    if source is not None and source.freshness is not None:
        return table, source.freshness.of, source.freshness.within
    if table == "predictions_current" and use_case.monitoring.freshness is not None:
        return "prediction_batches", "published_at", use_case.monitoring.freshness
    return None
