"""What the lake says before anything is decided, read once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkml_ops.errors import SetupError
from sparkml_ops.ingestion import Batch, find_batches
from sparkml_ops.lake import Lake, StepRun, change_version, last_successes, table_exists, table_version
from sparkml_ops.promotion import find_champion

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.pipeline.steps import Step

# A short read waits for Spark's scheduler more than it computes; more than this at a time only wait for each other.
_SIDE_BY_SIDE = 4


@dataclass(frozen=True)
class Known:
    """What the lake says.

    Attributes:
        ledger: the last success of each step, by step.
        batches: what each source has ready to be ingested, by source; None where nothing is new.
        versions: newest version of each table that the ledger names; None where the table is gone.
        champion: the model version that serves; None before the first promotion.
        changes: version of each table that an input of a step has its rows from: upkeep makes newer ones of the same rows.
    """

    ledger: Mapping[str, StepRun]
    batches: Mapping[str, Batch | None]
    versions: Mapping[str, int | None]
    champion: int | None
    changes: Mapping[str, int] = field(default_factory=dict)


def read_known(use_case: "UseCase", lake: Lake, steps: "Sequence[Step]") -> Known:
    """Read what a decision about these steps rests on.

    Raises:
        ContractError: landed files changed after they were ingested.
        SetupError: no files at a source's path, or a table is older than the ledger says.
    """
    ledger = last_successes(lake)  # first and alone: Spark is cold, and the reads after it find it warm
    runs = [ledger[step.name] for step in steps if step.name in ledger]
    tables = sorted({table for run in runs for table in (*run.inputs, *run.outputs)})
    sources = [str(step.subject) for step in steps if step.stage == "ingest"]
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="read") as readers:
        champion = readers.submit(find_champion, lake)
        batches = readers.submit(find_batches, use_case, lake, sources)
        versions = readers.map(lambda table: table_version(lake, table) if table_exists(lake, table) else None, tables)
        newest = dict(zip(tables, versions, strict=True))
        _require_no_older(use_case.name, runs, newest)
        moved = [t for t in tables if any(newest[t] != run.inputs.get(t, newest[t]) for run in runs)]
        there = [t for t in moved if newest[t] is not None]
        changes = dict(zip(there, readers.map(lambda table: change_version(lake, table), there), strict=True))
        return Known(ledger, batches.result(), newest, champion.result(), changes)


def _require_no_older(use_case: str, runs: "Sequence[StepRun]", newest: Mapping[str, int | None]) -> None:
    """A table that is older than the ledger says has lost commits; what it gives is true of another day."""
    for run in runs:
        for table, written in run.outputs.items():
            found = newest[table]
            if found is not None and found < written:
                raise SetupError(
                    f"the table {table} of {use_case} is at v{found}, and `runs` says that {run.step} wrote v{written}: the newest "
                    "files of its _delta_log are gone, or the folder was put back from a backup. Bring them back; or move the "
                    "table's folder away, and the step that makes it makes it anew."
                )
