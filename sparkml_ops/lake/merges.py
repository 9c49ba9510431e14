"""Rows merged into a table by key, in one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparkml_ops.errors import ContractError
from sparkml_ops.lake.location import Lake, quote_identifier, quote_text
from sparkml_ops.lake.session import sibling_session
from sparkml_ops.lake.tables import open_delta_table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

Slice = Mapping[str, str | int | Sequence[str]]
"""Rows of a table: a value, or several, of each of some columns."""
UPSERT, DELETE, PATCH = "upsert", "delete", "patch"
"""What becomes of the row of a key: it is put in or replaced, removed, or some of its columns are set."""


@dataclass(frozen=True)
class MergeRules:
    """How rows are merged.

    Attributes:
        keys: columns that name a row; null equals null.
        never_null: no key is null, on either side: then plain equality says the same, for less.
        newest_by: a row is updated only by one that is not older by this column.
        remove_missing: rows with these values that the new rows do not name are removed.
        action: a column of the new rows, none of the table, that says UPSERT, DELETE or PATCH; without it all are put in.
        patched: the columns that PATCH sets.
    """

    keys: Sequence[str]
    never_null: bool = False
    newest_by: str | None = None
    remove_missing: Mapping[str, str | int] | None = None
    action: str | None = None
    patched: Sequence[str] = ()


def execute_merge(lake: Lake, table: str, rows: "DataFrame", *, rules: MergeRules, options: Mapping[str, str]) -> None:
    """Merge the rows.

    Args:
        lake: where the table is.
        table: its name.
        rows: the new rows; Delta reads them once and keeps them at hand while it merges.
        rules: how they are merged.
        options: the marks of the commit, by the names that a writer's options have.

    Raises:
        ContractError: the new rows have columns that the table has not.
    """
    # A merge takes its marks from session settings only; in a session of its own they can reach no other write.
    session = sibling_session(lake.spark)
    for name, value in options.items():
        place = "commitInfo" if name == "userMetadata" else "write"
        session.conf.set(f"spark.databricks.delta.{place}.{name}", value)
    equals = "=" if rules.never_null else "<=>"
    same = " AND ".join(f"old.{quote_identifier(key)} {equals} new.{quote_identifier(key)}" for key in rules.keys)
    by = quote_identifier(rules.newest_by) if rules.newest_by else None
    target = open_delta_table(replace(lake, spark=session), table)
    _require_columns(table, target.toDF().columns, [name for name in rows.columns if name != rules.action])
    merge = target.alias("old").merge(rows.alias("new"), same)
    if rules.action is not None:
        action = f"new.{quote_identifier(rules.action)}"
        merge = merge.whenMatchedDelete(f"{action} = '{DELETE}'")
        if rules.patched:
            patch: dict[str, str | Column] = {
                quote_identifier(name): f"new.{quote_identifier(name)}" for name in rules.patched
            }
            merge = merge.whenMatchedUpdate(f"{action} = '{PATCH}'", set=patch)
        merge = merge.whenMatchedUpdateAll(f"{action} = '{UPSERT}'").whenNotMatchedInsertAll(f"{action} = '{UPSERT}'")
    else:
        merge = merge.whenMatchedUpdateAll(f"new.{by} >= old.{by}" if by else None).whenNotMatchedInsertAll()
    if rules.remove_missing:
        merge = merge.whenNotMatchedBySourceDelete(match_rows(rules.remove_missing, of="old."))
    merge.execute()


def _require_columns(table: str, there: Sequence[str], given: Sequence[str]) -> None:
    """Delta would leave out what the table has no column for, without a word."""
    known = {name.lower() for name in there}
    more = [name for name in given if name.lower() not in known]
    if more:
        raise ContractError(
            f"{table} has no column {', '.join(more[:5])}, which the new rows have. Nothing was written. A source whose columns changed "
            "is taken in anew with `sparkml-ops ingest … --full`."
        )


def match_rows(values: Slice, *, of: str = "") -> str:
    """The SQL that is true of the rows of a slice."""
    return " AND ".join(f"{of}{quote_identifier(name)} {_equals(value)}" for name, value in values.items())


def _equals(value: str | int | Sequence[str]) -> str:
    if isinstance(value, str | int):
        return f"= {_literal(value)}"
    return f"IN ({', '.join(_literal(one) for one in value)})"


def _literal(value: str | int) -> str:
    return quote_text(value) if isinstance(value, str) else str(int(value))
