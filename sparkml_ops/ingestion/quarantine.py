"""Rows in quarantine, and what was decided about them.

The rows stand in `quarantine_<source>` and never change. What became of them stands beside, in `quarantine_decisions`. Rows
are first chosen for a replay, then written to the clean table, then the replay is noted among the batches (`ingested_files`):
only from then on they count as replayed. A row that no decision counts for is open.
"""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError
from sparkml_ops.ingestion.manifest import MANIFEST
from sparkml_ops.lake import Lake, read_table, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source
    from sparkml_ops.config.use_case import UseCase

DECISIONS = "quarantine_decisions"
ROW = ("_batch_id", "_ingested_at", "_source_file", "line")
"""What names a row of a quarantine table."""
REASONS_SHOWN = 100  # combinations of reasons; more than that is no list that a person reads


def find_source(use_case: "UseCase", name: str) -> "Source":
    """A source by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in use_case.sources:
        raise ConfigError(f"unknown source {name!r}; {use_case.name} has {sorted(use_case.sources)}")
    return use_case.sources[name]


def read_quarantine(lake: Lake, source: str) -> "DataFrame":
    """All rows of a source's quarantine, with `status` (open, replayed or discarded) and `why`.

    Raises:
        TableNotFoundError: nothing was ever ingested from the source.
    """
    rows = read_table(lake, f"quarantine_{source}")
    if not table_exists(lake, DECISIONS):
        return rows.withColumns({"status": F.lit("open"), "why": F.lit(None).cast("string")})
    decided = read_decisions(lake, source).where("counts").select(*ROW, F.col("decision").alias("status"), "why")
    return rows.join(decided, [*ROW], "left").select(
        *[rows[name] for name in rows.columns], F.coalesce("status", F.lit("open")).alias("status"), "why"
    )


def read_decisions(lake: Lake, source: str) -> "DataFrame":
    """What was decided about a source's rows, with `counts`: false for a replay that never came to its end."""
    replays = read_table(lake, MANIFEST).where(F.col("mode") == "replay")
    ended = replays.select(F.col("batch_id").alias("into_batch"), F.lit(True).alias("_ended"))
    decisions = read_table(lake, DECISIONS).where(F.col("source") == source).join(ended, "into_batch", "left")
    return decisions.withColumn("counts", F.col("into_batch").isNull() | F.coalesce("_ended", F.lit(False)))


def summarise_quarantine(rows: "DataFrame") -> "DataFrame":
    """Rows by batch, reasons and status, most first."""
    groups = rows.groupBy("_batch_id", F.concat_ws("; ", "reasons").alias("reasons"), "status", "why")
    counted = groups.agg(F.count("*").alias("rows"), F.min("_ingested_at").alias("since"))
    return counted.orderBy(F.desc("rows"), "_batch_id", "reasons", "status", "why").limit(REASONS_SHOWN)
