"""A ledger written by hand: what a shop's model versions answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, read_table
from sparkml_ops.scoring.decide import publish_batch_rows
from sparkml_ops.scoring.ledger import (
    CURRENT,
    LEDGER_COLUMNS,
    RULES,
    PredictionBatch,
    create_ledger,
    read_batches,
    write_batches,
    write_predictions,
)
from tests.training.conftest import shop_config

AT = datetime(2026, 1, 2, tzinfo=UTC)
KEY = ["customer"]


def make_shop() -> UseCase:
    return UseCase.model_validate(shop_config(Path("/nowhere")), strict=False)


def score(
    lake: Lake, version: int, answers: dict[str, float], *, batch: str = "day", at: datetime = AT
) -> PredictionBatch:
    """Write a batch's answers into the ledger, and note it."""
    create_ledger(lake, [StructField("customer", StringType())])
    fingerprint = f"{version}: {sorted(answers.items())}"
    mean = sum(answers.values()) / len(answers) if answers else None
    before = {one.key: one for one in read_batches(lake)}.get((batch, version, "champion"))
    draft = PredictionBatch(
        batch_id=batch, model_name="shop", model_version=version, role="champion", status="scored", rows=len(answers),
        positives=0, mean_prediction=mean, fingerprint=fingerprint, predictions_version=-1, run_id="run",
        scored_at=at + timedelta(seconds=version), history=before.history if before else (),
    )  # fmt: skip
    given = {
        "as_of": F.lit(at), "prediction": F.col("answer"), "batch_id": F.lit(batch),
        "model_version": F.lit(version), "role": F.lit("champion"),
    }  # fmt: skip
    rows = lake.spark.createDataFrame(list(answers.items()), "customer string, answer double")
    columns = [given.get(name, F.lit(None)).cast(kind).alias(name) for name, kind, _ in LEDGER_COLUMNS]
    commit = write_predictions(lake, rows.select("customer", *columns), draft)
    scored = replace(draft, predictions_version=commit.version)
    write_batches(lake, [scored], write_id=f"scored:{batch}:{version}")
    return scored


def publish(lake: Lake, batch: PredictionBatch) -> PredictionBatch:
    """Publish it as `score` does."""
    run = f"run-{batch.batch_id}-{batch.model_version}"
    return publish_batch_rows(lake, batch, key=KEY, by=RULES, reason="nothing holds it", run_id=run)[0]


def read_current(lake: Lake) -> dict[str, tuple[float, int]]:
    rows = read_table(lake, CURRENT).select("customer", "prediction", "model_version").collect()
    return {row[0]: (row[1], row[2]) for row in rows}


def read_statuses(lake: Lake) -> dict[tuple[str, int], str]:
    return {(one.batch_id, one.model_version): one.status for one in read_batches(lake)}
