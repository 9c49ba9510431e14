"""One long table of figures: profiles, evaluations, gates, drift, performance, audits."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sparkml_ops.lake.commits import Commit
from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.writes import append_once

METRICS = "metrics"
METRICS_SCHEMA = (
    "run_id string, step string, scope string, subject string, name string, value double, lower double, upper double, "
    "threshold double, verdict string, batch_id string, model_version int, details string, recorded_at timestamp"
)


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        scope: what kind of figure: ingestion, profile, feature, evaluation, slice, segment, backtest, importance,
            diagnosis, gate, drift, performance, serving or audit.
        subject: what it is about: a source, a feature, a model or a slice.
        name: the metric: psi, roc_auc, rows, …
        value: the figure; None when there was no data to compute it from.
        lower: lower end of its 95 % interval, where it has one.
        upper: upper end of it.
        threshold: the limit it was held against, where there is one.
        verdict: info, ok, alert or no_data.
        batch_id: the batch it is about.
        model_version: the model version it is about.
        details: more, in words or JSON.
    """

    scope: str
    subject: str
    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    threshold: float | None = None
    verdict: str = "info"
    batch_id: str | None = None
    model_version: int | None = None
    details: str | None = None


def record_metrics(
    lake: Lake, metrics: Sequence[Metric], *, run_id: str, step: str, write_id: str, fingerprint: str = ""
) -> Commit:
    """Append figures to `metrics`, once for each `write_id`; its fingerprint may say what they were measured on."""
    recorded_at = datetime.now(UTC)
    rows = [{"run_id": run_id, "step": step, "recorded_at": recorded_at, **asdict(metric)} for metric in metrics]
    return append_once(
        lake, METRICS, lake.spark.createDataFrame(rows, METRICS_SCHEMA), write_id=write_id, fingerprint=fingerprint
    )
