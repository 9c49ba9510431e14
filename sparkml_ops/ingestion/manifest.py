"""The manifest: which files belong to which batch, written before any of their rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from pyspark.sql import functions as F

from sparkml_ops.config.comments import INGESTION_COMMENTS
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import READER_COLUMNS, VIOLATIONS
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.lake import Commit, Lake, append_once, find_write, read_notes, read_table, table_exists
from sparkml_ops.lake.describe import with_comments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MANIFEST = "ingested_files"
ATTEMPT = "attempt"  # what the ledger calls the taking-in that ended well
_SCHEMA = (
    "source string, batch_id string, contract_hash string, mode string, path string, size_bytes bigint, "
    "modified_at timestamp, started_at timestamp, reason string"
)


def read_batches(lake: Lake, sources: Sequence[str]) -> dict[str, list[tuple[Batch, bool]]]:
    """The batches of each source, oldest first, each with whether the ledger says that it was finished.

    A replay is written down when its rows are in the table, so it is finished.
    """
    batches: dict[str, list[tuple[Batch, bool]]] = {source: [] for source in sources}
    if not table_exists(lake, MANIFEST):
        return batches
    rows = read_table(lake, MANIFEST).where(F.col("source").isin([*sources])).collect()
    attempts: dict[tuple[Any, str], list[Any]] = {}
    for row in sorted(rows, key=lambda row: (row["started_at"], row["batch_id"], row["path"])):
        attempts.setdefault((row["started_at"], row["batch_id"]), []).append(row)
    finished = read_notes(lake, steps=[f"ingest:{source}" for source in sources], key=ATTEMPT)
    for batch in map(_to_batch, attempts.values()):
        batches[batch.source].append((batch, batch.mode == "replay" or attempt_id(batch) in finished))
    for found in batches.values():
        # A batch that was refused, or killed before its first row, has left nothing: its files may be mended.
        while found and not found[-1][1] and not _has_rows(lake, found[-1][0]):
            found.pop()
    return batches


def _has_rows(lake: Lake, batch: Batch) -> bool:
    # A merge that changes nothing leaves no commit in the clean table.
    tables = (f"{kind}_{batch.source}" for kind in ("clean", "deleted", "quarantine"))
    return any(find_write(lake, table, attempt_id(batch)) is not None for table in tables)


def note_batch(lake: Lake, batch: Batch) -> Commit:
    """Write down which files a batch has."""
    rows = [
        {**vars(file), "source": batch.source, "batch_id": batch.batch_id, "contract_hash": batch.contract_hash}
        | {"mode": batch.mode, "started_at": batch.started_at, "reason": batch.reason}
        for file in batch.files
    ]
    return append_once(lake, MANIFEST, lake.spark.createDataFrame(rows, _SCHEMA), write_id=attempt_id(batch))


def attempt_id(batch: Batch) -> str:
    """Names one taking-in of a batch: the same files may be taken in again later, in full."""
    return f"{batch.batch_id}@{batch.started_at.timestamp():.6f}"


def write_name(batch: Batch) -> str:
    """Names the writes of a batch: of a replay, which is taken in once, its own name, by which the decisions know it."""
    return batch.batch_id if batch.mode == "replay" else attempt_id(batch)


def stamp_rows(rows: "DataFrame", batch: Batch, *, kept: Sequence[str] = ()) -> "DataFrame":
    """Rows as a table has them: without the reader's columns, and with the batch that they came in; behind them what else is kept."""
    others = [column for column in rows.columns if column not in (*READER_COLUMNS, VIOLATIONS, *kept)]
    stamps = {"_ingested_at": F.lit(batch.started_at), "_batch_id": F.lit(batch.batch_id)}
    return with_comments(rows.withColumns(stamps).select(*others, *stamps, "_source_file", *kept), INGESTION_COMMENTS)


def _to_batch(rows: Sequence[Any]) -> Batch:
    first = rows[0]
    files = tuple(LandedFile(row["path"], row["size_bytes"], _utc(row["modified_at"])) for row in rows)
    mode = cast("Any", first["mode"])
    return Batch(
        first["batch_id"],
        first["source"],
        first["contract_hash"],
        mode,
        files,
        _utc(first["started_at"]),
        first["reason"],
    )


def _utc(at: Any) -> Any:
    """Spark gives instants as local wall time; make the zone explicit again."""
    return at.astimezone()
