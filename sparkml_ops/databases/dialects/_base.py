"""What a dialect has to say. Statements are texts, so that they can be read and tested without a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql.types import StructField

from sparkml_ops.databases.connections import TableName

GONE = "gone"
"""The column of a staging table that marks, with 1, a key to be removed."""


@dataclass(frozen=True)
class Shape:
    """A table as it is wanted.

    Attributes:
        table: its name.
        columns: with comments in their metadata.
        keys: names of those that name a row; none of them is null.
        long_texts: columns of text that may be long, such as JSON.
        comment: what the table is.
    """

    table: TableName
    columns: tuple[StructField, ...]
    keys: tuple[str, ...]
    long_texts: tuple[str, ...]
    comment: str

    def others(self) -> list[str]:
        """Columns that are no keys."""
        return [column.name for column in self.columns if column.name not in self.keys]

    def staged(self, name: str) -> str:
        """A column's name in the staging table, which holds for every database whatever the column is called."""
        return f"c{next(at for at, column in enumerate(self.columns) if column.name == name)}"


class Dialect(Protocol):
    """One database's way of saying it."""

    @property
    def stages_instants_as_text(self) -> bool:
        """Whether instants are staged as text in UTC: where a timestamp has no zone, the driver would write its own zone's."""

    def session(self) -> Sequence[str]:
        """Statements that each connection begins with."""

    def name(self, table: TableName) -> str:
        """A table's name, quoted."""

    def instant(self) -> str:
        """An expression that makes an instant of a `?`, a text in UTC without a zone."""

    def create(self, shape: Shape) -> Sequence[str]:
        """Statements that make the table, with its comments."""

    def add_columns(self, shape: Shape, names: Sequence[str]) -> Sequence[str]:
        """Statements that add columns to the table."""

    def create_staging(self, shape: Shape, staging: TableName) -> str:
        """The statement that makes the table beside it that Spark writes to."""

    def create_marker(self, marker: TableName) -> str:
        """The statement that makes the table of what was exported."""

    def remove_gone(self, shape: Shape, staging: TableName) -> str:
        """The statement that removes the rows whose keys are marked as gone."""

    def remove_missing(self, shape: Shape, staging: TableName, *, scope: str | None) -> str:
        """The statement that removes the rows whose keys were not staged; of those with one value, a `?`, in the column `scope`."""

    def upsert(self, shape: Shape, staging: TableName, *, has_doubles: bool) -> Sequence[str]:
        """Statements that insert the staged rows or update those that differ; the last one's count is that of the rows changed."""
