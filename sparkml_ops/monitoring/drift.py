"""Drift: how far a batch is from what the model learned from."""

from typing import TYPE_CHECKING

from sparkml_ops.config.monitoring import DriftAlert
from sparkml_ops.lake import Metric
from sparkml_ops.models import Reference, count_bins, population_stability_index

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.monitoring.batch import PublishedBatch


def measure_drift(
    rows: "DataFrame", reference: Reference, alert: DriftAlert, *, batch: "PublishedBatch"
) -> list[Metric]:
    """PSI of every feature and of the prediction against the model's reference, in one pass over the rows.

    Args:
        rows: the batch with its feature columns, `prediction`, and of several classes `predicted_label`.
        reference: bins and counts of the training rows, kept with the model.
        alert: the limit.
        batch: what the rows are.
    """
    actual = count_bins(rows, reference)
    return [
        judge_drift(name, population_stability_index(expected, actual[name]), alert, batch=batch)
        for name, expected in reference.counts.items()
    ]


def judge_drift(subject: str, psi: float | None, alert: DriftAlert, *, batch: "PublishedBatch") -> Metric:
    """One figure and its verdict; without rows there is no drift to speak of, which is not the same as none."""
    verdict = "no_data" if psi is None else "alert" if psi > alert.psi_over else "ok"
    return Metric(
        "drift",
        subject,
        "psi",
        psi,
        threshold=alert.psi_over,
        verdict=verdict,
        batch_id=batch.batch_id,
        model_version=batch.model_version,
    )
