"""Raw files -> clean table + quarantine table, under a contract."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.ingestion.batches import Batch, decide_batch
from sparkml_ops.ingestion.contract import (
    HEADER,
    IS_ROW,
    RAW,
    VIOLATIONS,
    apply_contract,
    blaming_expressions,
    hash_contract,
)
from sparkml_ops.ingestion.files import list_files
from sparkml_ops.ingestion.manifest import ATTEMPT, attempt_id, note_batch, read_batches, stamp_rows
from sparkml_ops.ingestion.positions import number_lines
from sparkml_ops.ingestion.readers import READERS
from sparkml_ops.ingestion.uniqueness import flag_duplicates, has_duplicates
from sparkml_ops.lake import (
    Commit,
    Lake,
    MergeRules,
    Metric,
    StepRecord,
    append_once,
    merge_rows,
    new_run_id,
    read_table,
    record_metrics,
    record_step,
    replace_table,
    table_exists,
)
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

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
    run_id: str | None = None,
) -> IngestResult:
    """Take in what is new at the sources.

    Args:
        use_case: the configuration.
        lake: where the tables are.
        sources: names of the sources to look at; all by default.
        full: take in everything again, in place of what is there.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: an unknown source.
        ContractError: a batch does not keep its contract; it was refused whole.
        SetupError: no files, or storage cannot be read or written.
        ConflictError: somebody else is ingesting the same source.
    """
    run_id = run_id or new_run_id()
    unknown = sorted(set(sources or ()) - set(use_case.sources))
    if unknown:
        raise ConfigError(f"unknown sources {unknown}; {use_case.name} has {sorted(use_case.sources)}")
    names = [name for name in use_case.sources if sources is None or name in sources]
    return IngestResult(run_id, tuple(_ingest_source(use_case, lake, name, full=full, run_id=run_id) for name in names))


def find_batches(
    use_case: "UseCase", lake: Lake, sources: Sequence[str], *, full: bool = False
) -> dict[str, Batch | None]:
    """The batch of each source that `ingest` would take in now, or None; writes nothing."""
    earlier = read_batches(lake, sources)
    return {name: _find_batch(lake, name, use_case.sources[name], earlier[name], full=full) for name in sources}


def _find_batch(
    lake: Lake, name: str, source: "Source", earlier: Sequence[tuple[Batch, bool]], *, full: bool
) -> Batch | None:
    landed = list_files(lake.spark, source, name=name)
    return decide_batch(earlier, landed, source=name, mode=source.mode, contract_hash=hash_contract(source), full=full)


def _ingest_source(use_case: "UseCase", lake: Lake, name: str, *, full: bool, run_id: str) -> SourceResult:
    source = use_case.sources[name]
    with hold_lease(lake, f"ingest-{name}", wait_seconds=STAGE_WAIT_SECONDS):
        batch = find_batches(use_case, lake, [name], full=full)[name]
        if batch is None:
            logger.info("source %s: nothing new", name)
            return SourceResult(name, "no_change")
        with record_step(lake, run_id=run_id, step=f"ingest:{name}", config_hash=hash_contract(source)) as record:
            record.note("batch_id", batch.batch_id)
            record.note(ATTEMPT, attempt_id(batch))
            record.note("files", len(batch.files))
            record.note("reason", batch.reason)
            note_batch(lake, batch)
            return _ingest_batch(lake, source, batch, record=record, run_id=run_id)


def _ingest_batch(lake: Lake, source: "Source", batch: Batch, *, record: StepRecord, run_id: str) -> SourceResult:
    with _judge(lake, source, batch) as (judged, lines):
        with blaming_expressions(batch.source):
            counts = _count_violations(judged)
        _require_budget(source, batch, counts)
        clean = _write_clean(lake, source, batch, judged)
        refused = judged.where(_is_refused(source))
        # Counting lines is another pass over what is at hand, which good batches are spared.
        refused = number_lines(refused, lines) if counts["rows_bad"] else refused.withColumn("_line", F.lit(0))
        quarantine = _write_quarantine(lake, batch, refused)
    _require_balance(batch, counts["rows_in"], clean, quarantine)
    record.wrote(clean)
    record.wrote(quarantine)
    for figure in ("rows_in", "rows_bad"):
        record.note(figure, counts[figure])
    rules = tuple(sorted((rule, rows) for rule, rows in counts.items() if rule not in {"rows_in", "rows_bad"}))
    _record_figures(lake, batch, counts, run_id=run_id)
    return SourceResult(
        batch.source, "ingested", batch.batch_id, counts["rows_in"], clean.rows, quarantine.rows, clean.version, rules
    )


@contextmanager
def _judge(lake: Lake, source: "Source", batch: Batch) -> Iterator[tuple["DataFrame", "DataFrame"]]:
    """The batch's rows with their violations, and all lines that were read, kept at hand while the block runs."""
    raw = READERS[source.format](lake.spark, source, [file.path for file in batch.files])
    table = f"clean_{batch.source}"
    existing = None
    if batch.mode == "append" and table_exists(lake, table):
        # A batch that was killed after this commit must not meet its own rows.
        existing = read_table(lake, table).where(F.col("_batch_id") != batch.batch_id)
    lines = apply_contract(raw, source, name=batch.source).persist()
    try:
        judged = lines.where(IS_ROW)
        with blaming_expressions(batch.source):
            doubled = has_duplicates(judged, source.key, existing=existing)
        # Most batches have no duplicates, and are spared the shuffle of whole rows.
        yield (flag_duplicates(judged, source.key, existing=existing) if doubled else judged), lines
    finally:
        lines.unpersist()


def _count_violations(judged: "DataFrame") -> dict[str, int]:
    """Rows in, rows with any violation, and rows by rule: one pass, which also fills the cache."""
    is_bad = F.size(VIOLATIONS) > 0
    rules = F.when(is_bad, F.col(VIOLATIONS)).otherwise(F.array(F.lit("")))
    per_rule = judged.select(F.posexplode(rules).alias("place", "rule")).groupBy("rule")
    rows = per_rule.agg(F.count("rule").alias("rows"), F.count_if(F.col("place") == 0).alias("firsts")).collect()
    by_rule = {row["rule"]: int(row["rows"]) for row in rows if row["rule"]}
    total = sum(int(row["firsts"]) for row in rows)
    good = sum(int(row["rows"]) for row in rows if not row["rule"])
    return {"rows_in": total, "rows_bad": total - good, **by_rule}


def _is_refused(source: "Source") -> "Column":
    """Rows that go to quarantine; under `warn` only those that have no place in the table at all."""
    if source.on_violation != "warn":
        return F.size(VIOLATIONS) > 0
    return F.exists(VIOLATIONS, lambda rule: rule.startswith("key: ") | rule.startswith("row: "))


def _require_budget(source: "Source", batch: Batch, counts: dict[str, int]) -> None:
    bad, total = counts["rows_bad"], counts["rows_in"]
    limit = 0.0 if source.on_violation == "fail" else source.max_violation_ratio
    if source.on_violation == "warn" or bad <= limit * total:
        return
    worst = sorted(((rows, rule) for rule, rows in counts.items() if rule not in {"rows_in", "rows_bad"}), reverse=True)
    lines = "\n".join(f"  {rows:>8} rows  {rule}" for rows, rule in worst[:5])
    raise ContractError(
        f"source {batch.source}: batch {batch.batch_id} was refused whole: {bad} of {total} rows ({bad / total:.1%}) break the "
        f"contract, and {limit:.1%} may (on_violation: {source.on_violation}, max_violation_ratio: {source.max_violation_ratio:g}).\n"
        f"{lines}\nNothing was written. Mend the files, or the contract in `sources.{batch.source}`."
    )


def _write_clean(lake: Lake, source: "Source", batch: Batch, judged: "DataFrame") -> Commit:
    table, write_id = f"clean_{batch.source}", attempt_id(batch)
    rows = stamp_rows(judged.where(~_is_refused(source)), batch)
    if batch.mode == "replace":
        return replace_table(lake, table, rows, write_id=write_id)
    if batch.mode == "merge":
        return merge_rows(lake, table, rows, rules=MergeRules(source.key), write_id=write_id)
    return append_once(lake, table, rows, write_id=write_id)


def _write_quarantine(lake: Lake, batch: Batch, refused: "DataFrame") -> Commit:
    table, write_id = f"quarantine_{batch.source}", attempt_id(batch)
    kept = refused.select(
        F.col(RAW).alias("raw"),
        F.col(HEADER).alias("header"),
        F.col(VIOLATIONS).alias("reasons"),
        F.col("_line").cast("bigint").alias("line"),
        "_source_file",
    )
    write = replace_table if batch.mode == "replace" else append_once
    return write(lake, table, stamp_rows(kept, batch), write_id=write_id)


def _require_balance(batch: Batch, rows_in: int, clean: Commit, quarantine: Commit) -> None:
    if clean.rows + quarantine.rows != rows_in:
        raise ContractError(
            f"source {batch.source}: batch {batch.batch_id} does not balance: {rows_in} rows in, {clean.rows} clean "
            f"(v{clean.version}) + {quarantine.rows} quarantined (v{quarantine.version}). This is a bug of ours: please report "
            f"it. `RESTORE` {clean.table} to the version before, and run again."
        )


def _record_figures(lake: Lake, batch: Batch, counts: dict[str, int], *, run_id: str) -> None:
    figures = [
        Metric("ingestion", batch.source, name, float(rows), batch_id=batch.batch_id)
        for name, rows in sorted(counts.items())
    ]
    record_metrics(lake, figures, run_id=run_id, step=f"ingest:{batch.source}", write_id=f"ingest:{attempt_id(batch)}")
