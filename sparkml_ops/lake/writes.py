"""Writes that are exactly once.

Each write has a name, its `write_id`, and may tell a fingerprint of its content. A write that is already in effect adds
nothing. Rows that are added under a known name with another fingerprint are refused; a slice or a table is replaced.
Every write is one Delta commit.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from sparkml_ops.lake.adopt import adopt_files
from sparkml_ops.lake.commits import Commit, Marks, WriteName, commit_once, run_write
from sparkml_ops.lake.describe import drop_lost_checks
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, check_table_name, sql_name, table_path
from sparkml_ops.lake.merges import MergeRules, Slice, execute_merge, match_rows
from sparkml_ops.lake.rewrites import Places, Replaced, find_replaced, put_into_files, replace_in_files
from sparkml_ops.lake.statistics import choose_statistics, hide_before
from sparkml_ops.lake.tables import CREATE_OPTIONS, require_schema, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from sparkml_ops.lake.footers import Footer

ROW_GROUP_BYTES = "parquet.block.size"
"""How large row groups become, about: a setting of the session, and a property of a table."""
_lock = Lock()
_before: list[str | None] = []
"""For each block of `grouping_rows` that runs: what the setting was before the first."""


def append_once(lake: Lake, table: str, rows: "DataFrame", *, write_id: str, fingerprint: str = "") -> Commit:
    """Append the rows; the same `write_id` again adds nothing.

    Raises:
        ConflictError: the same `write_id` is in effect with another fingerprint, or another writer does not let go.
    """

    def write(marks: Marks) -> None:
        _save(lake, table, rows, options=marks.options())

    return commit_once(lake, table, write, name=WriteName(write_id, fingerprint))


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

    def write(marks: Marks) -> None:
        adopt_files(lake, table, footers, columns, note=marks.note)

    return commit_once(lake, table, write, name=WriteName(write_id, ""))


def append_rows(lake: Lake, table: str, rows: "DataFrame") -> None:
    """Append rows that no retry makes again, such as a line of a ledger; nothing is looked up, so a long history costs nothing.

    Raises:
        ConflictError: another writer does not let go.
    """
    with hold_lease(lake, check_table_name(table)):
        run_write(lake, table, lambda: _save(lake, table, rows))


def replace_slice(
    lake: Lake, table: str, rows: "DataFrame", *, where: Slice, write_id: str, fingerprint: str = ""
) -> Commit:
    """Replace exactly the rows whose columns equal `where`, or one of its values; all given rows must match it.

    Nothing is written when the newest write of this `write_id` has the same fingerprint. So a slice wants a `write_id` of
    its own, and its fingerprint tells what the content was made from.

    Raises:
        ConflictError: another writer does not let go.
    """
    return replace_where(lake, table, rows, condition=match_rows(where), write_id=write_id, fingerprint=fingerprint)


def replace_where(
    lake: Lake, table: str, rows: "DataFrame", *, condition: str | Replaced, write_id: str, fingerprint: str = ""
) -> Commit:
    """As `replace_slice`, for the rows of which a SQL condition is true; or those that were found of it (`find_replaced`), beside other work."""
    found = condition if isinstance(condition, Replaced) else None
    told = found.condition if found else str(condition)

    def write(marks: Marks) -> None:
        if not table_exists(lake, table):
            _save(lake, table, rows, options=marks.options())
        elif marks.transaction or not _replace_in_files(
            lake, table, rows, condition=told, found=found, note=marks.note
        ):
            _save(lake, table, rows, mode="overwrite", options={**marks.options(), "replaceWhere": told})

    return commit_once(lake, table, write, name=WriteName(write_id, fingerprint, replaces="slice"))


def _replace_in_files(
    lake: Lake, table: str, rows: "DataFrame", *, condition: str, found: Replaced | None, note: str
) -> bool:
    """False, and nothing done, where only Delta's own overwrite can; where the table moved on since something was found, it is looked at once more."""
    if found is not None and replace_in_files(lake, table, rows, replaced=found, note=note):
        return True
    newest = find_replaced(lake, table, condition)
    return newest is not None and replace_in_files(lake, table, rows, replaced=newest, note=note)


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

    def write(marks: Marks) -> None:
        if table_exists(lake, table):
            drop_lost_checks(lake, table, columns=rows.columns if never_null is None else never_null)
            hide_before(lake, table, rows.schema)
        _save(lake, table, rows, mode="overwrite", options={**marks.options(), "overwriteSchema": "true"})

    return commit_once(lake, table, write, name=WriteName(write_id, fingerprint, replaces="table"))


def merge_rows(
    lake: Lake, table: str, rows: "DataFrame", *, rules: MergeRules, write_id: str, fingerprint: str | None = None
) -> Commit:
    """Update the rows that have the same keys and insert the others; the same `write_id` again changes nothing.

    Args:
        lake: where the table is.
        table: its name.
        rows: the new rows.
        rules: how they are merged.
        write_id: names the write.
        fingerprint: tells what the rows were made from. Then it is the newest write of this `write_id` that counts: nothing is done where
            it has the same fingerprint, and what one write put in, the next with another takes the place of.

    Raises:
        ConflictError: another writer does not let go.
    """

    def write(marks: Marks) -> None:
        if table_exists(lake, table):
            execute_merge(lake, table, rows, rules=rules, options=marks.options())
        else:
            _save(lake, table, rows, options=marks.options())

    name = WriteName(write_id, "") if fingerprint is None else WriteName(write_id, fingerprint, replaces="slice")
    return commit_once(lake, table, write, name=name)


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

    def write(marks: Marks) -> None:
        if not put_into_files(lake, table, rows, places=places, rows_put=rows_put, note=marks.note):
            execute_merge(lake, table, rows, rules=rules, options=marks.options())

    return commit_once(lake, table, write, name=WriteName(write_id, ""))


@contextmanager
def grouping_rows(lake: Lake, group_bytes: int) -> Iterator[None]:
    """While the block runs, files that are written get row groups of about this size.

    Delta takes it from the session alone, which blocks of other threads share: the last one to end sets it back.
    """
    conf = lake.spark.conf
    with _lock:
        _before.append(_before[0] if _before else conf.get(ROW_GROUP_BYTES, None))
        conf.set(ROW_GROUP_BYTES, group_bytes)
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before and before is None:
                conf.unset(ROW_GROUP_BYTES)
            elif not _before:
                conf.set(ROW_GROUP_BYTES, str(before))


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
