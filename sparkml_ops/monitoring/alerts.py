"""`alerts`: what went past a limit."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sparkml_ops.lake import Commit, Lake, Metric, append_once

logger = logging.getLogger(__name__)

ALERTS = "alerts"
_SCHEMA = (
    "alert_id string, raised_at timestamp, kind string, subject string, batch_id string, model_version int, message string, "
    "figure double, threshold double, run_id string"
)


@dataclass(frozen=True)
class Alert:
    """One alert; the same thing about the same batch has the same `alert_id`, and is raised once."""

    alert_id: str
    raised_at: datetime
    kind: str
    subject: str
    batch_id: str
    model_version: int | None
    message: str
    figure: float | None
    threshold: float | None
    run_id: str


def find_alerts(figures: Sequence[Metric], *, run_id: str) -> list[Alert]:
    """An alert for each figure with that verdict; one without a value is told by its details."""
    return [_to_alert(figure, run_id=run_id) for figure in figures if figure.verdict == "alert"]


def raise_alerts(lake: Lake, alerts: Sequence[Alert], *, write_id: str) -> Commit | None:
    """Log the alerts and append them to `alerts`, once."""
    if not alerts:
        return None
    for alert in alerts:
        logger.warning("ALERT %s", alert.message)
    rows = lake.spark.createDataFrame([asdict(alert) for alert in alerts], _SCHEMA)
    return append_once(lake, ALERTS, rows, write_id=write_id)


def _to_alert(figure: Metric, *, run_id: str) -> Alert:
    limit = "" if figure.threshold is None else f", the limit is {figure.threshold:g}"
    told = figure.details or f"{figure.name} is missing{limit}"
    if figure.value is not None:
        told = f"{figure.name} is {figure.value:.3f}{limit}"
    about = f"batch {figure.batch_id}, model version {figure.model_version}"
    return Alert(
        alert_id=f"{figure.scope}:{figure.subject}:{figure.name}:{figure.batch_id}:{figure.model_version}",
        raised_at=datetime.now(UTC),
        kind=figure.scope,
        subject=figure.subject,
        batch_id=figure.batch_id or "",
        model_version=figure.model_version,
        message=f"{figure.scope} of {figure.subject}: {told} ({about})",
        figure=figure.value,
        threshold=figure.threshold,
        run_id=run_id,
    )
