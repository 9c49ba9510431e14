"""Rows of a request that cannot be scored: which they are, why, and where they stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkml_ops.lake import Commit, Lake, create_table, read_table, replace_slice, table_exists

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

QUARANTINE = "prediction_quarantine"
COPY = "a copy of another row, which is scored"
_MEANINGS = {
    "as_of": "the moment of decision, where there is one; UTC",
    "reasons": "why the row cannot be scored",
    "batch_id": "the batch; see prediction_batches",
    "run_id": "the run that met the row; see runs",
    "refused_at": "when; UTC",
}


@dataclass(frozen=True)
class MomentCounts:
    """Rows of a request.

    Attributes:
        rows: all.
        refused: those that cannot be scored.
        gaps: of these, rows without a key or a moment.
        doubled: of these, rows whose key is there with other values too; which of them is meant, nobody can say.
        copies: of these, rows that are equal to one which is scored.
        first: the first moment of a row that can be scored.
        last: the last one.
    """

    rows: int
    refused: int
    gaps: int
    doubled: int
    copies: int
    first: datetime | None
    last: datetime | None


def count_moments(moments: "DataFrame", key: Sequence[str], as_of: str) -> MomentCounts:
    """Count the rows of a request by what is wrong with them, in one aggregation by key."""
    content = F.to_json(F.struct(*[F.col(f"`{name}`") for name in moments.columns]))
    per_key = (
        moments.withColumns({"_gap": _has_gap(key, as_of), "_content": content})
        .groupBy(*[F.col(f"`{name}`") for name in key])
        .agg(
            F.count("*").alias("rows"),
            F.count(F.when(F.col("_gap"), 1)).alias("gaps"),
            F.min(F.when(~F.col("_gap"), F.col("_content"))).alias("least"),
            F.max(F.when(~F.col("_gap"), F.col("_content"))).alias("most"),
            F.min(F.when(~F.col("_gap"), F.col(f"`{as_of}`"))).cast("timestamp").alias("first"),
            F.max(F.when(~F.col("_gap"), F.col(f"`{as_of}`"))).cast("timestamp").alias("last"),
        )
    )
    whole, is_doubled = F.col("rows") - F.col("gaps"), F.col("least") != F.col("most")
    scored = F.when(is_doubled, 0).otherwise(F.least(whole, F.lit(1)))
    totals = {
        "rows": F.sum("rows"),
        "gaps": F.sum("gaps"),
        "doubled": F.sum(F.when(is_doubled, whole).otherwise(0)),
        "scored": F.sum(scored),
        "first": F.min(F.when(scored > 0, F.col("first"))),
        "last": F.max(F.when(scored > 0, F.col("last"))),
    }
    found = per_key.agg(*[total.alias(name) for name, total in totals.items()]).collect()[0]
    rows, gaps, doubled, kept = (found[name] or 0 for name in ("rows", "gaps", "doubled", "scored"))
    return MomentCounts(rows, rows - kept, gaps, doubled, rows - kept - gaps - doubled, found["first"], found["last"])


def tell_reasons(moments: "DataFrame", key: Sequence[str], as_of: str) -> "DataFrame":
    """Add to each row of a request the `reasons` why it cannot be scored; none of one that can."""
    named = list(dict.fromkeys([*key, as_of]))
    content = F.to_json(F.struct(*[F.col(f"`{name}`") for name in moments.columns]))
    rows = moments.withColumns({"_gap": _has_gap(key, as_of), "_content": content})
    same_key = Window.partitionBy(*[F.col(f"`{name}`") for name in key], F.col("_gap"))
    rows = rows.withColumns(
        {
            "_rows": F.count("*").over(same_key),
            "_differ": F.min("_content").over(same_key) != F.max("_content").over(same_key),
            "_at": F.row_number().over(same_key.orderBy("_content")),
        }
    )
    told = F.concat(F.lit(f"{', '.join(key)}: there "), F.col("_rows"), F.lit(" times with other values"))
    found = [
        *[F.when(F.col(f"`{name}`").isNull(), F.lit(f"{name}: null")) for name in named],
        F.when(~F.col("_gap") & F.col("_differ"), told),
        F.when(~F.col("_gap") & ~F.col("_differ") & (F.col("_at") > 1), F.lit(COPY)),
    ]
    return rows.withColumn("reasons", F.array_compact(F.array(*found))).drop(
        "_gap", "_content", "_rows", "_differ", "_at"
    )


def write_refused(
    lake: Lake, refused: "DataFrame", *, entity: Sequence[str], as_of: str, of: Mapping[str, str], made_from: str
) -> Commit | None:
    """Put a batch's refused rows into `prediction_quarantine`, in place of those it had there.

    Args:
        lake: where the table is.
        refused: the rows, with their `reasons`; none where all can be scored.
        entity: the entity columns.
        as_of: the column with their moment.
        of: `batch_id` and `run_id`.
        made_from: tells what the rows come from.

    Returns:
        The commit; None where nothing is refused, nor was before.
    """
    where = {"batch_id": of["batch_id"]}
    if refused.isEmpty() and not _has_rows(lake, where["batch_id"]):
        return None
    values = {
        "as_of": F.col(f"`{as_of}`").cast("timestamp"),
        "reasons": F.col("reasons"),
        **{name: F.lit(value) for name, value in of.items()},
        "refused_at": F.lit(datetime.now(UTC)),
    }
    columns = [F.col(f"`{name}`").alias(name, metadata={"comment": "entity"}) for name in entity]
    rows = refused.select(
        *columns, *[values[name].alias(name, metadata={"comment": told}) for name, told in _MEANINGS.items()]
    )
    create_table(lake, QUARANTINE, rows.schema, comment="Rows of a request that could not be scored, and why")
    write_id = f"refused:{where['batch_id']}"
    return replace_slice(lake, QUARANTINE, rows, where=where, write_id=write_id, fingerprint=made_from)


def _has_rows(lake: Lake, batch_id: str) -> bool:
    if not table_exists(lake, QUARANTINE):
        return False
    return not read_table(lake, QUARANTINE).where(F.col("batch_id") == batch_id).isEmpty()


def _has_gap(key: Sequence[str], as_of: str) -> "Column":
    return reduce(lambda one, other: one | other, [F.col(f"`{name}`").isNull() for name in (*key, as_of)])
