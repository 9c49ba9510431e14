"""What was scored and published, and what was seen of it since."""

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake
from sparkml_ops.reporting.facts import (
    CHAMPION,
    HEADLINE_METRIC,
    AlertFacts,
    BatchFacts,
    CheckFacts,
    DayFacts,
    MonitoringFacts,
    ScoringFacts,
)
from sparkml_ops.reporting.rows import collect_rows, to_metric
from sparkml_ops.reporting.shares import BINS, share_bins

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

BATCHES, PREDICTIONS, METRICS = "prediction_batches", "predictions", "metrics"
MAX_BATCHES = 12
MAX_DAYS = 366
MAX_FIGURES = 2000
MAX_ALERTS = 20
MAX_HISTORY = 12
WATCHED_SCOPES = ("drift", "performance", "freshness")
OBSERVED = "observed_rate"


def read_scoring(lake: Lake) -> ScoringFacts:
    """The last batches, and how the published one's predictions are distributed."""
    batches = [
        _to_batch(row)
        for row in collect_rows(lake, BATCHES, lambda b: b.orderBy(F.desc("scored_at")), limit=MAX_BATCHES)
    ]
    last = collect_rows(
        lake, BATCHES, lambda b: b.where("status = 'published'").orderBy(F.desc("published_at")), limit=1
    )
    if not last:
        return ScoringFacts(tuple(batches))
    published = _to_batch(last[0])
    return ScoringFacts(tuple(batches), published, _read_shares(lake, published), _read_days(lake, published))


def read_monitoring(lake: Lake) -> MonitoringFacts:
    """The figures of the last look at a batch."""
    alerts = collect_rows(lake, "alerts", lambda rows: rows.orderBy(F.desc("raised_at")), limit=MAX_ALERTS)
    raised = tuple(AlertFacts(*(row[name] for name in AlertFacts.__dataclass_fields__)) for row in alerts)
    watched = F.col("scope").isin(*WATCHED_SCOPES)
    newest = collect_rows(lake, METRICS, lambda m: m.where(watched).orderBy(F.desc("recorded_at")), limit=1)
    if not newest:
        return MonitoringFacts(alerts=raised)
    look = newest[0]
    of_look = watched & (F.col("run_id") == look["run_id"]) & F.col("batch_id").eqNullSafe(F.lit(look["batch_id"]))
    figures = [
        to_metric(row)
        for row in collect_rows(
            lake, METRICS, lambda m: m.where(of_look & (F.col("name") != OBSERVED)), limit=MAX_FIGURES
        )
    ]
    return MonitoringFacts(
        measured_at=look["recorded_at"],
        batch_id=look["batch_id"],
        model_version=next((figure.model_version for figure in figures if figure.model_version is not None), None),
        drift=tuple(sorted((f for f in figures if f.scope == "drift"), key=lambda f: -(f.value or 0))),
        performance=tuple(sorted((f for f in figures if f.scope == "performance"), key=lambda f: (f.subject, f.name))),
        freshness=next((f for f in figures if f.scope == "freshness"), None),
        history=_read_history(lake),
        alerts=raised,
    )


def _read_history(lake: Lake) -> tuple[Any, ...]:
    def choose(metrics: "DataFrame") -> "DataFrame":
        is_ours = (
            (F.col("scope") == "performance") & (F.col("subject") == CHAMPION) & (F.col("name") == HEADLINE_METRIC)
        )
        known = metrics.where(is_ours & F.col("value").isNotNull())
        newest = known.groupBy("batch_id").agg(F.max_by(F.struct("*"), "recorded_at").alias("row"))
        return newest.select("row.*").orderBy(F.desc("recorded_at"))

    return tuple(reversed([to_metric(row) for row in collect_rows(lake, METRICS, choose, limit=MAX_HISTORY)]))


def _read_shares(lake: Lake, batch: BatchFacts) -> tuple[float, ...]:
    bin_of = F.least(F.floor(F.col("prediction") * BINS), F.lit(BINS - 1)).cast("int").alias("bin")
    counted = collect_rows(
        lake,
        PREDICTIONS,
        lambda p: p.where(_of(batch) & F.col("prediction").isNotNull()).groupBy(bin_of).count(),
        limit=BINS,
    )
    return share_bins({row["bin"]: row["count"] for row in counted})


def _read_days(lake: Lake, batch: BatchFacts) -> tuple[DayFacts, ...]:
    day = F.date_format("as_of", "yyyy-MM-dd").alias("day")
    mean = [F.count("prediction").alias("rows"), F.avg("prediction").alias("predicted")]
    days = collect_rows(
        lake,
        PREDICTIONS,
        lambda p: p.where(_of(batch)).groupBy(day).agg(*mean).where("rows > 0").orderBy("day"),
        limit=MAX_DAYS,
    )
    is_observed = (
        (F.col("scope") == "performance") & (F.col("name") == OBSERVED) & (F.col("batch_id") == batch.batch_id)
    )
    observed = collect_rows(
        lake,
        METRICS,
        lambda m: m.where(is_observed).groupBy("subject").agg(F.max_by("value", "recorded_at").alias("value")),
        limit=MAX_DAYS * 2,
    )
    shares = {row["subject"]: row["value"] for row in observed}
    return tuple(DayFacts(row["day"], row["rows"], row["predicted"], shares.get(row["day"])) for row in days)


def _of(batch: BatchFacts) -> "Column":
    same = (F.col("batch_id") == batch.batch_id) & (F.col("model_version") == batch.model_version)
    return same & (F.col("role") == batch.role)


def _to_batch(row: dict[str, Any]) -> BatchFacts:
    fields = [name for name in BatchFacts.__dataclass_fields__ if name != "checks"]
    checks = tuple(
        CheckFacts(c["check"], c["verdict"], c["figure"], c["threshold"], c["reason"]) for c in row["checks"] or ()
    )
    return BatchFacts(**{name: row[name] for name in fields}, checks=checks)
