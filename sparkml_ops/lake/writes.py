"""Writes that are exactly once.

Each write has a name, its `write_id`, and may tell a fingerprint of its content. A write that is already in effect adds
nothing. Rows that are added under a known name with another fingerprint are refused; a slice or a table is replaced.
Every write is one Delta commit.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sparkml_ops.errors import ConflictError
from sparkml_ops.lake.adopt import adopt_files
from sparkml_ops.lake.describe import drop_lost_checks
from sparkml_ops.lake.history import WrittenBy, commits_in_effect, encode_note, last_restore, rows_written
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, check_table_name, local_root, sql_name, table_path
from sparkml_ops.lake.merges import MergeRules, Slice, execute_merge, match_rows
from sparkml_ops.lake.rewrites import Places, put_into_files
from sparkml_ops.lake.statistics import choose_statistics, hide_before
from sparkml_ops.lake.tables import CREATE_OPTIONS, read_history, require_schema, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from sparkml_ops.lake.footers import Footer

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
class _Write:
    """The marks by which a commit is found again, for one table."""

    note: str
    transaction: str | None

    def options(self) -> dict[str, str]:
        asked = {"txnAppId": self.transaction, "txnVersion": "1"} if self.transaction is not None else {}
        return {"userMetadata": self.note, **asked}


def append_once(lake: Lake, table: str, rows: "DataFrame", *, write_id: str, fingerprint: str = "") -> Commit:
    """Append the rows; the same `write_id` again adds nothing.

    Raises:
        ConflictError: the same `write_id` is in effect with another fingerprint, or another writer does not let go.
    """

    def write(marks: _Write) -> None:
        _save(lake, table, rows, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, fingerprint))


def append_files(
    lake: Lake, table: str, footers: "Sequence[Footer]", columns: "StructType", *, write_id: str
) -> Commit:
    """Append the rows of Parquet files, which become the table's own; the same `write_id` again adds nothing.

    Args:
        lake: where the table is; `can_adopt` must hold of it.
        table: its name.
        footers: the files.
        columns: the table's columns, of which a new table is made.
        write_id: names the write.

    Raises:
        ConflictError: the same `write_id` is in effect with another fingerprint, or another writer does not let go.
    """

    def write(marks: _Write) -> None:
        adopt_files(lake, table, footers, columns, note=marks.note)

    return _commit_once(lake, table, write, name=_WriteName(write_id, ""))


def append_rows(lake: Lake, table: str, rows: "DataFrame") -> None:
    """Append rows that no retry makes again, such as a line of a ledger; nothing is looked up, so a long history costs nothing.

    Raises:
        ConflictError: another writer does not let go.
    """
    with hold_lease(lake, check_table_name(table)):
        _run_write(lake, table, lambda: _save(lake, table, rows))


def replace_slice(
    lake: Lake, table: str, rows: "DataFrame", *, where: Slice, write_id: str, fingerprint: str = ""
) -> Commit:
    """Replace exactly the rows whose columns equal `where`, or one of its values; all given rows must match it.

    Nothing is written when the newest write of this `write_id` has the same fingerprint. So a slice wants a `write_id` of
    its own, and its fingerprint tells what the content was made from.

    Raises:
        ConflictError: another writer does not let go.
    """

    def write(marks: _Write) -> None:
        if table_exists(lake, table):
            _save(lake, table, rows, mode="overwrite", options={**marks.options(), "replaceWhere": match_rows(where)})
        else:
            _save(lake, table, rows, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, fingerprint, replaces="slice"))


def replace_table(
    lake: Lake,
    table: str,
    rows: "DataFrame",
    *,
    write_id: str,
    fingerprint: str = "",
    never_null: Collection[str] | None = None,
) -> Commit:
    """Replace the whole content, columns included; earlier versions stay readable.

    Nothing is written when the newest write of all has the same `write_id` and fingerprint.

    Args:
        lake: where the table is.
        table: its name.
        rows: the new content.
        write_id: names the write.
        fingerprint: tells what the content was made from.
        never_null: the columns whose check against nulls stays, where there is one; by default all that the rows have.

    Raises:
        ConflictError: another writer does not let go.
    """

    def write(marks: _Write) -> None:
        if table_exists(lake, table):
            drop_lost_checks(lake, table, columns=rows.columns if never_null is None else never_null)
            hide_before(lake, table, rows.schema)
        _save(lake, table, rows, mode="overwrite", options={**marks.options(), "overwriteSchema": "true"})

    return _commit_once(lake, table, write, name=_WriteName(write_id, fingerprint, replaces="table"))


def merge_rows(lake: Lake, table: str, rows: "DataFrame", *, rules: MergeRules, write_id: str) -> Commit:
    """Update the rows that have the same keys and insert the others; the same `write_id` again changes nothing.

    Raises:
        ConflictError: another writer does not let go.
    """

    def write(marks: _Write) -> None:
        if table_exists(lake, table):
            execute_merge(lake, table, rows, rules=rules, options=marks.options())
        else:
            _save(lake, table, rows, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, ""))


def put_rows(lake: Lake, table: str, rows: "DataFrame", *, places: Places, rows_put: int, write_id: str) -> Commit:
    """As `merge_rows`, for one who knows where the rows of these keys are.

    Args:
        lake: where the table is; it must be there.
        table: its name.
        rows: one row of each key.
        places: where the table has rows of these keys.
        rows_put: how many new rows there are.
        write_id: names the write.

    Raises:
        ConflictError: another writer does not let go.
    """
    rules = MergeRules(places.keys, never_null=True)

    def write(marks: _Write) -> None:
        if not put_into_files(lake, table, rows, places=places, rows_put=rows_put, note=marks.note):
            execute_merge(lake, table, rows, rules=rules, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, ""))


class _OvertakenError(ConflictError):
    """Another writer's commit came between reading the table and writing it."""


@dataclass(frozen=True)
class _WriteName:
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


def _commit_once(lake: Lake, table: str, write: Callable[[_Write], None], *, name: _WriteName) -> Commit:
    with hold_lease(lake, check_table_name(table)):
        for attempt in range(1, _ATTEMPTS):
            try:
                return _try_commit(lake, table, write, name=name)
            except _OvertakenError as error:
                logger.warning("%s Attempt %d of %d follows.", error, attempt + 1, _ATTEMPTS)
                time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        return _try_commit(lake, table, write, name=name)


def _try_commit(lake: Lake, table: str, write: Callable[[_Write], None], *, name: _WriteName) -> Commit:
    history = read_history(lake, table) if table_exists(lake, table) else []
    commits = commits_in_effect(history)
    done = name.find_done(table, commits)
    if done is not None:
        logger.info("%s: %s is in effect since v%d: nothing written", table, name.write_id, done.version)
        return Commit(table, done.version, done.rows, "skipped_duplicate")
    marks = _Write(encode_note(name.write_id, name.fingerprint), _name_transaction(lake, table, name, history))
    _run_write(lake, table, lambda: write(marks))
    return _confirm(lake, table, marks, before=history[0]["version"] if history else -1)


def _name_transaction(lake: Lake, table: str, name: _WriteName, history: Sequence[Any]) -> str | None:
    """Where no lease keeps others out, Delta's transaction id stops a second writer of the same name; None where one does.

    Delta looks for a known id in the whole state of a table, which takes longer than a small commit. The id holds the state
    that the write was decided on, because Delta would skip a known one without a word, also after a RESTORE or when a slice is
    set back.
    """
    if local_root(lake) is not None:
        return None
    last = next((c.version for c in commits_in_effect(history) if c.write_id == name.write_id), "never")
    return f"{table}:{name.write_id}:{name.fingerprint}@{last}/{last_restore(history)}"


def _run_write(lake: Lake, table: str, write: Callable[[], None]) -> None:
    try:
        write()
    except Exception as error:
        name = type(error).__name__
        if "Concurrent" in name or name in {"MetadataChangedException", "ProtocolChangedException"}:
            raise _OvertakenError(
                f"another writer changed {table} of {lake.use_case} while we wrote ({name}). Nothing of ours was written: run again."
            ) from error
        raise


def _confirm(lake: Lake, table: str, marks: _Write, *, before: int) -> Commit:
    """Look the commit up: Delta skips a known transaction id, and a merge without a change, without a word."""
    for entry in read_history(lake, table, limit=20):
        if entry["version"] > before and entry["userMetadata"] == marks.note:
            rows = rows_written(entry["operationMetrics"])
            logger.info("%s: %d rows written as v%d", table, rows, entry["version"])
            return Commit(table, entry["version"], rows, "committed")
    logger.info("%s: Delta knew this write already, or it changed nothing: still v%d", table, before)
    return Commit(table, before, 0, "skipped_duplicate")


def _save(
    lake: Lake, table: str, rows: "DataFrame", *, mode: str = "append", options: Mapping[str, str] | None = None
) -> None:
    writer = rows.write.format("delta").mode(mode).options(**(options or {}))
    is_new = not table_exists(lake, table)
    properties = CREATE_OPTIONS | choose_statistics(rows.schema)
    if lake.database is None:
        (writer.options(**properties) if is_new else writer).save(table_path(lake, table))
        return
    if is_new:
        require_schema(lake)
        # A catalog drops our note from the commit that makes a table, so the table is made empty first.
        rows.limit(0).write.format("delta").mode("ignore").options(**properties).saveAsTable(sql_name(lake, table))
    writer.saveAsTable(sql_name(lake, table))
