"""Compaction, clustering and vacuum of every table, in which no version is lost that somebody needs."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.features.entity_hash import ENTITY_HASH, GROUP_BYTES
from sparkml_ops.lake import (
    METRICS,
    ROW_GROUP_BYTES,
    Lake,
    Metric,
    StepRecord,
    list_tables,
    new_run_id,
    read_table,
    record_metrics,
    record_step,
    table_exists,
    table_version,
)
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.lake.location import resolve_table_name
from sparkml_ops.lake.runs import RUNS, TableUse
from sparkml_ops.lake.upkeep import (
    KEEP_VERSIONS,
    TableDetail,
    cluster_table,
    compact_table,
    describe_detail,
    set_properties,
    vacuum_table,
)
from sparkml_ops.upkeep.look import ENOUGH_SMALL_FILES, Look, look_at_table
from sparkml_ops.upkeep.needs import KeptVersion, Needs, find_needs

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

STEP = SCOPE = "maintain"
_AT_A_TIME = 3  # a small table's upkeep waits for commits more than it computes


@dataclass(frozen=True)
class TableUpkeep:
    """One table, and what was done to its files, or what would be.

    Attributes:
        table: its name.
        actions: compacted, clustered, vacuumed, versions_kept; empty when there was nothing to do.
        files_before: files of the newest version.
        files_after: the same when all was done; in a dry run as before.
        bytes_before: size of the newest version.
        bytes_after: the same when all was done.
        files_vacuumed: old files that were deleted; those of the newest version are never among them.
        bytes_vacuumed: their size.
        orphans: how many of them no commit names: what killed writers left.
        kept: old versions that stay readable whatever their age, oldest first; those of the last days are all readable.
        lost: versions that are needed and cannot be read any more; while there are any, nothing is vacuumed.
        reasons: why each action was taken.
    """

    table: str
    actions: tuple[str, ...]
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    files_vacuumed: int
    bytes_vacuumed: int
    orphans: int
    kept: tuple[KeptVersion, ...]
    lost: tuple[int, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class MaintainResult:
    """What was done.

    Attributes:
        run_id: the run in the ledger; None when nothing was written.
        dry_run: whether this is only what would be done.
        tables: all that were looked at.
        released: training sets that are from now on not kept repeatable, with why.
    """

    run_id: str | None
    dry_run: bool
    tables: tuple[TableUpkeep, ...]
    released: dict[str, str]

    @property
    def has_changes(self) -> bool:
        """Whether anything was, or would be, done."""
        return bool(self.released) or any(table.actions for table in self.tables)


def maintain(
    use_case: "UseCase",
    lake: Lake,
    *,
    tables: Sequence[str] | None = None,
    dry_run: bool = False,
    run_id: str | None = None,
) -> MaintainResult:
    """Put the tables' files in order; where all is in order, nothing is written.

    Rows never change. Every version of the last days (`maintenance.keep`) stays readable, and so does every older one that a
    kept training set, a promoted model or a batch that can be rolled back needs.

    Args:
        use_case: gives `maintenance`.
        lake: where the tables are.
        tables: names of tables or sources; all by default.
        dry_run: only tell.
        run_id: the run that this belongs to.

    Raises:
        TableNotFoundError: a named table is not there.
        ConfigError: a table cannot be clustered as declared.
        ConflictError: somebody else maintains the same lake, or writes one of its tables.
    """
    names = _choose_tables(lake, tables)
    with hold_lease(lake, "maintain", wait_seconds=STAGE_WAIT_SECONDS):
        needs = find_needs(lake, use_case.maintenance)
        now = datetime.now(UTC)
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="maintain") as workers:
            looks = list(workers.map(lambda table: look_at_table(use_case, lake, table, needs=needs, now=now), names))
            released = _find_newly_released(lake, needs)
            planned = MaintainResult(None, dry_run, tuple(_tell(look, look.detail) for look in looks), released)
            if dry_run or not planned.has_changes:
                return planned
            run = run_id or new_run_id()
            with record_step(lake, run_id=run, step=STEP, config_hash=hash_config(use_case.maintenance)) as record:
                done = tuple(workers.map(lambda look: _put_in_order(lake, look), looks))
                result = MaintainResult(run, dry_run, done, released)
                _record(lake, record, result)
        _pack_ledgers(lake)
    return result


def _choose_tables(lake: Lake, wanted: Sequence[str] | None) -> list[str]:
    there = list_tables(lake)
    if wanted is None:
        return there
    for name in wanted:
        table = resolve_table_name(lake, name)
        if table not in there:
            nearest = get_close_matches(table, there, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise TableNotFoundError(
                f"{lake.use_case} has no table {table}.{hint} There are: {', '.join(there) or 'none'}."
            )
    return list(dict.fromkeys(resolve_table_name(lake, name) for name in wanted))


def _find_newly_released(lake: Lake, needs: Needs) -> dict[str, str]:
    """Training sets whose release is not on record yet."""
    if not needs.released or not table_exists(lake, METRICS):
        return needs.released
    told = read_table(lake, METRICS).where(f"scope = '{SCOPE}' AND name = 'released'").select("subject").distinct()
    known = {row["subject"] for row in told.collect()}
    return {version: why for version, why in needs.released.items() if version not in known}


def _put_in_order(lake: Lake, look: Look) -> TableUpkeep:
    """Each act is one commit or two of Delta's own; a killed one is done by the next run."""
    actions = look.list_actions()
    if not actions:
        return _tell(look, look.detail)
    logger.info("%s: %s", look.table, "; ".join(f"{action}: {why}" for action, why in actions.items()))
    if not look.keeps_versions:
        set_properties(lake, look.table, KEEP_VERSIONS)
    if look.cluster_by:
        cluster_table(lake, look.table, look.cluster_by)
    if look.is_compacted:
        is_sorted = ENTITY_HASH in read_table(lake, look.table).columns
        if is_sorted and ROW_GROUP_BYTES not in look.detail.properties:
            set_properties(lake, look.table, {ROW_GROUP_BYTES: str(GROUP_BYTES)})
        compact_table(lake, look.table)
    if look.old.files:
        vacuum_table(lake, look.table, look.old.files, retention=look.retention)
    return _tell(look, describe_detail(lake, look.table))


def _tell(look: Look, after: TableDetail) -> TableUpkeep:
    actions = look.list_actions()
    return TableUpkeep(
        table=look.table,
        actions=tuple(actions),
        files_before=look.detail.files,
        files_after=after.files,
        bytes_before=look.detail.bytes,
        bytes_after=after.bytes,
        files_vacuumed=len(look.old.files),
        bytes_vacuumed=look.old.bytes,
        orphans=look.old.orphans,
        kept=look.kept,
        lost=look.old.lost,
        reasons=tuple(actions.values()),
    )


def _record(lake: Lake, record: StepRecord, result: MaintainResult) -> None:
    changed = [table for table in result.tables if table.actions]
    for table in changed:
        record.outputs.append(TableUse(table.table, table_version(lake, table.table)))
        oldest = table.kept[0]
        record.note(table.table, f"{', '.join(table.actions)}; kept v{oldest.version}: {', '.join(oldest.reasons)}")
    for version, why in result.released.items():
        record.note(version, f"released: {why}")
    released = [Metric(SCOPE, name, "released", 1.0, details=why) for name, why in result.released.items()]
    figures = [*(metric for table in changed for metric in _measure(table)), *released]
    record_metrics(lake, figures, run_id=str(result.run_id), step=STEP, write_id=f"{STEP}:{result.run_id}")


def _measure(table: TableUpkeep) -> list[Metric]:
    """The figures of a table; `oldest_version` says in its details what that version is kept for."""
    names = (
        "files_before",
        "files_after",
        "bytes_before",
        "bytes_after",
        "files_vacuumed",
        "bytes_vacuumed",
        "orphans",
    )
    oldest = table.kept[0]
    why = Metric(SCOPE, table.table, "oldest_version", float(oldest.version), details="; ".join(oldest.reasons))
    return [*(Metric(SCOPE, table.table, name, float(getattr(table, name))) for name in names), why]


def _pack_ledgers(lake: Lake) -> None:
    """The rows that were just recorded may have been the file too many: the next run is to find nothing to do."""
    for table in (RUNS, METRICS):
        if describe_detail(lake, table).files >= ENOUGH_SMALL_FILES:
            compact_table(lake, table)
