"""The table of a database that an export keeps: what is there, and making what is not."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from sparkml_ops.config.mistakes import list_names
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.databases import FAILURES, Connection, Dialect, Shape, TableName
from sparkml_ops.delivery.marker import MARKER, Marker, MarkerPlace, read_markers
from sparkml_ops.errors import ConfigError

logger = logging.getLogger(__name__)

_STAGING = "sparkml_ops_staging"


@dataclass(frozen=True)
class Target:
    """The table of a database that an export keeps.

    Attributes:
        connection: to the database.
        dialect: of the database.
        shape: what the table has to be.
        place: where its marker is.
    """

    connection: Connection
    dialect: Dialect
    shape: Shape
    place: MarkerPlace

    def read_markers(self) -> dict[str, Marker]:
        """What was exported before, by scope."""
        if not self.connection.list_columns(self.place.table):
            return {}
        return read_markers(self.connection, self.dialect, self.place)

    def list_missing(self) -> list[str]:
        """Columns that the table lacks; none where there is no table."""
        there = set(self.connection.list_columns(self.shape.table))
        return [column.name for column in self.shape.columns if column.name not in there] if there else []

    def require_ours(self, markers: dict[str, Marker]) -> None:
        """Refuse a table that somebody else fills: what is published would take the place of its rows.

        Raises:
            ConfigError: it has other columns, or rows that no export has brought.
        """
        there = self.connection.list_columns(self.shape.table)
        if markers or not there:
            return
        name, export = self.place.target, self.place.export
        missing = self.list_missing()
        if missing:
            raise ConfigError(
                f"export {export}: the table {name} is there with other columns: it lacks {list_names(missing)}, and has {list_names(there)}. "
                f"Nothing was written. Choose another `exports.{export}.table`, which is made, or add the columns."
            )
        if self.connection.has_rows(f"SELECT 1 FROM {self.dialect.name(self.shape.table)}"):  # noqa: S608  # quoted
            raise ConfigError(
                f"export {export}: the table {name} has rows that this export has not brought, and would remove. Nothing was written. "
                f"Choose another `exports.{export}.table`, which is made, or empty it."
            )

    def make(self) -> None:
        """Make the table and that of the markers where they are not there, and the columns that the table lacks."""
        if not self.connection.list_columns(self.place.table):
            self.connection.run(self.dialect.create_marker(self.place.table))
        if not self.connection.list_columns(self.shape.table):
            self._run_all(self.dialect.create(self.shape))
            logger.info("export %s: made the table %s", self.place.export, self.place.target)
        missing = self.list_missing()
        if missing:
            self._run_all(self.dialect.add_columns(self.shape, missing))
            logger.info("export %s: %s has now %s too", self.place.export, self.place.target, ", ".join(missing))

    @contextmanager
    def staging(self) -> Iterator[TableName]:
        """An empty table beside it; it is gone at the end, and so are those that killed exports have left."""
        prefix = f"{_STAGING}_{hash_config(*self.place.keys()[:-1])[:8]}_"
        for left in self.connection.list_tables(self.shape.table, prefix=prefix):
            self._drop(left)
        staging = (*self.shape.table[:-1], f"{prefix}{uuid4().hex[:12]}")
        self.connection.run(self.dialect.create_staging(self.shape, staging))
        try:
            yield staging
        finally:
            self._drop(staging)

    def _run_all(self, statements: Sequence[str]) -> None:
        with self.connection.transaction():
            for statement in statements:
                self.connection.run(statement)

    def _drop(self, table: TableName) -> None:
        try:
            self.connection.run(f"DROP TABLE {self.dialect.name(table)}")
        except FAILURES:
            logger.warning("export %s: the table %s was left behind", self.place.export, ".".join(table))


def place_marker(table: TableName, *, use_case: str, export: str, batch: str | None) -> MarkerPlace:
    """Where the marker of an export is: in a table beside the target."""
    return MarkerPlace((*table[:-1], MARKER), use_case, export, ".".join(table), batch or "")
