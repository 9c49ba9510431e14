"""Raw files -> clean table + quarantine table, under a contract."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.sources import order_sources
from sparkml_ops.errors import ConfigError, ContractError, SetupError
from sparkml_ops.ingestion.batches import Batch, Wanted, decide_batch, find_taken
from sparkml_ops.ingestion.contract import hash_contract
from sparkml_ops.ingestion.damage import blaming_files
from sparkml_ops.ingestion.judge import Judged, judge_batch
from sparkml_ops.ingestion.manifest import ATTEMPT, attempt_id, note_batch, read_batches
from sparkml_ops.ingestion.merge import Taken
from sparkml_ops.ingestion.preflight import require_room
from sparkml_ops.ingestion.profile import profile_rows
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.ingestion.refuse import require_kept
from sparkml_ops.ingestion.write import write_clean, write_files, write_quarantine
from sparkml_ops.lake import (
    Commit,
    Lake,
    Metric,
    StepRecord,
    new_run_id,
    record_metrics,
    record_step,
)
from sparkml_ops.lake.failed_reads import blaming_tables
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease

if TYPE_CHECKING:
    from sparkml_ops.config.sources import Source
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)


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
        rows_deleted: rows that said that their key is gone; only where changes are merged by an order, as the next.
        rows_superseded: rows that changed nothing, because a later change of their key was known, or the same.
    """

    source: str
    status: str
    batch_id: str | None = None
    rows_in: int = 0
    rows_clean: int = 0
    rows_quarantined: int = 0
    clean_version: int | None = None
    violations: tuple[tuple[str, int], ...] = ()
    rows_deleted: int = 0
    rows_superseded: int = 0


@dataclass(frozen=True)
class IngestResult:
    """What became of each source, in the order of the configuration, but after those that it refers to."""

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
    names = choose_sources(use_case, sources)
    if replaced and len(names) != 1:
        raise ConfigError("a replaced file wants the one source that it belongs to: --source NAME --replaced FILE")
    named = tuple(path if "://" in path else os.path.abspath(path) for path in replaced)  # noqa: PTH100  # links stay links
    found = [_ingest_source(use_case, lake, name, full=full, replaced=named, run_id=run_id) for name in names]
    return IngestResult(run_id, tuple(found))


def choose_sources(use_case: "UseCase", wanted: Sequence[str] | None) -> list[str]:
    """Names of sources, all by default, each after those that it refers to.

    Raises:
        ConfigError: an unknown source.
    """
    unknown = sorted(set(wanted or ()) - set(use_case.sources))
    if unknown:
        raise ConfigError(f"unknown sources {unknown}; {use_case.name} has {sorted(use_case.sources)}")
    return [name for name in order_sources(use_case.sources) if wanted is None or name in wanted]


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
    kind = KINDS[source.format]
    # A snapshot that was landed needs nothing of the source any more.
    cuts = kind.cuts or (kind.attempt is not None and source.mode == "snapshot")
    wanted = Wanted(source.mode, hash_contract(source), full=full, replaced=replaced, noun=kind.noun, cuts=cuts)
    landed = kind.list_pieces(lake.spark, source, name=name, taken=find_taken(earlier, wanted))
    if not landed:
        raise SetupError(
            f"source {name}: {source.path} has nothing to take in yet: not one {kind.noun}. Check `sources.{name}`."
        )
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
            require_room(lake, batch)
            note_batch(lake, batch)
            finished = [known for known, is_finished in earlier if is_finished]
            return _ingest_batch(lake, source, batch, earlier=finished, record=record, run_id=run_id)


def _ingest_batch(
    lake: Lake, source: "Source", batch: Batch, *, earlier: Sequence[Batch], record: StepRecord, run_id: str
) -> SourceResult:
    with blaming_files(), blaming_tables(lake), judge_batch(lake, source, batch) as judged:
        counts = judged.counts
        KINDS[source.format].require_unchanged(lake.spark, source, batch.files, name=batch.source)
        warnings = require_kept(lake, source, batch, judged.good, counts=counts, earlier=earlier)
        if warnings:
            record.note("warnings", "\n".join(warnings))
        rows_good = counts.rows_in - counts.rows_refused
        profile = profile_rows(judged.sample, source, batch, figures=counts.figures, rows_taken=rows_good)
        taken = _write_good(lake, source, batch, judged)
        # Counting lines is another pass over what is at hand, which good batches are spared.
        refused = judged.number(judged.refused) if counts.rows_refused else judged.refused.withColumn("_line", F.lit(0))
        quarantine = write_quarantine(lake, batch, refused, rows_refused=counts.rows_refused)
    _require_balance(batch, counts.rows_in, taken, quarantine)
    for table, version in judged.referred.items():
        record.read(table, version)
    for commit in (taken.clean, quarantine, taken.deleted):
        if commit is not None:
            record.wrote(commit)
    record.note("rows_in", counts.rows_in)
    record.note("rows_bad", counts.rows_bad)
    for name, figure in _list_changes(source, taken).items():
        record.note(name, figure)
    rules = tuple(sorted(counts.by_rule.items()))
    counted = {"rows_in": counts.rows_in, "rows_bad": counts.rows_bad, **_list_changes(source, taken), **counts.by_rule}
    _record_figures(lake, batch, counted, profile=profile, run_id=run_id)
    return SourceResult(
        batch.source,
        "ingested",
        batch.batch_id,
        counts.rows_in,
        taken.rows_put_in,
        quarantine.rows,
        taken.clean.version,
        rules,
        rows_deleted=taken.rows_deleted,
        rows_superseded=taken.superseded,
    )


def _write_good(lake: Lake, source: "Source", batch: Batch, judged: Judged) -> Taken:
    """Put the good rows into the clean table: as the files that they stand in, if they do."""
    if judged.files is not None:
        return write_files(lake, batch, judged.files.footers, judged.files.columns)
    return write_clean(lake, source, batch, judged.good)


def _require_balance(batch: Batch, rows_in: int, taken: Taken, quarantine: Commit) -> None:
    clean = taken.clean
    if taken.rows + quarantine.rows != rows_in:
        raise ContractError(
            f"source {batch.source}: batch {batch.batch_id} does not balance: {rows_in} rows in, {taken.rows_put_in} clean "
            f"(v{clean.version}) + {taken.rows_deleted} deletions + {taken.superseded} superseded + {quarantine.rows} quarantined (v{quarantine.version}). This is a bug of ours: please report "
            f"it. `RESTORE` {clean.table} to the version before, and run again."
        )


def _list_changes(source: "Source", taken: Taken) -> dict[str, int]:
    if source.merge is None:
        return {}
    return {"rows_put_in": taken.rows_put_in, "rows_deleted": taken.rows_deleted, "rows_superseded": taken.superseded}


def _record_figures(
    lake: Lake, batch: Batch, counted: Mapping[str, int], *, profile: Sequence[Metric], run_id: str
) -> None:
    figures = [
        Metric("ingestion", batch.source, name, float(figure), batch_id=batch.batch_id)
        for name, figure in sorted(counted.items())
    ]
    figures += profile
    record_metrics(lake, figures, run_id=run_id, step=f"ingest:{batch.source}", write_id=f"ingest:{attempt_id(batch)}")
