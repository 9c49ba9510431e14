"""What was scored and published, and what was seen of it since."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake, Metric
from sparkml_ops.reporting.facts import (
    CHAMPION,
    AlertFacts,
    BatchFacts,
    CheckFacts,
    DayFacts,
    MonitoringFacts,
    ScoringFacts,
)
from sparkml_ops.reporting.rows import RecordedMetric, collect_rows, keep_newest
from sparkml_ops.reporting.shares import BINS, share_bins

if TYPE_CHECKING:
    from pyspark.sql import Column

BATCHES, PREDICTIONS = "prediction_batches", "predictions"
MAX_BATCHES = 12
MAX_DAYS = 366
MAX_ALERTS = 20
MAX_HISTORY = 12
WATCHED_SCOPES = ("drift", "performance", "freshness")
OBSERVED = "observed_rate"


def read_scoring(
    lake: Lake, metrics: Sequence[RecordedMetric], *, span: tuple[float, float] = (0.0, 1.0)
) -> ScoringFacts:
    """The last batches, and how the published one's predictions are distributed between two numbers."""
    batches = [
        _to_batch(row)
        for row in collect_rows(lake, BATCHES, lambda b: b.orderBy(F.desc("scored_at")), limit=MAX_BATCHES)
    ]
    published = _find_published(lake, batches)
    if published is None:
        return ScoringFacts(tuple(batches))
    days = _read_days(lake, published, metrics)
    return ScoringFacts(tuple(batches), published, _read_shares(lake, published, span), days)


def list_alerts(lake: Lake) -> list[AlertFacts]:
    """The last alerts, newest first."""
    alerts = collect_rows(lake, "alerts", lambda rows: rows.orderBy(F.desc("raised_at"), "alert_id"), limit=MAX_ALERTS)
    return [AlertFacts(**{name: row[name] for name in AlertFacts.__dataclass_fields__}) for row in alerts]


def find_last_look(
    metrics: Sequence[RecordedMetric], alerts: Sequence[AlertFacts], *, headline: str = "roc_auc"
) -> MonitoringFacts:
    """The figures that were recorded together when a published batch was looked at last."""
    watched = [row for row in metrics if row.metric.scope in WATCHED_SCOPES]
    if not watched:
        return MonitoringFacts(alerts=tuple(alerts))
    last = watched[0]
    look = [row for row in watched if (row.run_id, row.metric.batch_id) == (last.run_id, last.metric.batch_id)]
    figures = [row.metric for row in look if row.metric.name != OBSERVED]
    return MonitoringFacts(
        measured_at=last.recorded_at,
        batch_id=last.metric.batch_id,
        model_version=next((figure.model_version for figure in figures if figure.model_version is not None), None),
        drift=tuple(sorted((f for f in figures if f.scope == "drift"), key=lambda f: (-(f.value or 0), f.subject))),
        performance=tuple(sorted((f for f in figures if f.scope == "performance"), key=lambda f: (f.subject, f.name))),
        freshness=next((f for f in figures if f.scope == "freshness"), None),
        history=_list_history(watched, headline),
        alerts=tuple(alerts),
    )


def _list_history(watched: Sequence[RecordedMetric], name: str) -> tuple[Metric, ...]:
    wanted = ("performance", CHAMPION, name)
    headline = [row for row in watched if (row.metric.scope, row.metric.subject, row.metric.name) == wanted]
    known = [row for row in headline if row.metric.value is not None]
    return tuple(reversed(keep_newest(known, "batch_id")[:MAX_HISTORY]))


def _find_published(lake: Lake, batches: Sequence[BatchFacts]) -> BatchFacts | None:
    """The batch published last; the table is asked only when it is not among the last ones."""
    found = [batch for batch in batches if batch.status == "published" and batch.published_at is not None]
    if found or len(batches) < MAX_BATCHES:
        return max(found, key=lambda batch: batch.published_at or batch.scored_at, default=None)
    older = collect_rows(
        lake, BATCHES, lambda b: b.where("status = 'published'").orderBy(F.desc("published_at")), limit=1
    )
    return _to_batch(older[0]) if older else None


def _read_shares(lake: Lake, batch: BatchFacts, span: tuple[float, float]) -> tuple[float, ...]:
    """What lies outside of the span is in the first or the last bin."""
    at = F.floor((F.col("prediction") - span[0]) / (span[1] - span[0]) * BINS)
    bin_of = F.greatest(F.least(at, F.lit(BINS - 1)), F.lit(0)).cast("int").alias("bin")
    counted = collect_rows(
        lake,
        PREDICTIONS,
        lambda p: p.where(_of(batch) & F.col("prediction").isNotNull()).groupBy(bin_of).count(),
        limit=BINS,
    )
    return share_bins({row["bin"]: row["count"] for row in counted})


def _read_days(lake: Lake, batch: BatchFacts, metrics: Sequence[RecordedMetric]) -> tuple[DayFacts, ...]:
    day = F.date_format("as_of", "yyyy-MM-dd").alias("day")
    mean = [F.count("prediction").alias("rows"), F.avg("prediction").alias("predicted")]
    days = collect_rows(
        lake,
        PREDICTIONS,
        lambda p: p.where(_of(batch)).groupBy(day).agg(*mean).where("rows > 0").orderBy("day"),
        limit=MAX_DAYS,
    )
    ours = [row for row in metrics if row.metric.name == OBSERVED and row.metric.batch_id == batch.batch_id]
    observed = {metric.subject: metric.value for metric in keep_newest(ours, "subject")}
    return tuple(DayFacts(row["day"], row["rows"], row["predicted"], observed.get(row["day"])) for row in days)


def _of(batch: BatchFacts) -> "Column":
    same = (F.col("batch_id") == batch.batch_id) & (F.col("model_version") == batch.model_version)
    return same & (F.col("role") == batch.role)


def _to_batch(row: dict[str, Any]) -> BatchFacts:
    read = {"checks", "decided_by", "reason"}
    fields = {name: row[name] for name in BatchFacts.__dataclass_fields__ if name not in read}
    checks = tuple(
        CheckFacts(c["check"], c["verdict"], c["figure"], c["threshold"], c["reason"]) for c in row["checks"] or ()
    )
    decisions = row.get("history") or [{"by": None, "reason": None}]
    return BatchFacts(**fields, checks=checks, decided_by=decisions[-1]["by"], reason=decisions[-1]["reason"])
