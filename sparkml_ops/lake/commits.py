"""One commit of one write: looked for before, tried again when another writer came between, looked up after."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sparkml_ops.errors import ConflictError
from sparkml_ops.lake.history import WrittenBy, commits_in_effect, encode_note, last_restore, rows_written
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, check_table_name, local_root
from sparkml_ops.lake.tables import read_history, table_exists

logger = logging.getLogger(__name__)

_ATTEMPTS = 4  # of a write that another writer's commit came between; each starts from what is there by then
_FIRST_PAUSE_SECONDS = 0.5  # doubled from one attempt to the next


@dataclass(frozen=True)
class Commit:
    """What a write did.

    Attributes:
        table: name of the table.
        version: version that holds the write.
        rows: rows written.
        status: skipped_duplicate when a write of this name was already in effect.
    """

    table: str
    version: int
    rows: int
    status: Literal["committed", "skipped_duplicate"]


@dataclass(frozen=True)
class Marks:
    """The marks by which a commit is found again, for one table."""

    note: str
    transaction: str | None

    def options(self) -> dict[str, str]:
        """As a writer's options have them."""
        asked = {"txnAppId": self.transaction, "txnVersion": "1"} if self.transaction is not None else {}
        return {"userMetadata": self.note, **asked}


class _OvertakenError(ConflictError):
    """Another writer's commit came between reading the table and writing it."""


@dataclass(frozen=True)
class WriteName:
    """What a write is called, and what it does to what is there."""

    write_id: str
    fingerprint: str
    replaces: Literal["nothing", "slice", "table"] = "nothing"

    def find_done(self, table: str, commits: Sequence[WrittenBy]) -> WrittenBy | None:
        """The commit that makes this write needless, if there is one."""
        newest = next((commit for commit in commits if commit.write_id == self.write_id), None)
        if newest is None or (self.replaces == "table" and newest is not commits[0]):
            return None
        if newest.fingerprint == self.fingerprint:
            return newest
        if self.replaces != "nothing":
            return None
        raise ConflictError(
            f"{table}: a write named {self.write_id!r} is in effect since v{newest.version} with other content "
            f"(fingerprint {newest.fingerprint or 'none'}, now {self.fingerprint or 'none'}). Nothing was written."
        )


def commit_once(lake: Lake, table: str, write: Callable[[Marks], None], *, name: WriteName) -> Commit:
    """Write under a name, unless that is in effect already.

    Args:
        lake: where the table is.
        table: its name.
        write: writes, with the marks that it is given; called again when another writer's commit came between.
        name: of the write.

    Raises:
        ConflictError: the same name is in effect with another fingerprint, or another writer does not let go.
    """
    with hold_lease(lake, check_table_name(table)):
        for attempt in range(1, _ATTEMPTS):
            try:
                return _try_commit(lake, table, write, name=name)
            except _OvertakenError as error:
                logger.warning("%s Attempt %d of %d follows.", error, attempt + 1, _ATTEMPTS)
                time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        return _try_commit(lake, table, write, name=name)


def _try_commit(lake: Lake, table: str, write: Callable[[Marks], None], *, name: WriteName) -> Commit:
    history = read_history(lake, table) if table_exists(lake, table) else []
    commits = commits_in_effect(history)
    done = name.find_done(table, commits)
    if done is not None:
        logger.info("%s: %s is in effect since v%d: nothing written", table, name.write_id, done.version)
        return Commit(table, done.version, done.rows, "skipped_duplicate")
    marks = Marks(encode_note(name.write_id, name.fingerprint), _name_transaction(lake, table, name, history))
    run_write(lake, table, lambda: write(marks))
    return _confirm(lake, table, marks, before=history[0]["version"] if history else -1)


def _name_transaction(lake: Lake, table: str, name: WriteName, history: Sequence[Any]) -> str | None:
    """Where no lease keeps others out, Delta's transaction id stops a second writer of the same name; None where one does.

    Delta looks for a known id in the whole state of a table, which takes longer than a small commit. The id holds the state
    that the write was decided on, because Delta would skip a known one without a word, also after a RESTORE or when a slice is
    set back.
    """
    if local_root(lake) is not None:
        return None
    last = next((c.version for c in commits_in_effect(history) if c.write_id == name.write_id), "never")
    return f"{table}:{name.write_id}:{name.fingerprint}@{last}/{last_restore(history)}"


def run_write(lake: Lake, table: str, write: Callable[[], None]) -> None:
    """Write; a conflict that Delta finds is told as such.

    Raises:
        ConflictError: another writer's commit came between.
    """
    try:
        write()
    except Exception as error:
        name = type(error).__name__
        if "Concurrent" in name or name in {"MetadataChangedException", "ProtocolChangedException"}:
            raise _OvertakenError(
                f"another writer changed {table} of {lake.use_case} while we wrote ({name}). Nothing of ours was written: run again."
            ) from error
        raise


def _confirm(lake: Lake, table: str, marks: Marks, *, before: int) -> Commit:
    """Look the commit up: Delta skips a known transaction id, and a merge without a change, without a word."""
    for entry in read_history(lake, table, limit=20):
        if entry["version"] > before and entry["userMetadata"] == marks.note:
            rows = rows_written(entry["operationMetrics"])
            logger.info("%s: %d rows written as v%d", table, rows, entry["version"])
            return Commit(table, entry["version"], rows, "committed")
    logger.info("%s: Delta knew this write already, or it changed nothing: still v%d", table, before)
    return Commit(table, before, 0, "skipped_duplicate")
