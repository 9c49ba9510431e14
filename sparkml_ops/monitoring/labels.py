"""Labels that have come in since: the figures of a published batch, once the truth is known."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.config.monitoring import PerformanceAlert
from sparkml_ops.lake import Metric
from sparkml_ops.models import HIGHER_IS_BETTER, Evaluation, evaluate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.dataset import Dataset
    from sparkml_ops.monitoring.batch import PublishedBatch

SEED = 20130101
LABEL = "_label"


def join_labels(
    predictions: "DataFrame", decisions: "DataFrame", dataset: "Dataset", *, as_of: datetime
) -> "DataFrame":
    """Give each prediction its label (0 or 1); null where it is not known, or not mature by `as_of`.

    Args:
        predictions: rows of the ledger.
        decisions: rows of the dataset's relation.
        dataset: key, timestamp, label, maturity.
        as_of: the moment we look from, UTC.
    """
    known = decisions if dataset.where is None else decisions.where(dataset.where)
    mature = F.col(dataset.timestamp) <= F.lit(as_of - dataset.label_matures_after)
    keys = [F.col(key).alias(f"_{key}") for key in dataset.key_columns()]
    labels = known.where(mature).select(*keys, F.expr(dataset.label).cast("int").alias(LABEL))
    same = [predictions[key].eqNullSafe(labels[f"_{key}"]) for key in dataset.key_columns()]
    return predictions.join(labels, same, "left").drop(*[f"_{key}" for key in dataset.key_columns()])


def measure_performance(labelled: "DataFrame", alert: PerformanceAlert, *, batch: "PublishedBatch") -> list[Metric]:
    """Figures with 95 % intervals, and the share of rows that have a label."""
    evaluation = evaluate(labelled, label=LABEL, prediction="prediction", block="as_of", seed=SEED)
    about: dict[str, Any] = {"batch_id": batch.batch_id, "model_version": batch.model_version}
    share = evaluation.rows / batch.rows if batch.rows else None
    figures = [
        Metric("performance", "labels", "share_labelled", share, verdict="info" if share else "no_data", **about)
    ]
    limits = {"roc_auc": alert.roc_auc_below, "log_loss": alert.log_loss_over}
    for name, figure in evaluation.metrics.items():
        limit = limits.get(name)
        verdict = judge_performance(name, figure.value, limit)
        figures.append(
            Metric(
                "performance",
                "champion",
                name,
                figure.value,
                lower=figure.lower,
                upper=figure.upper,
                threshold=limit,
                verdict=verdict,
                details=_explain(evaluation),
                **about,
            )
        )
    return figures


def judge_performance(name: str, value: float | None, limit: float | None) -> str:
    """Whether a figure is past its limit."""
    if value is None:
        return "no_data"
    if limit is None:
        return "info"
    is_worse = value < limit if name in HIGHER_IS_BETTER else value > limit
    return "alert" if is_worse else "ok"


def _explain(evaluation: Evaluation) -> str:
    return (
        evaluation.reason
        or f"{evaluation.rows} labelled rows, {evaluation.positives} positives, {evaluation.blocks} days"
    )
