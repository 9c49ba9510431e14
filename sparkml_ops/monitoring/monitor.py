"""The published batch against the training set, and against its labels once they are known."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import UseCase, hash_config
from sparkml_ops.features import look_up_features, open_label_events
from sparkml_ops.lake import Lake, Metric, StepRecord, new_run_id, record_metrics, record_step, resolve_relation
from sparkml_ops.models import ANSWERS, PackagedModel, Reference, find_version, load_version, prepare_tracking
from sparkml_ops.monitoring.alerts import Alert, find_alerts, raise_alerts
from sparkml_ops.monitoring.batch import PREDICTIONS, PublishedBatch, find_published, read_batch
from sparkml_ops.monitoring.drift import measure_drift
from sparkml_ops.monitoring.labels import find_switch, join_labels, measure_performance

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class MonitorResult:
    """What was seen.

    Attributes:
        run_id: the run.
        batch_id: the batch that was looked at.
        model_version: the version that scored it.
        figures: all figures, as in `metrics`.
        alerts: those past a limit.
    """

    run_id: str
    batch_id: str
    model_version: int
    figures: tuple[Metric, ...]
    alerts: tuple[Alert, ...]


def monitor(
    use_case: UseCase, lake: Lake, *, batch: str | None = None, as_of: datetime | None = None, run_id: str | None = None
) -> MonitorResult:
    """Measure drift and, where labels are known, performance of a published batch; raise alerts.

    Args:
        use_case: limits, labels.
        lake: where the tables are.
        batch: name of the batch; the one published last by default.
        as_of: labels younger than this less their time to mature are left out; now by default.
        run_id: the run that this belongs to.

    Raises:
        TableNotFoundError: nothing was published.
    """
    run_id, as_of = run_id or new_run_id(), as_of or datetime.now(UTC)
    with record_step(lake, run_id=run_id, step="monitor", config_hash=hash_monitoring(use_case)) as record:
        found = find_published(lake, batch_id=batch)
        record.note("batch_id", found.batch_id)
        record.model(use_case.name, found.model_version)
        record.read(PREDICTIONS, found.predictions_version, found.rows)
        model = _load_model(use_case, found)
        figures = _measure_drift(use_case, lake, found, model)
        switch = find_switch(model.task, use_case.model.task, batch=found)
        figures += [switch] if switch else _measure_performance(use_case, lake, found, as_of, record)
        figures += _measure_freshness(use_case, found, as_of)
        alerts = find_alerts(figures, run_id=run_id)
        write_id = f"monitor:{run_id}:{found.batch_id}"
        record.wrote(record_metrics(lake, figures, run_id=run_id, step="monitor", write_id=write_id))
        raised = raise_alerts(lake, alerts, write_id=write_id)
        if raised is not None:
            record.wrote(raised)
        record.note("alerts", len(alerts))
    return MonitorResult(run_id, found.batch_id, found.model_version, tuple(figures), tuple(alerts))


def hash_monitoring(use_case: UseCase) -> str:
    """Hash of all configuration that the figures depend on."""
    dataset = use_case.dataset
    told_by = [
        use_case.model.task,
        dataset.label,
        dataset.where,
        dataset.label_matures_after.total_seconds(),
        dataset.key_columns(),
    ]
    return hash_config(use_case.monitoring, *told_by, dataset.derived)


def _load_model(use_case: UseCase, batch: PublishedBatch) -> PackagedModel:
    """The model that scored the batch."""
    tracking = prepare_tracking(use_case.environment)
    return load_version(tracking, find_version(tracking, use_case.name, version=batch.model_version))


def _measure_drift(use_case: UseCase, lake: Lake, batch: PublishedBatch, model: PackagedModel) -> list[Metric]:
    """Look the features up again, at the versions that the batch was scored with."""
    predictions = read_batch(lake, batch)
    first = predictions.select("feature_versions").first()
    answers = [name for name in ANSWERS if name in predictions.columns and name in model.metadata["reference"]]
    moments = predictions.select(*use_case.dataset.entity, "as_of", *answers)
    versions = dict(first["feature_versions"]) if first else None
    rows, _ = look_up_features(moments, use_case, lake, timestamp="as_of", versions=versions)
    return measure_drift(rows, _reference(model, rows), use_case.monitoring.drift, batch=batch)


def _reference(model: PackagedModel, rows: "DataFrame") -> Reference:
    """The model's reference, of the columns that the batch has."""
    known: dict[str, dict[str, object]] = model.metadata["reference"]
    return Reference.from_dict({name: part for name, part in known.items() if name in rows.columns})


def _measure_performance(
    use_case: UseCase, lake: Lake, batch: PublishedBatch, as_of: datetime, record: StepRecord
) -> list[Metric]:
    decisions, versions = resolve_relation(lake, use_case.dataset.relation)
    # A table that tells decisions and events alike is read at one version.
    events = open_label_events(use_case.dataset, lake, as_of=as_of, versions=versions)
    for table, version in (versions | (events.inputs if events else {})).items():
        record.read(table, version)
    task = use_case.model.task
    labelled = join_labels(read_batch(lake, batch), decisions, use_case.dataset, as_of=as_of, events=events, task=task)
    return measure_performance(labelled, use_case.monitoring.performance, batch=batch, task=task)


def _measure_freshness(use_case: UseCase, batch: PublishedBatch, as_of: datetime) -> list[Metric]:
    limit = use_case.monitoring.freshness
    if limit is None:
        return []
    age, most = (as_of - batch.published_at).total_seconds() / 3600, limit.total_seconds() / 3600
    verdict = "alert" if age > most else "ok"
    return [
        Metric(
            "freshness",
            "predictions_current",
            "age_hours",
            age,
            threshold=most,
            verdict=verdict,
            batch_id=batch.batch_id,
        )
    ]
