"""Any other database, in standard SQL: rows that come are removed and put in again, in the same transaction.

It has to know `CAST(text AS TIMESTAMP)`, subqueries in DELETE and primary keys of texts.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import types as T

from sparkml_ops.databases.connections import TableName
from sparkml_ops.databases.dialects import statements
from sparkml_ops.databases.dialects._base import GONE, Shape

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_KEY_TEXT, _SHORT_TEXT, _INSTANT_TEXT = "VARCHAR(255)", "VARCHAR(1000)", "VARCHAR(32)"
"""Most databases take no key of unlimited text. Who needs longer texts makes the tables beforehand, as PostgreSQL has them."""


def find_types(spark: "SparkSession", url: str) -> Callable[[T.DataType], str]:
    """What the database calls a type, by Spark's own dialect for it."""
    jvm: Any = spark._jvm  # noqa: SLF001  # Spark's dialects are not in its Python
    dialect = jvm.org.apache.spark.sql.jdbc.JdbcDialects.get(url)
    common = jvm.org.apache.spark.sql.execution.datasources.jdbc.JdbcUtils

    def find(kind: T.DataType) -> str:
        known = spark._jsparkSession.parseDataType(json.dumps(kind.jsonValue()))  # noqa: SLF001  # as above
        found = dialect.getJDBCType(known)
        found = found if found.isDefined() else common.getCommonJDBCType(known)
        return str(found.get().databaseTypeDefinition())

    return find


@dataclass(frozen=True)
class Standard:
    """See `Dialect`.

    Attributes:
        mark: what stands around a name.
        find_type: what the database calls a type.
    """

    mark: str
    find_type: Callable[[T.DataType], str]
    stages_instants_as_text: bool = True

    def session(self) -> Sequence[str]:
        """Nothing that every database would take."""
        return ()

    def name(self, table: TableName) -> str:
        """In the database's own quotes."""
        return statements.quote_name(table, self.mark)

    def instant(self) -> str:
        """A timestamp without a zone, of UTC."""
        return "CAST(? AS TIMESTAMP)"

    def create(self, shape: Shape) -> Sequence[str]:
        """The table; how comments are made is not standard."""
        columns = [f"{self.name((c.name,))} {self._type(shape, c)}" for c in shape.columns]
        return [statements.write_table(shape.table, columns, shape.keys, self.name)]

    def add_columns(self, shape: Shape, names: Sequence[str]) -> Sequence[str]:
        """One statement a column."""
        table, known = self.name(shape.table), {column.name: column for column in shape.columns}
        return [f"ALTER TABLE {table} ADD COLUMN {self.name((n,))} {self._type(shape, known[n])}" for n in names]

    def create_staging(self, shape: Shape, staging: TableName) -> str:
        """With keys: a task that was repeated after all cannot write its rows twice."""
        columns = [f"{self.name((shape.staged(c.name),))} {self._staged_type(shape, c)}" for c in shape.columns]
        keys = [shape.staged(key) for key in shape.keys]
        return statements.write_table(staging, [*columns, f"{self.name((GONE,))} INTEGER"], keys, self.name)

    def create_marker(self, marker: TableName) -> str:
        """See `Dialect`."""
        return statements.write_marker(marker, self.name, text=_KEY_TEXT, instant="TIMESTAMP")

    def remove_gone(self, shape: Shape, staging: TableName) -> str:
        """See `Dialect`."""
        return statements.write_removal(shape, staging, self.name, gone=1)

    def remove_missing(self, shape: Shape, staging: TableName, *, scope: str | None) -> str:
        """See `Dialect`."""
        return statements.write_removal_of_missing(shape, staging, self.name, scope=scope)

    def upsert(self, shape: Shape, staging: TableName, *, has_doubles: bool) -> Sequence[str]:
        """Two statements: rows that are there already are removed, and all are put in."""
        del has_doubles  # the staging table's key sees to that
        columns = ", ".join(self.name((column.name,)) for column in shape.columns)
        staged = ", ".join(self._read_staged(shape, column) for column in shape.columns)
        source = f"{self.name(staging)} WHERE {self.name((GONE,))} = 0"
        insert = f"INSERT INTO {self.name(shape.table)} ({columns}) SELECT {staged} FROM {source}"  # noqa: S608  # names are quoted
        return [statements.write_removal(shape, staging, self.name, gone=0), insert]

    def _read_staged(self, shape: Shape, column: T.StructField) -> str:
        staged = self.name((shape.staged(column.name),))
        is_text, is_instant = _is_text(column), isinstance(column.dataType, T.TimestampType)
        if (
            self._stages_large_objects()
            and column.name not in (*shape.keys, *shape.long_texts)
            and (is_text or is_instant)
        ):
            staged = f"CAST({staged} AS {_SHORT_TEXT if is_text else _INSTANT_TEXT})"
        return f"CAST({staged} AS TIMESTAMP)" if is_instant else staged

    def _type(self, shape: Shape, column: T.StructField) -> str:
        never_null = " NOT NULL" if column.name in shape.keys else ""
        if not _is_text(column) or column.name in shape.long_texts:
            return self.find_type(column.dataType) + never_null
        return (_KEY_TEXT if column.name in shape.keys else _SHORT_TEXT) + never_null

    def _staged_type(self, shape: Shape, column: T.StructField) -> str:
        if column.name in shape.keys:
            return (
                f"{_INSTANT_TEXT} NOT NULL"
                if isinstance(column.dataType, T.TimestampType)
                else self._type(shape, column)
            )
        # Spark writes a missing text as a missing one of the type that it would have made itself, and some databases are strict there.
        is_written_as_text = _is_text(column) or isinstance(column.dataType, T.TimestampType)
        return self.find_type(T.StringType() if is_written_as_text else column.dataType)

    def _stages_large_objects(self) -> bool:
        return self.find_type(T.StringType()).upper().startswith("CLOB")


def _is_text(column: T.StructField) -> bool:
    return isinstance(column.dataType, T.StringType)
