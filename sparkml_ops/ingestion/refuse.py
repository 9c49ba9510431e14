"""A batch that is not what it should be as a whole is refused; what only warns is told."""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import find_severities
from sparkml_ops.ingestion.counts import BatchCounts, find_most_frequent
from sparkml_ops.ingestion.verdicts import judge_freshness, judge_rows, judge_skew, judge_volume
from sparkml_ops.lake import METRICS, Lake, read_table, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source

logger = logging.getLogger(__name__)

_VOLUMES_READ = 200  # replays among them, and at most 100 are compared (`Volume.last_batches`)


def require_kept(
    lake: Lake, source: "Source", batch: Batch, good: "DataFrame", *, counts: BatchCounts, earlier: Sequence[Batch]
) -> tuple[str, ...]:
    """Hold a batch against its budget, and against `volume`, `freshness` and `skew` of its source.

    Args:
        lake: where the figures of earlier batches are.
        source: the contract.
        batch: the batch.
        good: its rows that would be taken in.
        counts: how many rows there are of each kind.
        earlier: the batches before it, oldest first.

    Returns:
        What it does not keep, and what only warns.

    Raises:
        ContractError: it does not keep one of them, and that does not only warn.
    """
    refusals: list[str] = []
    warnings: list[str] = []
    for reason, severity in _list_verdicts(lake, source, batch, good, counts=counts, earlier=earlier):
        if reason is not None:
            (warnings if severity == "warn" else refusals).append(reason)
    if refusals:
        reasons = "\n".join(refusals)
        raise ContractError(
            f"source {batch.source}: batch {batch.batch_id} was refused whole: {reasons}\nNothing was written. Mend the files, "
            f"or the contract in `sources.{batch.source}`."
        )
    for reason in warnings:
        logger.warning("source %s: batch %s: %s", batch.source, batch.batch_id, reason)
    return tuple(warnings)


def _list_verdicts(
    lake: Lake, source: "Source", batch: Batch, good: "DataFrame", *, counts: BatchCounts, earlier: Sequence[Batch]
) -> Iterator[tuple[str | None, str]]:
    yield judge_rows(counts, source, find_severities(source)), "fail"
    if source.volume is not None:
        volumes = _read_volumes(lake, batch, earlier[-_VOLUMES_READ:])
        yield judge_volume(counts.rows_in, volumes, source.volume), source.volume.on_violation
    if source.freshness is not None:
        yield judge_freshness(counts.newest, batch.started_at, source.freshness), source.freshness.on_violation
    if source.skew is not None:
        rows_good = counts.rows_in - counts.rows_refused
        for column in source.skew.of:
            frequent, is_shown = find_most_frequent(good, column), column not in source.personal_columns()
            yield (
                judge_skew(frequent, rows_good, source.skew, column=column, is_shown=is_shown),
                source.skew.on_violation,
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
