"""Quarantine that is worked off: rows are taken in after all, or put aside for good."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import (
    BLOCK,
    HEADER,
    IS_ROW,
    POSITION,
    RAW,
    apply_contract,
    blaming_expressions,
    find_severities,
    hash_contract,
)
from sparkml_ops.ingestion.counts import flag_refused
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.ingestion.judge import hold_together
from sparkml_ops.ingestion.manifest import note_batch
from sparkml_ops.ingestion.quarantine import DECISIONS, ROW, find_source, read_decisions, read_quarantine
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.ingestion.readers.splitters import FAULTS
from sparkml_ops.ingestion.references import read_parents
from sparkml_ops.ingestion.write import write_clean
from sparkml_ops.lake import (
    Commit,
    Lake,
    StepRecord,
    append_once,
    find_write,
    new_run_id,
    read_table,
    record_step,
    table_exists,
)
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuarantineResult:
    """What became of the rows that were open.

    Attributes:
        run_id: the run in the ledger.
        source: name of the source.
        rows_open: rows that were open before.
        rows_decided: rows that were replayed, or discarded.
        rows_left: rows that are open still.
        batch_id: the batch that replayed rows are in; None when there is none.
    """

    run_id: str
    source: str
    rows_open: int
    rows_decided: int
    rows_left: int
    batch_id: str | None = None


def replay(use_case: "UseCase", lake: Lake, source: str, *, run_id: str | None = None) -> QuarantineResult:
    """Judge a source's open rows by the contract as it is now, and take in those that keep it.

    Rows that were taken in earlier keep the judgement of their day: after a change of the contract, `ingest` would judge them
    all anew, and does so still with `full`. A key that is in the table already stays in quarantine.

    Args:
        use_case: the configuration, with the contract as it was mended.
        lake: where the tables are.
        source: name of the source.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: an unknown source.
        TableNotFoundError: nothing was ever ingested from it.
        ContractError: the contract has other columns, or types, now than the table.
        ConflictError: somebody else is ingesting the same source.
    """
    contract = find_source(use_case, source)
    with _work_off(lake, contract, source, run_id) as (record, run):
        _require_same_columns(
            lake, source, contract, dict.fromkeys([*contract.column_names(), *contract.history_columns()])
        )
        batch = _name_batch(source, contract)
        rows = read_quarantine(lake, source).where("status = 'open'")
        if rows.isEmpty():
            return _tell(record, run, source, 0, 0)
        with _judge_again(lake, contract, batch, rows) as (opened, sound):
            _require_same_columns(lake, source, contract, _own_columns(sound))
            rows_open = opened.count()
            with blaming_expressions(source):
                rows_sound = sound.count()
            if rows_sound == 0:
                return _tell(record, run, source, rows_open, 0)
            chosen = opened.join(sound.select(POSITION), POSITION, "left_semi")
            decided = _decide(lake, batch, chosen, decision="replayed", why=batch.reason, run=run)
            taken = write_clean(lake, contract, batch, sound)
        if not rows_sound == decided.rows == taken.rows:
            raise ContractError(
                f"source {source}: replay {batch.batch_id} does not balance: {rows_sound} rows keep the contract, {decided.rows} were "
                f"chosen, {taken.rows} were taken into clean_{source} v{taken.clean.version}. This is a bug of ours: please report it."
            )
        note_batch(lake, batch)
        for commit in (decided, taken.clean, taken.deleted):
            if commit is not None:
                record.wrote(commit)
        if contract.merge is not None:
            record.note("rows_deleted", taken.rows_deleted)
            record.note("rows_superseded", taken.superseded)
        return _tell(record, run, source, rows_open, decided.rows, batch_id=batch.batch_id)


def discard(
    use_case: "UseCase", lake: Lake, source: str, *, why: str, batch: str | None = None, run_id: str | None = None
) -> QuarantineResult:
    """Put a source's open rows aside for good: they stay where they are, marked, with the reason and the name of who said so.

    Args:
        use_case: the configuration.
        lake: where the tables are.
        source: name of the source.
        why: the reason, in words.
        batch: only rows of this batch.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: an unknown source, no reason, or a batch that has no open rows.
        TableNotFoundError: nothing was ever ingested from the source.
        ConflictError: somebody else is ingesting the same source.
    """
    contract = find_source(use_case, source)
    if not why.strip():
        raise ConfigError(
            "a reason is needed: it is what an auditor will read, for instance --reason 'test rows of the vendor'"
        )
    with _work_off(lake, contract, source, run_id) as (record, run):
        rows = read_quarantine(lake, source).where("status = 'open'")
        rows_open = rows.count()
        chosen = rows if batch is None else rows.where(F.col("_batch_id") == batch)
        if batch is not None and chosen.isEmpty():
            there = [row[0] for row in rows.select("_batch_id").distinct().limit(5).collect()]
            raise ConfigError(
                f"source {source}: batch {batch!r} has no open rows in quarantine; batches that have: {there}"
            )
        if not rows_open:
            return _tell(record, run, source, 0, 0)
        decided = _decide(lake, _name_batch(source, contract), chosen, decision="discarded", why=why, run=run)
        record.wrote(decided)
        return _tell(record, run, source, rows_open, decided.rows)


@contextmanager
def _work_off(lake: Lake, contract: "Source", source: str, run_id: str | None) -> Iterator[tuple[StepRecord, str]]:
    run = run_id or new_run_id()
    with (
        hold_lease(lake, f"ingest-{source}", wait_seconds=STAGE_WAIT_SECONDS),
        record_step(lake, run_id=run, step=f"quarantine:{source}", config_hash=hash_contract(contract)) as record,
    ):
        _settle(lake, source)
        yield record, run


def _settle(lake: Lake, source: str) -> None:
    """Note the replays that were killed when their rows were in the table already; any other is as if it had never been."""
    if not table_exists(lake, DECISIONS):
        return
    cut_off = read_decisions(lake, source).where(~F.col("counts"))
    for row in cut_off.select("into_batch", "contract_hash", "decided_at", "why").distinct().collect():
        if find_write(lake, f"clean_{source}", row["into_batch"]) is not None:
            decided_at = row["decided_at"].astimezone()
            note_batch(lake, _make_batch(source, row["into_batch"], row["contract_hash"], decided_at))


def _name_batch(source: str, contract: "Source") -> Batch:
    return _make_batch(source, f"{source}-replay-{uuid4().hex[:12]}", hash_contract(contract), datetime.now(UTC))


def _make_batch(source: str, batch_id: str, contract_hash: str, started_at: datetime) -> Batch:
    rows = LandedFile(f"quarantine_{source}", 0, started_at)
    return Batch(batch_id, source, contract_hash, "replay", (rows,), started_at, "replay of the quarantine")


def _require_same_columns(lake: Lake, source: str, contract: "Source", found: Mapping[str, str | None]) -> None:
    """Columns, and where they are known their types, are those of the table: an append would fail, or fill up with nulls."""
    table = _own_columns(read_table(lake, f"clean_{source}"))
    gone = [] if contract.on_new_columns == "add" else sorted(set(table) - set(found))
    lines = [f"  - {name}: in the table, not in the contract" for name in gone]
    lines += [f"  + {name}: in the contract, not in the table" for name in sorted(set(found) - set(table))]
    lines += [
        f"  ~ {name}: {table[name]} in the table, {kind} in the contract"
        for name, kind in found.items()
        if kind is not None and table.get(name, kind) != kind
    ]
    if lines:
        raise ContractError(
            f"source {source}: the contract has other columns now than clean_{source}:\n" + "\n".join(lines) + "\n"
            "Nothing was written. `sparkml-ops ingest` takes all files in anew under the changed contract."
        )


def _own_columns(rows: "DataFrame") -> dict[str, str]:
    return {name: kind for name, kind in rows.dtypes if not name.startswith("_")}


@contextmanager
def _judge_again(
    lake: Lake, contract: "Source", batch: Batch, rows: "DataFrame"
) -> Iterator[tuple["DataFrame", "DataFrame"]]:
    """The open rows, and those of them that keep the contract now, both numbered by `_position` and kept at hand."""
    opened = rows.withColumn(POSITION, F.monotonically_increasing_id()).persist()
    lines = opened.select(
        F.col("raw").alias(RAW),
        F.col("header").alias(HEADER),
        F.get(F.array_intersect("reasons", F.array(*map(F.lit, FAULTS))), F.lit(0)).alias("_fault"),
        "_source_file",
        F.lit(True).alias(IS_ROW),
        F.lit(0).cast("bigint").alias(BLOCK),
        POSITION,
    )
    judged = apply_contract(KINDS[contract.format].reread(lines, contract), contract, name=batch.source)
    parents, _ = read_parents(lake, contract, batch)
    try:
        with hold_together(lake, contract, batch, judged, parents=parents) as held:
            sound = held.where(~flag_refused(find_severities(contract))).persist()
            try:
                yield opened, sound
            finally:
                sound.unpersist()
    finally:
        opened.unpersist()


def _decide(lake: Lake, batch: Batch, rows: "DataFrame", *, decision: str, why: str, run: str) -> Commit:
    into = batch.batch_id if decision == "replayed" else None
    marked = rows.select(
        F.lit(batch.source).alias("source"),
        *ROW,
        F.lit(decision).alias("decision"),
        F.lit(why).alias("why"),
        F.lit(into).cast("string").alias("into_batch"),
        F.lit(batch.contract_hash).alias("contract_hash"),
        F.lit(getuser()).alias("decided_by"),
        F.lit(batch.started_at).alias("decided_at"),
        F.lit(run).alias("run_id"),
    )
    return append_once(lake, DECISIONS, marked, write_id=batch.batch_id)


def _tell(
    record: StepRecord, run: str, source: str, rows_open: int, rows_decided: int, *, batch_id: str | None = None
) -> QuarantineResult:
    left = rows_open - rows_decided
    for name, figure in (("rows_open", rows_open), ("rows_decided", rows_decided), ("rows_left", left)):
        record.note(name, figure)
    logger.info("quarantine of %s: %d of %d open rows decided, %d left", source, rows_decided, rows_open, left)
    return QuarantineResult(run, source, rows_open, rows_decided, left, batch_id)
