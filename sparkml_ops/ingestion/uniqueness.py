"""Keys are unique: within a batch and against the table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.ingestion.contract import RAW, VIOLATIONS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def flag_duplicates(judged: "DataFrame", key: Sequence[str], *, existing: "DataFrame | None" = None) -> "DataFrame":
    """Add a violation to each good row whose key a good row of the batch, or of the table, has already.

    Of several rows of a batch the first by file and content is kept, so that a retry keeps the same one.

    Args:
        judged: rows with the key columns, `_raw`, `_violations`, `_source_file`.
        key: the key columns.
        existing: rows of the table with the key columns, if there are any.
    """
    good = F.size(VIOLATIONS) == 0
    first_wins = Window.partitionBy(*key, good).orderBy("_source_file", F.xxhash64(RAW), RAW)
    reasons = [
        F.when(
            good & (F.row_number().over(first_wins) > 1), F.lit(f"key: {', '.join(key)} is there twice in the batch")
        )
    ]
    if existing is not None:
        known = existing.select(*key).distinct().withColumn("_known", F.lit(True))
        judged = judged.join(known, [*key], "left")
        reasons.append(F.when(good & F.col("_known"), F.lit(f"key: {', '.join(key)} is in the table already")))
    flagged = judged.withColumn(VIOLATIONS, _concat(reasons))
    return flagged.drop("_known")


def _concat(reasons: "list[Column]") -> "Column":
    return F.concat(F.col(VIOLATIONS), F.array_compact(F.array(*reasons)))
