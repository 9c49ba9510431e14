"""What was taken in, and the training set that was made of it."""

import json
from collections.abc import Sequence

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake
from sparkml_ops.reporting.facts import SourceFacts, StepFacts, TrainingSetFacts, ViolationFacts
from sparkml_ops.reporting.rows import RecordedMetric, collect_rows, keep_newest

MAX_VIOLATIONS = 15
_PARTS = ("train", "valid", "test")
_COUNTS = (
    "rows_in",
    "rows_bad",
    "rows_put_in",
    "rows_deleted",
    "rows_superseded",
)  # what else stands in scope `ingestion` are rules


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


def list_violations(sources: Sequence[SourceFacts], metrics: Sequence[RecordedMetric]) -> list[ViolationFacts]:
    """The rules that the last batches broke most often."""
    batches = {source.batch_id for source in sources if source.batch_id is not None}
    counts = [row for row in metrics if row.metric.scope == "ingestion" and row.metric.batch_id in batches]
    # The same batch may have been taken in again: the newest count holds.
    rules = [m for m in keep_newest(counts, "subject", "name") if m.name not in _COUNTS and m.value]
    worst = sorted(rules, key=lambda m: (-(m.value or 0), m.subject, m.name))[:MAX_VIOLATIONS]
    return [ViolationFacts(m.subject, m.name, int(m.value or 0)) for m in worst]


def read_training_set(lake: Lake) -> TrainingSetFacts | None:
    """The newest training set."""
    found = collect_rows(lake, "training_sets", lambda sets: sets.orderBy(F.desc("created_at"), "version"), limit=1)
    if not found:
        return None
    row = found[0]
    rows, positives, left_out = (json.loads(row[name] or "{}") for name in ("row_counts", "positives", "left_out"))
    rows = {
        part: rows[part]
        for part in sorted(rows, key=lambda part: (_PARTS.index(part) if part in _PARTS else len(_PARTS), part))
    }
    return TrainingSetFacts(
        row["version"],
        row["table_name"],
        row["created_at"],
        rows,
        positives,
        left_out,
        len(json.loads(row["feature_columns"])),
        json.loads(row.get("labels") or "{}"),
    )


def _to_source(name: str, step: StepFacts) -> SourceFacts:
    written = {table: rows for table, _, rows in step.outputs}
    return SourceFacts(
        name,
        step.details.get("batch_id"),
        step.ended_at,
        _to_count(step.details.get("files")),
        _to_count(step.details.get("rows_in")),
        _to_count(step.details.get("rows_put_in")) if "rows_put_in" in step.details else written.get(f"clean_{name}"),
        written.get(f"quarantine_{name}"),
        sum(int(step.details.get(count, 0)) for count in ("rows_deleted", "rows_superseded")),
    )


def _to_count(text: str | None) -> int | None:
    return None if text is None else int(text)
