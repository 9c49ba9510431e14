"""What a table means, told in the table itself: comments and properties that every SQL user sees."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, quote_identifier, quote_text, sql_name
from sparkml_ops.lake.tables import read_table
from sparkml_ops.lake.upkeep import TableDetail, describe_detail

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

_CHECK, _OURS = "delta.constraints.", "sparkml_ops_never_null_"


@dataclass(frozen=True)
class Meaning:
    """What a table is.

    Attributes:
        comment: one sentence: what one row is.
        columns: comments by column; names that the table does not have are passed over.
        properties: table properties, such as the owner.
        never_null: columns in which the table takes no null, from any writer.
    """

    comment: str
    columns: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    never_null: tuple[str, ...] = ()


def with_comments(rows: "DataFrame", comments: Mapping[str, str]) -> "DataFrame":
    """The rows with comments on their columns: a table that is made or replaced by them has the comments too."""
    return rows.select(
        *(
            F.col(quote_identifier(one.name)).alias(one.name, metadata={**one.metadata, "comment": comments[one.name]})
            if one.name in comments
            else F.col(quote_identifier(one.name))
            for one in rows.schema
        )
    )


def describe_table(lake: Lake, table: str, meaning: Meaning) -> bool:
    """Bring a table's comments and properties to what they should be; returns whether any differed.

    Only what differs is written, by commits that change no row: one for the table, one for its columns, and one for each
    column that is never null from now on. What somebody else has added is left as it is.
    """
    detail = describe_detail(lake, table)
    # A table's comment is a property to Delta's ALTER TABLE, so that both take one commit.
    properties = {key: value for key, value in meaning.properties.items() if detail.properties.get(key) != value}
    if meaning.comment != detail.description:
        properties["comment"] = meaning.comment
    schema = read_table(lake, table).schema
    columns = {
        column.name: meaning.columns[column.name]
        for column in schema
        if column.name in meaning.columns and column.metadata.get("comment") != meaning.columns[column.name]
    }
    wanted = {f"{_OURS}{name.lower()}": name for name in meaning.never_null if name in schema.names}
    checks = {key: name for key, name in wanted.items() if f"{_CHECK}{key}" not in detail.properties}
    needless = [key for key in _list_checks(detail) if key not in wanted]
    if not (properties or columns or checks or needless):
        return False
    alter = f"ALTER TABLE {sql_name(lake, table)}"
    with hold_lease(lake, table):
        if properties:
            told = ", ".join(f"{quote_text(key)} = {quote_text(value)}" for key, value in sorted(properties.items()))
            lake.spark.sql(f"{alter} SET TBLPROPERTIES ({told})")
        if columns:
            told = ", ".join(f"{quote_identifier(name)} COMMENT {quote_text(text)}" for name, text in columns.items())
            lake.spark.sql(f"{alter} ALTER COLUMN {told}")
        for key in needless:
            lake.spark.sql(f"{alter} DROP CONSTRAINT {key}")
        for key, name in checks.items():
            # Delta makes no column of a table NOT NULL that was not so from the start; a CHECK says and does the same.
            lake.spark.sql(f"{alter} ADD CONSTRAINT {key} CHECK ({quote_identifier(name)} IS NOT NULL)")
    logger.info(
        "%s: described (%d properties, %d columns, %d checks)", table, len(properties), len(columns), len(checks)
    )
    return True


def drop_lost_checks(lake: Lake, table: str, *, columns: Iterable[str]) -> None:
    """Drop our checks of columns that a table is about to lose; whoever calls holds its lease."""
    kept = {f"{_OURS}{name.lower()}" for name in columns}
    for key in _list_checks(describe_detail(lake, table)):
        if key not in kept:
            lake.spark.sql(f"ALTER TABLE {sql_name(lake, table)} DROP CONSTRAINT {key}")


def _list_checks(detail: TableDetail) -> list[str]:
    named = [key.removeprefix(_CHECK) for key in detail.properties if key.startswith(_CHECK)]
    return sorted(name for name in named if name.startswith(_OURS))
