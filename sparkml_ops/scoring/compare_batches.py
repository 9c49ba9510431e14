"""What publishing a batch changes for consumers, or did change."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.lake import Lake, read_table, table_exists
from sparkml_ops.scoring.batches import choose_batch
from sparkml_ops.scoring.ledger import CURRENT, PredictionBatch, read_predictions
from sparkml_ops.scoring.publications import list_publications
from sparkml_ops.scoring.same_rows import pair_rows

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.use_case import UseCase

_SHOWN = 5  # rows that differ most


@dataclass(frozen=True)
class BatchDifference:
    """What consumers see with a batch, beside what they see without it.

    Attributes:
        batch: the batch.
        is_published: whether it is what they see now; else what they would see.
        added: decisions that were not there.
        removed: decisions that go away.
        changed: decisions with another answer.
        same: decisions with the same answer.
        older: decisions of the batch that stay as they are, because a newer moment was published.
        class_changed: of the changed ones, those with another class or label.
        mean_before: mean prediction of the decisions that are in both, without the batch.
        mean_after: the same with the batch.
        mean_change: mean of the absolute difference of their predictions.
        largest: decisions whose prediction differs most, with both.
    """

    batch: PredictionBatch
    is_published: bool
    added: int
    removed: int
    changed: int
    same: int
    older: int
    class_changed: int
    mean_before: float | None
    mean_after: float | None
    mean_change: float | None
    largest: tuple[dict[str, Any], ...]


def diff_batch(use_case: "UseCase", lake: Lake, batch: str, *, version: int | None = None) -> BatchDifference:
    """Compare what consumers see with a batch and without it; nothing is written.

    Args:
        use_case: whose batch.
        lake: where the tables are.
        batch: its name.
        version: the model version that scored it; by default the one that scored it last.

    Raises:
        ConfigError: no such batch, or it was only scored in the shadow.
        TableNotFoundError: what was there before it is gone.
    """
    chosen, publications = choose_batch(use_case, lake, batch, version), list_publications(lake)
    found, is_published = publications.find(batch), publications.shows(chosen)
    if found is not None and is_published:
        before, after = (read_table(lake, CURRENT, version=at) for at in (found.version - 1, found.version))
    else:
        after = read_predictions(lake, chosen)
        before = read_table(lake, CURRENT) if table_exists(lake, CURRENT) else after.limit(0)
    key = use_case.dataset.key_columns()
    # A table from before a column of the ledger is as if it had nulls there.
    pairs = pair_rows(*(_give_columns(rows, after, before) for rows in (before, after)), key=key)
    of_batch = (F.col("old.batch_id") == batch) | (F.col("new.batch_id") == batch)
    pairs = pairs.where(of_batch).persist()
    try:
        counts = pairs.agg(*_count(is_published=is_published)).collect()[0].asDict()
        return BatchDifference(chosen, is_published, **counts, largest=_find_largest(pairs, key))
    finally:
        pairs.unpersist()


def _give_columns(rows: "DataFrame", *others: "DataFrame") -> "DataFrame":
    wanted = {column.name: column.dataType for other in others for column in other.schema}
    lacking = {name: F.lit(None).cast(kind) for name, kind in wanted.items() if name not in rows.columns}
    return rows.withColumns(lacking) if lacking else rows


def _count(*, is_published: bool) -> "list[Column]":
    old, new = F.col("old.prediction"), F.col("new.prediction")
    is_added, is_removed = F.col("old.content").isNull(), F.col("new.content").isNull()
    # What is published is compared after the fact: there, what stayed as it was is not among the batch's rows any more.
    is_older = F.lit(False) if is_published else F.coalesce(F.col("new.as_of") < F.col("old.as_of"), F.lit(False))
    is_same = F.col("old.content") == F.col("new.content")
    is_changed = ~is_same & ~is_older
    kinds = {
        "added": is_added,
        "removed": is_removed,
        "changed": is_changed,
        "same": is_same & ~is_older,
        "older": is_older,
        "class_changed": is_changed & _changes_class(),
    }
    in_both = ~is_added & ~is_removed & ~is_older
    means = {"mean_before": old, "mean_after": new, "mean_change": F.abs(new - old)}
    return [
        *[F.count(F.when(kind, 1)).alias(name) for name, kind in kinds.items()],
        *[F.avg(F.when(in_both, value)).alias(name) for name, value in means.items()],
    ]


def _changes_class() -> "Column":
    names = ("predicted_class", "predicted_label")
    differs = [~F.col(f"old.{name}").eqNullSafe(F.col(f"new.{name}")) for name in names]
    return reduce(lambda one, other: one | other, differs)


def _find_largest(pairs: "DataFrame", key: Sequence[str]) -> tuple[dict[str, Any], ...]:
    size = F.abs(F.col("new.prediction") - F.col("old.prediction"))
    names = [F.col(f"new.`{name}`").alias(name) for name in key]
    answers = [F.col(f"{side}.prediction").alias(name) for side, name in (("old", "before"), ("new", "after"))]
    rows = pairs.where(size > 0).orderBy(F.desc(size), *[F.col(f"new.`{name}`") for name in key])
    return tuple(row.asDict() for row in rows.limit(_SHOWN).select(*names, *answers).collect())
