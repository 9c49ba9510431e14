"""What ran, and what lies in the lake."""

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.catalog import CatalogEntry, read_catalog
from sparkml_ops.lake import Lake, list_tables
from sparkml_ops.reporting.facts import StepFacts
from sparkml_ops.reporting.rows import collect_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

RUNS = "runs"
MAX_STEPS = 200
RECENT_STEPS = 25
MAX_TABLES = 60


def read_newest_steps(lake: Lake) -> list[StepFacts]:
    """Of each step the newest row, and the newest that ended without an error where that is another one."""

    def choose(runs: "DataFrame") -> "DataFrame":
        newest_first = Window.partitionBy("step", F.col("error").isNull()).orderBy(F.desc("ended_at"), F.desc("run_id"))
        return (
            runs.withColumn("_rank", F.row_number().over(newest_first)).where("_rank = 1").orderBy(F.desc("ended_at"))
        )

    return [_to_step(row) for row in collect_rows(lake, RUNS, choose, limit=MAX_STEPS)]


def read_recent_steps(lake: Lake) -> list[StepFacts]:
    """The last rows of the ledger, newest first."""
    found = collect_rows(lake, RUNS, lambda runs: runs.orderBy(F.desc("ended_at"), F.desc("step")), limit=RECENT_STEPS)
    return [_to_step(row) for row in found]


def read_tables(use_case: "UseCase", lake: Lake, *, training_set: str | None) -> tuple[CatalogEntry, ...]:
    """The catalog; of the training sets only the newest, `training_sets` lists the others."""
    names = [name for name in list_tables(lake) if not name.startswith("training_set_") or name == training_set]
    return read_catalog(use_case, lake, tables=names[:MAX_TABLES])


def _to_step(row: dict[str, Any]) -> StepFacts:
    return StepFacts(
        run_id=row["run_id"],
        step=row["step"],
        status=row["status"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        duration_seconds=row["duration_seconds"],
        outputs=tuple((use["table"], use["version"], use["rows"]) for use in row["outputs"] or ()),
        details=row["details"] or {},
        error=row["error"],
    )
