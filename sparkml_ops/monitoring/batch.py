"""The published batch that is watched, as the ledger tells it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, TableNotFoundError
from sparkml_ops.lake import Lake, read_table, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PREDICTIONS, BATCHES = "predictions", "prediction_batches"


@dataclass(frozen=True)
class PublishedBatch:
    """A published batch: its rows are those of `predictions_version` with its name, version and role."""

    batch_id: str
    model_version: int
    role: str
    rows: int
    predictions_version: int
    published_at: datetime


def find_published(lake: Lake, *, batch_id: str | None = None) -> PublishedBatch:
    """The batch of that name, or the one published last.

    Raises:
        TableNotFoundError: nothing was published, or not that batch.
    """
    if batch_id is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", batch_id):
        raise ConfigError(f"{batch_id!r} is no batch name")
    published = []
    if table_exists(lake, BATCHES):
        rows = read_table(lake, BATCHES).where("status = 'published'")
        if batch_id is not None:
            rows = rows.where(F.col("batch_id") == batch_id)
        published = rows.orderBy(F.desc("published_at")).limit(1).collect()
    if not published:
        what = f"batch {batch_id} is not published" if batch_id else "no batch was published yet"
        raise TableNotFoundError(
            f"{lake.use_case}: {what}. `sparkml-ops score {lake.use_case}` scores and publishes one."
        )
    row = published[0]
    return PublishedBatch(
        row["batch_id"],
        row["model_version"],
        row["role"],
        row["rows"],
        row["predictions_version"],
        row["published_at"].astimezone(UTC),
    )


def read_batch(lake: Lake, batch: PublishedBatch) -> "DataFrame":
    """The batch's rows in the ledger."""
    same = (F.col("batch_id") == batch.batch_id) & (F.col("model_version") == batch.model_version)
    return read_table(lake, PREDICTIONS).where(same & (F.col("role") == batch.role))
