"""A batch in the ledger: counted, and held against what is declared."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.catalog.output_contract import find_broken
from sparkml_ops.lake import Lake
from sparkml_ops.models import PREDICTED_LABEL, PREDICTION, SEGMENT, PackagedModel, Reference, count_bins
from sparkml_ops.scoring.checks import BatchFigures, check_batch, check_promises
from sparkml_ops.scoring.ledger import RULES, PredictionBatch, decide_batch, read_batches, read_predictions
from sparkml_ops.scoring.request import is_increment
from sparkml_ops.scoring.roles import Asked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)


def judge_batch(
    use_case: "UseCase",
    lake: Lake,
    draft: PredictionBatch,
    *,
    asked: Asked,
    model: PackagedModel,
    version: int,
) -> PredictionBatch:
    """Count what was written, and hold it against `scoring.hold_if`."""
    answer = PREDICTED_LABEL if model.classes else PREDICTION
    reference = _read_reference(model, [answer])
    last = _find_published_last(lake, draft.batch_id)
    hold_if = use_case.scoring.hold_if
    written = read_predictions(lake, draft).persist()
    try:
        totals = (
            F.count(PREDICTION),
            F.sum("predicted_class"),
            F.avg(PREDICTION),
            F.min(PREDICTION),
            F.max(PREDICTION),
        )
        counts = written.agg(*totals).collect()[0]
        actual = count_bins(written.select(answer), reference)[answer]
        levels = _count_levels(written, model)
        broken = find_broken(
            use_case, written.withColumn("role", F.lit(use_case.scoring.publisher))
        )  # as if it were theirs
    finally:
        written.unpersist()
    is_compared = last is not None and hold_if.published_psi_over is not None
    figures = BatchFigures(
        rows=counts[0],
        previous_rows=last.rows if last else None,
        predictions=(reference.counts[answer], actual),
        null_shares=_null_shares(asked.features, model.feature_columns)
        if hold_if.null_features_over is not None
        else {},
        published=_count_published(lake, last, answer, reference) if last and is_compared else None,
        features=_count_features(asked.features, model) if hold_if.feature_psi_over is not None else {},
        lowest=counts[3],
        highest=counts[4],
        is_increment=is_increment(use_case, asked.wanted),
    )
    checks = (*check_batch(hold_if, figures), check_promises(broken))
    judged = replace(
        draft,
        status="scored",
        rows=counts[0],
        positives=counts[1] or 0 if model.task == "binary" else None,
        mean_prediction=counts[2],
        checks=checks,
        predictions_version=version,
        segment_levels=levels,
    )
    failed = "; ".join(check.reason for check in checks if check.verdict == "failed")
    if not failed or draft.role != use_case.scoring.publisher:
        return judged
    return decide_batch(judged, "held", by=RULES, reason=failed, run_id=draft.run_id)


def _count_levels(written: "DataFrame", model: PackagedModel) -> dict[str, int] | None:
    """Rows by the level of the model that served them; no more names come than the version has models."""
    if model.family is None:
        return None
    found = model.family.count_served(dict(written.groupBy(SEGMENT).count().collect()))
    told = ", ".join(f"{level} {rows}" for level, rows in found.items())
    logger.info("rows by the level of the model that served them: %s", told)
    return found


def _read_reference(model: PackagedModel, columns: Sequence[str]) -> Reference:
    """The model's reference, of those columns that it has."""
    known = model.metadata["reference"]
    return Reference.from_dict({name: known[name] for name in columns if name in known})


def _find_published_last(lake: Lake, batch_id: str) -> PredictionBatch | None:
    """The batch published last, other than this one."""
    other = (F.col("status") == "published") & (F.col("batch_id") != batch_id)
    last = read_batches(lake, other, newest=1)
    return last[0] if last else None


def _count_published(lake: Lake, last: PredictionBatch, answer: str, reference: Reference) -> list[int]:
    """Predictions of the batch published last, by the bins of the model that scores now."""
    return count_bins(read_predictions(lake, last).select(answer), reference)[answer]


def _count_features(features: "DataFrame", model: PackagedModel) -> dict[str, tuple[list[int], list[int]]]:
    reference = _read_reference(model, model.feature_columns)
    actual = count_bins(features, reference)
    return {name: (expected, actual[name]) for name, expected in reference.counts.items()}


def _null_shares(features: "DataFrame", columns: Sequence[str]) -> dict[str, float]:
    is_missing = [F.avg(F.col(f"`{column}`").isNull().cast("double")).alias(column) for column in columns]
    shares = features.agg(*is_missing).collect()[0].asDict()
    return {column: share for column, share in shares.items() if share is not None}
