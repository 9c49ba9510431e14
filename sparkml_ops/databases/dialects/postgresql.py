"""PostgreSQL: rows are put in or updated by `INSERT … ON CONFLICT`, those that differ alone."""

from collections.abc import Sequence

from pyspark.sql import types as T

from sparkml_ops.databases.connections import TableName
from sparkml_ops.databases.dialects import statements
from sparkml_ops.databases.dialects._base import GONE, Shape

_TYPES: dict[type[T.DataType], str] = {
    T.StringType: "text",
    T.BooleanType: "boolean",
    T.ByteType: "smallint",
    T.ShortType: "smallint",
    T.IntegerType: "integer",
    T.LongType: "bigint",
    T.FloatType: "real",
    T.DoubleType: "double precision",
    T.DateType: "date",
    T.TimestampType: "timestamptz",
    T.TimestampNTZType: "timestamp",
    T.BinaryType: "bytea",
}


class PostgreSQL:
    """See `Dialect`."""

    stages_instants_as_text = False

    def session(self) -> Sequence[str]:
        """Instants are written and shown in UTC; a lock that somebody holds is not waited for without end."""
        return "SET TIME ZONE 'UTC'", "SET lock_timeout = '60s'"

    def name(self, table: TableName) -> str:
        """In double quotes: the name is taken as it is written, capitals and all."""
        return statements.quote_name(table)

    def instant(self) -> str:
        """A timestamp of UTC."""
        return "CAST(? AS timestamp) AT TIME ZONE 'UTC'"

    def create(self, shape: Shape) -> Sequence[str]:
        """The table, and a comment on it and on each column that has one."""
        columns = [
            f"{self.name((c.name,))} {_type(c.dataType)}{' NOT NULL' if c.name in shape.keys else ''}"
            for c in shape.columns
        ]
        return (
            statements.write_table(shape.table, columns, shape.keys, self.name),
            f"COMMENT ON TABLE {self.name(shape.table)} IS {_text(shape.comment)}",
            *self._comment(shape, [column.name for column in shape.columns]),
        )

    def add_columns(self, shape: Shape, names: Sequence[str]) -> Sequence[str]:
        """One statement a column, and its comment."""
        table, kinds = self.name(shape.table), {column.name: column.dataType for column in shape.columns}
        added = [f"ALTER TABLE {table} ADD COLUMN {self.name((name,))} {_type(kinds[name])}" for name in names]
        return [*added, *self._comment(shape, names)]

    def create_staging(self, shape: Shape, staging: TableName) -> str:
        """Without keys: a task that was repeated may have written its rows twice, which `upsert` is told."""
        columns = [f"{self.name((shape.staged(c.name),))} {_type(c.dataType)}" for c in shape.columns]
        return statements.write_table(staging, [*columns, f"{self.name((GONE,))} integer"], (), self.name)

    def create_marker(self, marker: TableName) -> str:
        """See `Dialect`."""
        return statements.write_marker(marker, self.name, text="text", instant="timestamptz")

    def remove_gone(self, shape: Shape, staging: TableName) -> str:
        """See `Dialect`."""
        return statements.write_removal(shape, staging, self.name, gone=1)

    def remove_missing(self, shape: Shape, staging: TableName, *, scope: str | None) -> str:
        """See `Dialect`."""
        return statements.write_removal_of_missing(shape, staging, self.name, scope=scope)

    def upsert(self, shape: Shape, staging: TableName, *, has_doubles: bool) -> Sequence[str]:
        """One statement; a row that is there already as it is counts as none, and is not written."""
        target, others = self.name(shape.table), [self.name((name,)) for name in shape.others()]
        columns = [self.name((column.name,)) for column in shape.columns]
        staged = [self.name((shape.staged(column.name),)) for column in shape.columns]
        keys = [self.name((key,)) for key in shape.keys]
        staged_keys = ", ".join(self.name((shape.staged(key),)) for key in shape.keys)
        distinct = f"DISTINCT ON ({staged_keys}) " if has_doubles else ""
        differs = " OR ".join(f"{target}.{other} IS DISTINCT FROM EXCLUDED.{other}" for other in others)
        source = f"{self.name(staging)} WHERE {self.name((GONE,))} = 0"
        insert = f"INSERT INTO {target} ({', '.join(columns)}) SELECT {distinct}{', '.join(staged)} FROM {source}"  # noqa: S608  # quoted
        sets = ", ".join(f"{other} = EXCLUDED.{other}" for other in others)
        return [f"{insert} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets} WHERE {differs}"]

    def _comment(self, shape: Shape, names: Sequence[str]) -> list[str]:
        table = self.name(shape.table)
        told = {column.name: column.metadata.get("comment") for column in shape.columns}
        return [
            f"COMMENT ON COLUMN {table}.{self.name((name,))} IS {_text(str(told[name]))}"
            for name in names
            if told[name]
        ]


def _type(kind: T.DataType) -> str:
    if isinstance(kind, T.DecimalType):
        return f"numeric({kind.precision},{kind.scale})"
    return _TYPES[type(kind)]


def _text(text: str) -> str:
    """A text of SQL, whatever the server thinks of backslashes."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
