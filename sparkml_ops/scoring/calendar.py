"""What a scoring would do, day by day: gaps, doubles, and what is published already. Nothing is written."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake, read_table, resolve_relation, table_exists
from sparkml_ops.models import ModelVersion, find_version, prepare_tracking
from sparkml_ops.scoring.ledger import CURRENT
from sparkml_ops.scoring.refusals import tell_reasons
from sparkml_ops.scoring.request import choose_span

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.use_case import UseCase

_MOST_DAYS = 3660  # the newest ten years


@dataclass(frozen=True)
class ScoringDay:
    """One day of a request, in UTC.

    Attributes:
        day: the day; None for rows without a moment.
        asked: rows of the request; 0 on a day between others is a gap.
        refused: of these, rows that cannot be scored: without key or moment, or with a key that is there twice.
        new: rows that consumers do not see yet.
        published: rows that they see at this moment, from the version that would score.
        by_others: rows that they see at this moment from another version.
        older: rows of which they see a newer moment.
        batches: batches that the published rows came from; more than one is no mistake, but worth a look.
    """

    day: date | None
    asked: int
    refused: int
    new: int
    published: int
    by_others: int
    older: int
    batches: int


@dataclass(frozen=True)
class ScoringPlan:
    """What a scoring would do.

    Attributes:
        model_version: the version that would score.
        days: from the first to the last, gaps included.
    """

    model_version: int
    days: tuple[ScoringDay, ...]


def plan_scoring(
    use_case: "UseCase", lake: Lake, *, since: datetime | None = None, until: datetime | None = None
) -> ScoringPlan:
    """Lay the request beside what is published, by day.

    Whether the features of a published row have changed is not looked up.

    Args:
        use_case: says what is asked for.
        lake: where the tables are.
        since: the first moment.
        until: the first moment that is not asked for any more.

    Raises:
        ConfigError: the span is empty.
        ModelNotFoundError: nobody would score.
    """
    role = use_case.scoring.publisher
    version = find_version(prepare_tracking(use_case.environment), use_case.name, alias=role)
    rows, _ = resolve_relation(lake, use_case.scoring.relation)
    as_of, key = use_case.scoring.as_of, use_case.dataset.key_columns()
    columns = [F.col(f"`{name}`") for name in dict.fromkeys([*use_case.dataset.entity, as_of])]
    moments = choose_span(rows.select(*columns), as_of, since=since, until=until)
    judged = tell_reasons(moments, key, as_of).withColumn("_moment", F.col(f"`{as_of}`").cast("timestamp"))
    beside = _join_published(lake, judged, key)
    days = beside.groupBy(F.to_date("_moment").alias("day")).agg(*_count_kinds(version)).orderBy(F.desc("day"))
    found = [ScoringDay(**row.asDict()) for row in days.limit(_MOST_DAYS).collect()]
    return ScoringPlan(version.version, tuple(fill_gaps(found)))


def _join_published(lake: Lake, rows: "DataFrame", key: list[str]) -> "DataFrame":
    if not table_exists(lake, CURRENT):
        nothing = {"_as_of": "timestamp", "_version": "int", "_batch": "string"}
        return rows.withColumns({name: F.lit(None).cast(kind) for name, kind in nothing.items()})
    seen = read_table(lake, CURRENT).select(
        *[F.col(f"`{name}`").alias(f"_key_{at}") for at, name in enumerate(key)],
        F.col("as_of").alias("_as_of"),
        F.col("model_version").alias("_version"),
        F.col("batch_id").alias("_batch"),
    )
    return rows.join(seen, [F.col(f"`{name}`") == F.col(f"_key_{at}") for at, name in enumerate(key)], "left")


def _count_kinds(version: ModelVersion) -> "list[Column]":
    is_good, at, seen = F.size("reasons") == 0, F.col("_moment"), F.col("_as_of")
    is_ours = F.col("_version") == version.version
    kinds = {
        "refused": ~is_good,
        "new": is_good & (seen.isNull() | (at > seen)),
        "published": is_good & (at == seen) & is_ours,
        "by_others": is_good & (at == seen) & ~is_ours,
        "older": is_good & (at < seen),
    }
    counts = [F.count(F.when(kind, 1)).alias(name) for name, kind in kinds.items()]
    batches = F.count_distinct(F.when(is_good & (at == seen), F.col("_batch"))).alias("batches")
    return [F.count("*").alias("asked"), *counts, batches]


def fill_gaps(days: list[ScoringDay]) -> list[ScoringDay]:
    """Days in order, with those between the first and the last that nothing is asked of; rows without a moment come first."""
    by_day = {one.day: one for one in days if one.day is not None}
    timeless = [one for one in days if one.day is None]
    if not by_day:
        return timeless
    first, last = min(by_day), max(by_day)
    span = [first + timedelta(days=at) for at in range(min((last - first).days + 1, _MOST_DAYS))]
    return [*timeless, *(by_day.get(day, ScoringDay(day, 0, 0, 0, 0, 0, 0, 0)) for day in span)]
