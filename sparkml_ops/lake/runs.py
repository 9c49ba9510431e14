"""The run ledger: one row per step of each run. Lineage, audit and resume are queries on it."""

import getpass
import hashlib
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Any

import sparkml_ops
from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.lake.commits import Commit
from sparkml_ops.lake.failed_reads import blaming_tables
from sparkml_ops.lake.failed_writes import blaming_storage
from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.tables import read_table, table_exists
from sparkml_ops.lake.writes import append_rows

logger = logging.getLogger(__name__)

RUNS = "runs"
_USE = "array<struct<table: string, version: bigint, rows: bigint>>"
RUNS_SCHEMA = (
    f"run_id string, step string, status string, inputs {_USE}, outputs {_USE}, model_name string, model_version int, "
    "config_hash string, code_version string, user string, started_at timestamp, ended_at timestamp, "
    "duration_seconds double, error string, details map<string, string>"
)


@dataclass(frozen=True)
class TableUse:
    """A table at a version, with the rows read or written where they are known."""

    table: str
    version: int
    rows: int | None = None


@dataclass
class StepRecord:
    """What a running step tells the ledger."""

    inputs: list[TableUse] = field(default_factory=list)
    outputs: list[TableUse] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    status: str = "succeeded"
    model_name: str | None = None
    model_version: int | None = None

    def read(self, table: str, version: int, rows: int | None = None) -> None:
        """Note an input."""
        self.inputs.append(TableUse(table, version, rows))

    def wrote(self, commit: Commit) -> None:
        """Note an output."""
        self.outputs.append(TableUse(commit.table, commit.version, commit.rows))

    def note(self, key: str, value: object) -> None:
        """Note a figure or a reason."""
        self.details[key] = str(value)

    def model(self, name: str, version: int) -> None:
        """Note the model that was made or used."""
        self.model_name, self.model_version = name, version

    def refuse(self, reason: str) -> None:
        """Say that the step ran to its end, and its answer is no."""
        self.status = "refused"
        self.details["reason"] = reason


@dataclass(frozen=True)
class StepRun:
    """The last success of a step, as the ledger has it."""

    step: str
    run_id: str
    status: str
    config_hash: str
    inputs: dict[str, int]
    outputs: dict[str, int]
    details: dict[str, str]
    model_version: int | None
    ended_at: datetime


def new_run_id() -> str:
    """A run's name: sortable by time, unique."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


@cache
def code_version() -> str:
    """Version of this package and a digest of its source, so that an edit without a release shows."""
    digest = hashlib.sha256()
    root = Path(sparkml_ops.__file__).parent
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return f"{sparkml_ops.__version__}+{digest.hexdigest()[:12]}"


@dataclass(frozen=True)
class _StepStart:
    run_id: str
    step: str
    config_hash: str
    started_at: datetime


@contextmanager
def record_step(lake: Lake, *, run_id: str, step: str, config_hash: str) -> Iterator[StepRecord]:
    """Run a step and write its row to `runs` when it ends, however it ends; the error goes on to the caller."""
    record, start = StepRecord(), _StepStart(run_id, step, config_hash, datetime.now(UTC))
    try:
        with blaming_storage(lake), blaming_tables(lake):
            yield record
    except BaseException as error:
        record.status = "refused" if isinstance(error, SparkMLOpsError) and error.exit_code == 1 else "failed"
        try:
            _append_run(lake, record, start, error=_describe(error))
        except Exception:  # the first error is the one to show; this one must not hide it
            logger.exception("the failure of %s could not be written to `runs`", step)
        raise
    with blaming_storage(lake):
        _append_run(lake, record, start, error=None)


def last_successes(lake: Lake) -> dict[str, StepRun]:
    """The newest row of every step that ended well (`succeeded`, or `refused` by a gate), by step."""
    from pyspark.sql import functions as F

    if not table_exists(lake, RUNS):
        return {}
    done = read_table(lake, RUNS).where("error IS NULL").groupBy("step")
    newest = done.agg(F.max_by(F.struct("*"), F.struct("ended_at", "run_id")).alias("run")).collect()
    return {row["step"]: _to_step_run(row["run"]) for row in newest}


def read_notes(lake: Lake, *, steps: Sequence[str], key: str) -> set[str]:
    """What all runs of these steps that ended well have noted under a key."""
    from pyspark.sql import functions as F

    if not table_exists(lake, RUNS):
        return set()
    rows = read_table(lake, RUNS).where(F.col("step").isin([*steps]) & F.col("error").isNull())
    noted = rows.select(F.col("details")[key].alias("note")).where("note IS NOT NULL")
    return {row["note"] for row in noted.collect()}


def find_inputs(lake: Lake, made: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """What the steps that wrote some tables had read.

    Args:
        lake: where the tables are.
        made: the version of each table.

    Returns:
        The versions of what was read, by table; without those that the ledger says nothing of. A later run of a step that found nothing
        to do names the same version beside newer inputs: the first one wrote it.
    """
    from pyspark.sql import functions as F

    if not made or not table_exists(lake, RUNS):
        return {}
    ended = read_table(lake, RUNS).where("error IS NULL").withColumn("use", F.explode("outputs"))
    asked = reduce(or_, [(F.col("use.table") == table) & (F.col("use.version") == at) for table, at in made.items()])
    first = F.min_by("inputs", F.struct("ended_at", "run_id")).alias("inputs")
    rows = ended.where(asked).groupBy("use.table").agg(first).collect()
    return {row["table"]: {use["table"]: use["version"] for use in row["inputs"]} for row in rows}


def _to_step_run(row: Any) -> StepRun:
    return StepRun(
        step=row["step"],
        run_id=row["run_id"],
        status=row["status"],
        config_hash=row["config_hash"],
        inputs={use["table"]: use["version"] for use in row["inputs"]},
        outputs={use["table"]: use["version"] for use in row["outputs"]},
        details=row["details"] or {},
        model_version=row["model_version"],
        ended_at=row["ended_at"],
    )


def _append_run(lake: Lake, record: StepRecord, start: _StepStart, *, error: str | None) -> None:
    ended = datetime.now(UTC)
    row = {
        **asdict(start),
        "status": record.status,
        "inputs": [vars(use) for use in record.inputs],
        "outputs": [vars(use) for use in record.outputs],
        "model_name": record.model_name,
        "model_version": record.model_version,
        "code_version": code_version(),
        "user": getpass.getuser(),
        "ended_at": ended,
        "duration_seconds": (ended - start.started_at).total_seconds(),
        "error": error,
        "details": record.details,
    }
    append_rows(lake, RUNS, lake.spark.createDataFrame([row], RUNS_SCHEMA))


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip()[:2000]}"
