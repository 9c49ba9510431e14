"""Rows of a batch that is scored again, beside those that it had."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConflictError
from sparkml_ops.scoring.ledger import PredictionBatch

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ANSWER = ("as_of", "prediction", "predicted_class", "segment", "predicted_label")
"""What a row answers, beside its probabilities and reasons; when it was scored, and by which run, is no answer."""


@dataclass(frozen=True)
class RowCounts:
    """How many rows are only in one of two lots, or differ."""

    added: int
    removed: int
    changed: int
    same: int

    @property
    def differing(self) -> int:
        """All that are not the same."""
        return self.added + self.removed + self.changed


def count_differences(before: "DataFrame", after: "DataFrame", *, key: Sequence[str]) -> RowCounts:
    """Compare two lots of ledger rows by key; each has a key once at most."""
    pairs = pair_rows(before, after, key=key)
    is_same = F.col("old.content") == F.col("new.content")
    kinds = {
        "added": F.col("old.content").isNull(),
        "removed": F.col("new.content").isNull(),
        "changed": ~is_same,
        "same": is_same,
    }
    counted = pairs.agg(*[F.count(F.when(kind, 1)).alias(name) for name, kind in kinds.items()]).collect()[0]
    return RowCounts(**counted.asDict())


def pair_rows(before: "DataFrame", after: "DataFrame", *, key: Sequence[str]) -> "DataFrame":
    """Rows of both lots by key, under `old` and `new`, each with its `content` as text."""
    old, new = (
        rows.withColumn("content", _write_content(rows)).alias(name) for rows, name in ((before, "old"), (after, "new"))
    )
    same_key = [F.col(f"old.`{name}`").eqNullSafe(F.col(f"new.`{name}`")) for name in key]
    return old.join(new, same_key, "full")


def _write_content(rows: "DataFrame") -> "Column":
    """A map has no order of its own, so it is written as a sorted list."""
    return F.to_json(
        F.struct(*ANSWER, F.sort_array(F.map_entries("probabilities")).alias("probabilities"), rows["reasons"])
    )


def require_same_rows(after: "DataFrame", before: "DataFrame", *, key: Sequence[str], batch: PredictionBatch) -> None:
    """Refuse rows that are not those which a batch is known by.

    Raises:
        ConflictError: they differ.
    """
    found = count_differences(before, after, key=key)
    if not found.differing:
        return
    raise ConflictError(
        f"batch {batch.batch_id} was scored by version {batch.model_version} ({batch.role}) on {batch.scored_at:%Y-%m-%d %H:%M} UTC, and would "
        f"now have other rows: {found.changed} differ, {found.added} are new, {found.removed} are gone, {found.same} are the same. Its tables "
        "or its configuration have changed since. Nothing was written. `score --replace` puts the new rows in their place; `score --batch NAME` "
        "keeps both."
    )
