"""What was taken in, and the training set that was made of it."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake
from sparkml_ops.reporting.facts import SourceFacts, StepFacts, TrainingSetFacts, ViolationFacts
from sparkml_ops.reporting.rows import collect_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_VIOLATIONS = 15
_COUNTS = ("rows_in", "rows_bad")  # what else stands in scope `ingestion` are rules


def list_sources(names: Sequence[str], steps: Sequence[StepFacts]) -> list[SourceFacts]:
    """The last batch of each source, as its step in the ledger tells it.

    Args:
        names: the declared sources.
        steps: the newest rows of the ledger.
    """
    done = {
        step.step.removeprefix("ingest:"): step
        for step in steps
        if step.step.startswith("ingest:") and step.error is None
    }
    return [_to_source(name, done[name]) if name in done else SourceFacts(name) for name in names]


def read_violations(lake: Lake, sources: Sequence[SourceFacts]) -> list[ViolationFacts]:
    """The rules that the last batches broke most often."""
    batches = [source.batch_id for source in sources if source.batch_id is not None]
    if not batches:
        return []

    def choose(metrics: "DataFrame") -> "DataFrame":
        ours = metrics.where(
            (F.col("scope") == "ingestion") & F.col("batch_id").isin(batches) & ~F.col("name").isin(*_COUNTS)
        )
        # The same batch may have been taken in again.
        broken = ours.groupBy("subject", "name").agg(F.max_by("value", "recorded_at").alias("rows")).where("rows > 0")
        return broken.orderBy(F.desc("rows"), "subject", "name")

    found = collect_rows(lake, "metrics", choose, limit=MAX_VIOLATIONS)
    return [ViolationFacts(row["subject"], row["name"], int(row["rows"])) for row in found]


def read_training_set(lake: Lake) -> TrainingSetFacts | None:
    """The newest training set."""
    found = collect_rows(lake, "training_sets", lambda sets: sets.orderBy(F.desc("created_at"), "version"), limit=1)
    if not found:
        return None
    row = found[0]
    rows, positives, left_out = (json.loads(row[name] or "{}") for name in ("row_counts", "positives", "left_out"))
    return TrainingSetFacts(
        row["version"],
        row["table_name"],
        row["created_at"],
        rows,
        positives,
        left_out,
        len(json.loads(row["feature_columns"])),
    )


def _to_source(name: str, step: StepFacts) -> SourceFacts:
    written = {table: rows for table, _, rows in step.outputs}
    return SourceFacts(
        name,
        step.details.get("batch_id"),
        step.ended_at,
        _to_count(step.details.get("files")),
        _to_count(step.details.get("rows_in")),
        written.get(f"clean_{name}"),
        written.get(f"quarantine_{name}"),
    )


def _to_count(text: str | None) -> int | None:
    return None if text is None else int(text)
