"""Scored rows in the columns of the ledger."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from sparkml_ops.models import (
    PREDICTION,
    REASONS,
    SEGMENT,
    PackagedModel,
    name_most_probable,
    recorded_threshold,
    summarise_answer,
)
from sparkml_ops.scoring.increment import digest_features
from sparkml_ops.scoring.ledger import LEDGER_COLUMNS, PredictionBatch

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase


def choose_threshold(use_case: "UseCase", model: PackagedModel) -> float | None:
    """The declared one, or else the model's own; None where its answers are no classes."""
    if model.task != "binary":
        return None
    declared = use_case.scoring.threshold
    return recorded_threshold(model.metadata) if declared is None else declared


def lay_out_scores(
    use_case: "UseCase",
    scored: "DataFrame",
    batch: PredictionBatch,
    versions: Mapping[str, int],
    *,
    model: PackagedModel,
) -> "DataFrame":
    """Give scored rows the columns of the ledger."""
    threshold = choose_threshold(use_case, model)
    pairs = [F.lit(part) for table, version in sorted(versions.items()) for part in (table, version)]
    reasons = F.col(REASONS) if REASONS in scored.columns else F.lit(None)
    is_of_classes = isinstance(scored.schema[PREDICTION].dataType, MapType)
    values = {
        "as_of": F.col(use_case.scoring.as_of),
        "prediction": summarise_answer(scored, PREDICTION),
        "predicted_class": F.lit(None) if threshold is None else F.col(PREDICTION) >= threshold,
        "model_name": F.lit(batch.model_name),
        "model_version": F.lit(batch.model_version),
        "role": F.lit(batch.role),
        "segment": F.col(SEGMENT),
        "batch_id": F.lit(batch.batch_id),
        "run_id": F.lit(batch.run_id),
        "feature_versions": F.create_map(*pairs),
        "scored_at": F.lit(batch.scored_at),
        "reasons": reasons,
        "predicted_label": name_most_probable(F.col(PREDICTION)) if is_of_classes else F.lit(None),
        "probabilities": F.col(PREDICTION) if is_of_classes else F.lit(None),
        "features_digest": digest_features(model.feature_columns),
    }
    return scored.select(
        *use_case.dataset.entity, *[values[name].cast(kind).alias(name) for name, kind, _ in LEDGER_COLUMNS]
    )
