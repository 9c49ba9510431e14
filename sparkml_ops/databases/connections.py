"""Connections of the driver's own to a database, for the few statements that are no work of Spark's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError

from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONNECT_SECONDS = "10"
_NULL_TEXT = 12  # java.sql.Types.VARCHAR
TableName = tuple[str, ...]
"""The parts of a table's name: catalog, schema and table, or the last of them."""


@dataclass(frozen=True)
class Database:
    """Where a database is, and who asks.

    Attributes:
        url: its JDBC URL, without user and password.
        driver: class of its driver, which is on the class path.
        user: who asks.
        password: their password.
    """

    url: str
    driver: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_postgresql(self) -> bool:
        """Whether it speaks PostgreSQL's dialect."""
        return self.url.startswith("jdbc:postgresql:")

    def properties(self) -> dict[str, str]:
        """What the driver is told beside the URL."""
        given = {"user": self.user, "password": self.password}
        if self.is_postgresql:
            given |= {"connectTimeout": _CONNECT_SECONDS, "tcpKeepAlive": "true", "ApplicationName": "sparkml_ops"}
            given |= {"reWriteBatchedInserts": "true"}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Connection:
    """One connection. Each statement is a transaction of its own, but in the block of `transaction`."""

    java: Any

    def run(self, sql: str, *values: str | int | None) -> int:
        """Run one statement; gives the number of rows that it changed.

        Args:
            sql: the statement, with a `?` for each value.
            values: what is put in.
        """
        if not values:  # a `?` in a name is no place for a value
            with _closing(self.java.createStatement()) as statement:
                return int(statement.executeUpdate(sql))
        with _closing(self.java.prepareStatement(sql)) as statement:
            _put_in(statement, values)
            return int(statement.executeUpdate())

    def ask(self, sql: str, *values: str | int | None) -> list[tuple[str | None, ...]]:
        """The rows of a short answer, every value as text."""
        with _closing(self.java.prepareStatement(sql)) as statement:
            _put_in(statement, values)
            return _read_all(statement.executeQuery())

    def has_rows(self, sql: str) -> bool:
        """Whether a query has an answer."""
        with _closing(self.java.createStatement()) as statement:
            statement.setMaxRows(1)
            return bool(statement.executeQuery(sql).next())

    def list_columns(self, table: TableName) -> list[str]:
        """Names of a table's columns; none where there is no such table."""
        meta = self.java.getMetaData()
        catalog, schema = self._find_schema(table)
        escape = str(meta.getSearchStringEscape() or "")
        wanted = [None if part is None else _escape(part, escape) for part in (schema, table[-1])]
        rows = _read_all(meta.getColumns(catalog, *wanted, "%"), ("TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME"))
        return [str(name) for place, owner, name in rows if owner == table[-1] and schema in {None, place}]

    def list_tables(self, beside: TableName, *, prefix: str) -> list[TableName]:
        """Tables of a table's schema whose names start so."""
        meta = self.java.getMetaData()
        catalog, schema = self._find_schema(beside)
        escape = str(meta.getSearchStringEscape() or "")
        place = None if schema is None else _escape(schema, escape)
        rows = _read_all(meta.getTables(catalog, place, _escape(prefix, escape) + "%", None), ("TABLE_NAME",))
        return [(*beside[:-1], str(name)) for (name,) in rows if str(name).startswith(prefix)]

    def quote_mark(self) -> str:
        """What the database puts around a name."""
        return str(self.java.getMetaData().getIdentifierQuoteString() or "").strip() or '"'

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements of the block, or none."""
        self.java.setAutoCommit(False)
        try:
            yield
            self.java.commit()
        except BaseException:
            _try_quietly(self.java.rollback)
            raise
        finally:
            _try_quietly(lambda: self.java.setAutoCommit(True))

    def _find_schema(self, table: TableName) -> tuple[str | None, str | None]:
        catalog = table[-3] if len(table) > 2 else self.java.getCatalog()  # noqa: PLR2004  # catalog, schema, table
        return catalog, table[-2] if len(table) > 1 else self.java.getSchema()


@contextmanager
def connect(spark: "SparkSession", database: Database) -> Iterator[Connection]:
    """A connection to a database, closed at the end of the block. The driver's class has to be there (`require_driver`).

    Raises:
        ConfigError: the driver is for other URLs.
    """
    jvm: Any = spark._jvm  # noqa: SLF001  # the driver is Java's
    driver: Any = jvm
    for part in database.driver.split("."):
        driver = getattr(driver, part)
    given = jvm.java.util.Properties()
    for name, value in database.properties().items():
        given.setProperty(name, value)
    opener = driver()
    if not opener.acceptsURL(database.url):
        raise ConfigError(f"the driver {database.driver} takes no URL such as {database.url.partition('?')[0]}")
    java = opener.connect(database.url, given)
    try:
        yield Connection(java)
    finally:
        _try_quietly(java.close)


@contextmanager
def _closing(statement: Any) -> Iterator[Any]:
    try:
        yield statement
    finally:
        _try_quietly(statement.close)


def _try_quietly(action: Any) -> None:
    """Clean up where the connection may be gone: the error that ended it is the one to show."""
    try:
        action()
    except Py4JError:
        return


def _put_in(statement: Any, values: Sequence[str | int | None]) -> None:
    for at, value in enumerate(values, start=1):
        if value is None:
            statement.setNull(at, _NULL_TEXT)
        elif isinstance(value, int):
            statement.setLong(at, value)
        else:
            statement.setString(at, value)


def _read_all(rows: Any, names: Sequence[str] = ()) -> list[tuple[str | None, ...]]:
    places: Sequence[str | int] = names or range(1, rows.getMetaData().getColumnCount() + 1)
    found = []
    while rows.next():
        found.append(tuple(rows.getString(place) for place in places))
    rows.close()
    return found


def _escape(name: str, escape: str) -> str:
    """A name as a pattern that it alone matches."""
    for mark in (escape, "_", "%") if escape else ():
        name = name.replace(mark, escape + mark)
    return name
