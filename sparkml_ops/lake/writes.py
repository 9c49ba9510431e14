"""Writes that are exactly once.

Each write has a name, its `write_id`, and may tell a fingerprint of its content. A write that is already in effect adds
nothing. Rows that are added under a known name with another fingerprint are refused; a slice or a table is replaced.
Every write is one Delta commit.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sparkml_ops.errors import ConflictError
from sparkml_ops.lake.history import WrittenBy, commits_in_effect, encode_note, last_restore, rows_written
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, check_table_name, quote_identifier, quote_text, sql_name, table_path
from sparkml_ops.lake.session import sibling_session
from sparkml_ops.lake.tables import CREATE_OPTIONS, open_delta_table, read_history, require_schema, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)


Slice = Mapping[str, str | int | Sequence[str]]
"""Rows of a table: a value, or several, of each of some columns."""


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
class MergeRules:
    """How rows are merged.

    Attributes:
        keys: columns that name a row; null equals null.
        newest_by: a row is updated only by one that is not older by this column.
        remove_missing: rows with these values that the new rows do not name are removed.
    """

    keys: Sequence[str]
    newest_by: str | None = None
    remove_missing: Mapping[str, str | int] | None = None


@dataclass(frozen=True)
class _Write:
    """The marks by which a commit is found again, for one table."""

    note: str
    transaction: str

    def options(self) -> dict[str, str]:
        return {"userMetadata": self.note, "txnAppId": self.transaction, "txnVersion": "1"}


def append_once(lake: Lake, table: str, rows: "DataFrame", *, write_id: str, fingerprint: str = "") -> Commit:
    """Append the rows; the same `write_id` again adds nothing.

    Raises:
        ConflictError: the same `write_id` is in effect with another fingerprint, or another writer does not let go.
    """

    def write(marks: _Write) -> None:
        _save(lake, table, rows, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, fingerprint))


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
            _save(lake, table, rows, mode="overwrite", options={**marks.options(), "replaceWhere": _equal(where)})
        else:
            _save(lake, table, rows, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, fingerprint, replaces="slice"))


def replace_table(lake: Lake, table: str, rows: "DataFrame", *, write_id: str, fingerprint: str = "") -> Commit:
    """Replace the whole content, columns included; earlier versions stay readable.

    Nothing is written when the newest write of all has the same `write_id` and fingerprint.

    Raises:
        ConflictError: another writer does not let go.
    """

    def write(marks: _Write) -> None:
        _save(lake, table, rows, mode="overwrite", options={**marks.options(), "overwriteSchema": "true"})

    return _commit_once(lake, table, write, name=_WriteName(write_id, fingerprint, replaces="table"))


def merge_rows(lake: Lake, table: str, rows: "DataFrame", *, rules: MergeRules, write_id: str) -> Commit:
    """Update the rows that have the same keys and insert the others; the same `write_id` again changes nothing.

    Raises:
        ConflictError: another writer does not let go.
    """

    def write(marks: _Write) -> None:
        if table_exists(lake, table):
            _merge(lake, table, rows, rules=rules, marks=marks)
        else:
            _save(lake, table, rows, options=marks.options())

    return _commit_once(lake, table, write, name=_WriteName(write_id, ""))


def find_write(lake: Lake, table: str, write_id: str) -> WrittenBy | None:
    """The commit by which a write is in effect in the newest version of a table, or None."""
    if not table_exists(lake, table):
        return None
    return next(
        (commit for commit in commits_in_effect(read_history(lake, table)) if commit.write_id == write_id), None
    )


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
        history = read_history(lake, table) if table_exists(lake, table) else []
        commits = commits_in_effect(history)
        done = name.find_done(table, commits)
        if done is not None:
            logger.info("%s: %s is in effect since v%d: nothing written", table, name.write_id, done.version)
            return Commit(table, done.version, done.rows, "skipped_duplicate")
        # The transaction id also stops a second writer where there is no lease. It holds the state that it was decided on,
        # because Delta would skip a known id without a word, also after a RESTORE or when a slice is set back.
        last = next((commit.version for commit in commits if commit.write_id == name.write_id), "never")
        transaction = f"{table}:{name.write_id}:{name.fingerprint}@{last}/{last_restore(history)}"
        marks = _Write(encode_note(name.write_id, name.fingerprint), transaction)
        _run_write(lake, table, lambda: write(marks))
        return _confirm(lake, table, marks, before=history[0]["version"] if history else -1)


def _run_write(lake: Lake, table: str, write: Callable[[], None]) -> None:
    try:
        write()
    except Exception as error:
        name = type(error).__name__
        if name.startswith("Delta") and "Concurrent" in name:
            raise ConflictError(
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
    if lake.database is None:
        (writer.options(**CREATE_OPTIONS) if is_new else writer).save(table_path(lake, table))
        return
    if is_new:
        require_schema(lake)
        # A catalog drops our note from the commit that makes a table, so the table is made empty first.
        rows.limit(0).write.format("delta").mode("ignore").options(**CREATE_OPTIONS).saveAsTable(sql_name(lake, table))
    writer.saveAsTable(sql_name(lake, table))


def _merge(lake: Lake, table: str, rows: "DataFrame", *, rules: MergeRules, marks: _Write) -> None:
    # A merge takes its marks from session settings only; in a session of its own they can reach no other write.
    session = sibling_session(lake.spark)
    session.conf.set("spark.databricks.delta.commitInfo.userMetadata", marks.note)
    session.conf.set("spark.databricks.delta.write.txnAppId", marks.transaction)
    session.conf.set("spark.databricks.delta.write.txnVersion", "1")
    same = " AND ".join(f"old.{quote_identifier(key)} <=> new.{quote_identifier(key)}" for key in rules.keys)
    by = quote_identifier(rules.newest_by) if rules.newest_by else None
    target = open_delta_table(replace(lake, spark=session), table)
    merge = target.alias("old").merge(rows.alias("new"), same)
    merge = merge.whenMatchedUpdateAll(f"new.{by} >= old.{by}" if by else None).whenNotMatchedInsertAll()
    if rules.remove_missing:
        merge = merge.whenNotMatchedBySourceDelete(_equal(rules.remove_missing, of="old."))
    merge.execute()


def _equal(values: Slice, *, of: str = "") -> str:
    return " AND ".join(f"{of}{quote_identifier(name)} {_equals(value)}" for name, value in values.items())


def _equals(value: str | int | Sequence[str]) -> str:
    if isinstance(value, str | int):
        return f"= {_literal(value)}"
    return f"IN ({', '.join(_literal(one) for one in value)})"


def _literal(value: str | int) -> str:
    return quote_text(value) if isinstance(value, str) else str(int(value))
