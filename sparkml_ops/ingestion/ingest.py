"""Raw files -> clean table + quarantine table, under a contract."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.ingestion.batches import Batch, Wanted, decide_batch
from sparkml_ops.ingestion.contract import (
    IS_ROW,
    apply_contract,
    blaming_expressions,
    find_severities,
    hash_contract,
)
from sparkml_ops.ingestion.counts import BatchCounts, count_rows, flag_refused
from sparkml_ops.ingestion.files import list_files
from sparkml_ops.ingestion.manifest import ATTEMPT, attempt_id, note_batch, read_batches
from sparkml_ops.ingestion.positions import number_lines
from sparkml_ops.ingestion.readers import READERS
from sparkml_ops.ingestion.uniqueness import flag_duplicates, has_duplicates
from sparkml_ops.ingestion.verdicts import judge_freshness, judge_rows, judge_volume
from sparkml_ops.ingestion.write import list_encoded, write_clean, write_quarantine
from sparkml_ops.lake import (
    METRICS,
    Commit,
    Lake,
    Metric,
    StepRecord,
    new_run_id,
    read_table,
    record_metrics,
    record_step,
    table_exists,
)
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

_VOLUMES_READ = 200  # replays among them, and at most 100 are compared (`Volume.last_batches`)


@dataclass(frozen=True)
class SourceResult:
    """What became of one source.

    Attributes:
        source: its name.
        status: ingested, or no_change.
        batch_id: the batch; None when there was none.
        rows_in: rows read from the files.
        rows_clean: rows in the clean table's commit.
        rows_quarantined: rows in the quarantine table's commit.
        clean_version: version of the clean table that holds the batch.
        violations: rows by violated rule.
    """

    source: str
    status: str
    batch_id: str | None = None
    rows_in: int = 0
    rows_clean: int = 0
    rows_quarantined: int = 0
    clean_version: int | None = None
    violations: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class IngestResult:
    """What became of each source, in the order of the configuration."""

    run_id: str
    sources: tuple[SourceResult, ...]


def ingest(
    use_case: "UseCase",
    lake: Lake,
    *,
    sources: Sequence[str] | None = None,
    full: bool = False,
    replaced: Sequence[str] = (),
    run_id: str | None = None,
) -> IngestResult:
    """Take in what is new at the sources.

    Args:
        use_case: the configuration.
        lake: where the tables are.
        sources: names of the sources to look at; all by default.
        full: take in everything again, in place of what is there.
        replaced: files that were ingested and have new content by intent: its rows take the place of the old ones. Asks for
            one source.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: an unknown source, or a replaced file that is none.
        ContractError: a batch does not keep its contract; it was refused whole.
        SetupError: no files, or storage cannot be read or written.
        ConflictError: somebody else is ingesting the same source.
    """
    run_id = run_id or new_run_id()
    unknown = sorted(set(sources or ()) - set(use_case.sources))
    if unknown:
        raise ConfigError(f"unknown sources {unknown}; {use_case.name} has {sorted(use_case.sources)}")
    names = [name for name in use_case.sources if sources is None or name in sources]
    if replaced and len(names) != 1:
        raise ConfigError("a replaced file wants the one source that it belongs to: --source NAME --replaced FILE")
    named = tuple(path if "://" in path else os.path.abspath(path) for path in replaced)  # noqa: PTH100  # links stay links
    found = [_ingest_source(use_case, lake, name, full=full, replaced=named, run_id=run_id) for name in names]
    return IngestResult(run_id, tuple(found))


def find_batches(use_case: "UseCase", lake: Lake, sources: Sequence[str]) -> dict[str, Batch | None]:
    """The batch of each source that `ingest` would take in now, or None; writes nothing."""
    earlier = read_batches(lake, sources)
    return {name: _find_batch(lake, name, use_case.sources[name], earlier[name]) for name in sources}


def _find_batch(
    lake: Lake,
    name: str,
    source: "Source",
    earlier: Sequence[tuple[Batch, bool]],
    *,
    full: bool = False,
    replaced: tuple[str, ...] = (),
) -> Batch | None:
    landed = list_files(lake.spark, source, name=name)
    wanted = Wanted(source.mode, hash_contract(source), full=full, replaced=replaced)
    return decide_batch(earlier, landed, source=name, wanted=wanted)


def _ingest_source(
    use_case: "UseCase", lake: Lake, name: str, *, full: bool, replaced: tuple[str, ...], run_id: str
) -> SourceResult:
    source = use_case.sources[name]
    with hold_lease(lake, f"ingest-{name}", wait_seconds=STAGE_WAIT_SECONDS):
        earlier = read_batches(lake, [name])[name]
        batch = _find_batch(lake, name, source, earlier, full=full, replaced=replaced)
        if batch is None:
            logger.info("source %s: nothing new", name)
            return SourceResult(name, "no_change")
        with record_step(lake, run_id=run_id, step=f"ingest:{name}", config_hash=hash_contract(source)) as record:
            record.note("batch_id", batch.batch_id)
            record.note(ATTEMPT, attempt_id(batch))
            record.note("files", len(batch.files))
            record.note("reason", batch.reason)
            note_batch(lake, batch)
            finished = [known for known, is_finished in earlier if is_finished]
            return _ingest_batch(lake, source, batch, earlier=finished, record=record, run_id=run_id)


def _ingest_batch(
    lake: Lake, source: "Source", batch: Batch, *, earlier: Sequence[Batch], record: StepRecord, run_id: str
) -> SourceResult:
    is_refused = flag_refused(find_severities(source))
    with _judge(lake, source, batch) as (judged, lines):
        with blaming_expressions(batch.source):
            counts = count_rows(judged, source, is_refused)
        _require_kept(lake, source, batch, counts, earlier=earlier)
        clean = write_clean(lake, source, batch, judged.where(~is_refused))
        refused = judged.where(is_refused)
        # Counting lines is another pass over what is at hand, which good batches are spared.
        refused = number_lines(refused, lines) if counts.rows_refused else refused.withColumn("_line", F.lit(0))
        quarantine = write_quarantine(lake, batch, refused)
    _require_balance(batch, counts.rows_in, clean, quarantine)
    record.wrote(clean)
    record.wrote(quarantine)
    record.note("rows_in", counts.rows_in)
    record.note("rows_bad", counts.rows_bad)
    rules = tuple(sorted(counts.by_rule.items()))
    _record_figures(lake, batch, counts, run_id=run_id)
    return SourceResult(
        batch.source, "ingested", batch.batch_id, counts.rows_in, clean.rows, quarantine.rows, clean.version, rules
    )


@contextmanager
def _judge(lake: Lake, source: "Source", batch: Batch) -> Iterator[tuple["DataFrame", "DataFrame"]]:
    """The batch's rows with their violations, and all lines that were read, kept at hand while the block runs."""
    raw = READERS[source.format](lake.spark, source, [file.path for file in batch.files])
    table = f"clean_{batch.source}"
    existing = None
    if batch.mode in {"append", "swap"} and table_exists(lake, table):
        # A batch that was killed after this commit must not meet its own rows, nor those that it is to replace.
        existing = read_table(lake, table).where(F.col("_batch_id") != batch.batch_id)
        if batch.mode == "swap":
            existing = existing.where(~F.col("_source_file").isin(list_encoded(lake, batch)))
    lines = apply_contract(raw, source, name=batch.source).persist()
    try:
        judged = lines.where(IS_ROW)
        with blaming_expressions(batch.source):
            doubled = has_duplicates(judged, source.key, existing=existing)
        # Most batches have no duplicates, and are spared the shuffle of whole rows.
        yield (flag_duplicates(judged, source.key, existing=existing) if doubled else judged), lines
    finally:
        lines.unpersist()


def _require_kept(lake: Lake, source: "Source", batch: Batch, counts: BatchCounts, *, earlier: Sequence[Batch]) -> None:
    """Refuse a batch that is not what it should be as a whole; what only warns is logged."""
    verdicts = [(judge_rows(counts, source, find_severities(source)), "fail")]
    if source.volume is not None:
        volumes = _read_volumes(lake, batch, earlier[-_VOLUMES_READ:])
        verdicts.append((judge_volume(counts.rows_in, volumes, source.volume), source.volume.on_violation))
    if source.freshness is not None:
        verdicts.append(
            (judge_freshness(counts.newest, batch.started_at, source.freshness), source.freshness.on_violation)
        )
    for reason, severity in verdicts:
        if reason is not None and severity == "warn":
            logger.warning("source %s: batch %s: %s", batch.source, batch.batch_id, reason)
    refusals = [reason for reason, severity in verdicts if reason is not None and severity == "fail"]
    if refusals:
        reasons = "\n".join(refusals)
        raise ContractError(
            f"source {batch.source}: batch {batch.batch_id} was refused whole: {reasons}\nNothing was written. Mend the files, "
            f"or the contract in `sources.{batch.source}`."
        )


def _read_volumes(lake: Lake, batch: Batch, earlier: Sequence[Batch]) -> list[float]:
    """Rows that each of the batches before would have had with as many files as this one, newest first."""
    files = {b.batch_id: len(b.files) for b in earlier if b.mode != "replay" and b.batch_id != batch.batch_id}
    if not files or not table_exists(lake, METRICS):
        return []
    is_volume = (F.col("scope") == "ingestion") & (F.col("subject") == batch.source) & (F.col("name") == "rows_in")
    figures = read_table(lake, METRICS).where(is_volume & F.col("batch_id").isin([*files])).orderBy("recorded_at")
    rows = {row["batch_id"]: row["value"] for row in figures.select("batch_id", "value").collect()}
    return [rows[name] / files[name] * len(batch.files) for name in reversed(files) if name in rows]


def _require_balance(batch: Batch, rows_in: int, clean: Commit, quarantine: Commit) -> None:
    if clean.rows + quarantine.rows != rows_in:
        raise ContractError(
            f"source {batch.source}: batch {batch.batch_id} does not balance: {rows_in} rows in, {clean.rows} clean "
            f"(v{clean.version}) + {quarantine.rows} quarantined (v{quarantine.version}). This is a bug of ours: please report "
            f"it. `RESTORE` {clean.table} to the version before, and run again."
        )


def _record_figures(lake: Lake, batch: Batch, counts: BatchCounts, *, run_id: str) -> None:
    rows = {"rows_in": counts.rows_in, "rows_bad": counts.rows_bad, **counts.by_rule}
    figures = [
        Metric("ingestion", batch.source, name, float(figure), batch_id=batch.batch_id)
        for name, figure in sorted(rows.items())
    ]
    record_metrics(lake, figures, run_id=run_id, step=f"ingest:{batch.source}", write_id=f"ingest:{attempt_id(batch)}")
