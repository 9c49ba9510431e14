"""Keys are unique: within a batch and against the table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.ingestion.contract import RAW, VIOLATIONS, list_reasons

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_PART_BYTES = 32_000_000
_PARTED_FROM_BYTES = 8 * _PART_BYTES  # less is spread well enough by the partitions that Spark makes anyway
_IS_TAKEN, _IS_KNOWN = "_is_taken", "_is_known"


def has_duplicates(
    judged: "DataFrame",
    key: Sequence[str],
    *,
    refused: "Column",
    existing: "DataFrame | None" = None,
    size_bytes: int = 0,
) -> bool:
    """Whether two rows of the batch that are taken in have the same key, or one has a key of the table; looks at keys only.

    Args:
        judged: rows with the key columns.
        key: the key columns.
        refused: true of rows that are refused for what they are.
        existing: rows of the table with the key columns, if there are any.
        size_bytes: of the batch's files; of large ones the keys are looked at in more parts, so that each part fits in memory.
    """
    keys = judged.where(~refused).select(*key)
    if size_bytes > _PARTED_FROM_BYTES:
        keys = keys.repartition(-(-size_bytes // _PART_BYTES), *key)
    found = keys.groupBy(*key).count().where("count > 1").select(F.lit(1)).limit(1)
    if existing is not None:  # one job, for a small batch costs as much as a look at each
        found = found.union(keys.join(existing.select(*key), [*key], "left_semi").select(F.lit(1)).limit(1))
    return not found.isEmpty()


def flag_duplicates(
    judged: "DataFrame", key: Sequence[str], *, refused: "Column", existing: "DataFrame | None" = None
) -> "DataFrame":
    """Add a violation to each row whose key a row of the batch that is taken in, or of the table, has already.

    Of several rows of a batch the first by file and content is kept, so that a retry keeps the same one.

    Args:
        judged: rows with the key columns, `_raw`, `_violations`, `_source_file`.
        key: the key columns.
        refused: true of rows that are refused for what they are; they stand in no other row's way.
        existing: rows of the table with the key columns, if there are any.
    """
    marked = judged.withColumn(_IS_TAKEN, ~refused)
    first_wins = Window.partitionBy(*key, _IS_TAKEN).orderBy("_source_file", F.xxhash64(RAW), RAW)
    is_twice = F.col(_IS_TAKEN) & (F.row_number().over(first_wins) > 1)
    reasons = [F.when(is_twice, F.lit(f"key: {', '.join(key)} is there twice in the batch"))]
    if existing is not None:
        known = existing.select(*key).distinct().withColumn(_IS_KNOWN, F.lit(True))
        marked = marked.join(known, [*key], "left")
        is_known = F.col(_IS_TAKEN) & F.col(_IS_KNOWN)
        reasons.append(F.when(is_known, F.lit(f"key: {', '.join(key)} is in the table already")))
    flagged = marked.withColumn(VIOLATIONS, F.concat(F.col(VIOLATIONS), list_reasons(reasons)))
    return flagged.drop(_IS_TAKEN, _IS_KNOWN)
