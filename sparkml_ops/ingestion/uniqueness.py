"""Keys are unique: within a batch and against the table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.ingestion.contract import RAW, VIOLATIONS, list_reasons

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def has_duplicates(judged: "DataFrame", key: Sequence[str], *, existing: "DataFrame | None" = None) -> bool:
    """Whether two good rows of the batch have the same key, or one has a key of the table; looks at the keys only."""
    keys = judged.where(F.size(VIOLATIONS) == 0).select(*key)
    if not keys.groupBy(*key).count().where("count > 1").isEmpty():
        return True
    return existing is not None and not keys.join(existing.select(*key), [*key], "left_semi").isEmpty()


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
    return judged.withColumn(VIOLATIONS, F.concat(F.col(VIOLATIONS), list_reasons(reasons))).drop("_known")
