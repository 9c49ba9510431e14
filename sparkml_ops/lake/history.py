"""What a table's own history says is in effect.

Delta's transaction ids are a high-water mark that RESTORE does not roll back (delta#1813): after a RESTORE the same id is
skipped without a word. So whether a write is in effect is read from the commits themselves, following RESTOREs.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NO_RESTORE = -1

KEEPS_ROWS = frozenset(
    {
        *("OPTIMIZE", "REORG", "CLUSTER BY", "VACUUM START", "VACUUM END", "COMPUTE STATS"),
        *("SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "UPGRADE PROTOCOL", "ADD CONSTRAINT", "DROP CONSTRAINT"),
        *("CHANGE COLUMN", "CHANGE COLUMNS", "UPDATE COLUMN METADATA"),
    }
)
"""Operations after which a table has the rows that it had before; any that is not named here counts as a change."""


@dataclass(frozen=True)
class WrittenBy:
    """One commit of ours, as its history entry tells it.

    Attributes:
        version: the table version it made.
        write_id: the name of the write.
        fingerprint: of its content, as given by the writer.
        rows: rows it wrote.
    """

    version: int
    write_id: str
    fingerprint: str
    rows: int


def encode_note(write_id: str, fingerprint: str) -> str:
    """The text kept in a commit's userMetadata."""
    return json.dumps({"write_id": write_id, "fingerprint": fingerprint}, sort_keys=True)


def commits_in_effect(history: Iterable[Any]) -> list[WrittenBy]:
    """Our commits that lead to the newest version, newest first; those that a RESTORE took back are not among them.

    Args:
        history: rows of `DESCRIBE HISTORY` with version, operation, operationParameters, operationMetrics, userMetadata.
    """
    return [commit for commit in map(_read_note, _follow_restores(history)) if commit is not None]


def last_restore(history: Iterable[Any]) -> int:
    """Version of the newest RESTORE, or NO_RESTORE."""
    return max((entry["version"] for entry in history if entry["operation"] == "RESTORE"), default=NO_RESTORE)


def find_change(history: Iterable[Any], *, at: int | None = None) -> int | None:
    """The newest version, up to `at`, that changed rows; None when the history that is given does not reach so far back."""
    changes = (e["version"] for e in history if e["operation"] not in KEEPS_ROWS and (at is None or e["version"] <= at))
    return max(changes, default=None)


def rows_written(metrics: dict[str, str] | None) -> int:
    """Rows that a commit wrote, by its operation metrics; those that were only copied from one file to another do not count."""
    metrics = metrics or {}
    if "numOutputRows" in metrics and "numTargetRowsInserted" not in metrics:
        return int(metrics["numOutputRows"]) - int(metrics.get("numCopiedRows", 0))
    return sum(int(metrics.get(name, 0)) for name in ("numTargetRowsInserted", "numTargetRowsUpdated"))


def rows_changed(entry: Any) -> float:
    """Rows that a commit wrote or deleted, whichever are more; infinite where its entry does not tell."""
    metrics = entry["operationMetrics"] or {}
    if entry["operation"] in KEEPS_ROWS:
        return 0
    if entry["operation"] != "WRITE" or "numOutputRows" not in metrics:
        return math.inf
    return max(rows_written(metrics), int(metrics.get("numDeletedRows", 0)))


def _follow_restores(history: Iterable[Any]) -> Iterator[Any]:
    entries = sorted(history, key=lambda row: -int(row["version"]))
    ceiling = entries[0]["version"] if entries else 0
    for entry in entries:
        if entry["version"] > ceiling:
            continue
        if entry["operation"] == "RESTORE":
            ceiling = _restored_version(entry, entries)
        else:
            yield entry


def _restored_version(restore: Any, entries: list[Any]) -> int:
    """The version a RESTORE went back to; one by time says only the time."""
    said = restore["operationParameters"] or {}
    if said.get("version"):
        return int(said["version"])
    until = datetime.fromisoformat(said["timestamp"])
    return max(
        (e["version"] for e in entries if e["timestamp"] <= until and e["version"] < restore["version"]), default=-1
    )


def _read_note(entry: Any) -> WrittenBy | None:
    try:
        note = json.loads(entry["userMetadata"] or "")
        rows = rows_written(entry["operationMetrics"])
        return WrittenBy(entry["version"], note["write_id"], note.get("fingerprint", ""), rows)
    except (ValueError, KeyError, TypeError):  # a commit by somebody else, with a note of their own
        return None
