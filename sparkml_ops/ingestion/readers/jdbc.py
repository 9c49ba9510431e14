"""Tables and queries of a database, by its JDBC driver.

With `high_water`, a batch is the range of that column after the last one; its end is fixed before a row is read. Without, a batch
is all there is, in one query, which sees one moment. Rows are landed before they are judged: a database does not give the
same rows twice.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkml_ops.config.mistakes import list_names, nearest_name
from sparkml_ops.config.source_kinds import Jdbc
from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.ingestion.contract import RAW, compare_columns
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.ingestion.readers.jdbc_errors import attempt_query
from sparkml_ops.ingestion.readers.ranges import (
    Mark,
    MarkRange,
    end_of_range,
    parse_mark,
    parse_range,
    split_conditions,
)
from sparkml_ops.ingestion.readers.rows import name_rows, write_down
from sparkml_ops.lake.jars import POSTGRESQL_DRIVER, require_driver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

logger = logging.getLogger(__name__)

_PART = "_sparkml_ops_part"
_MARKS = (T.TimestampType, T.TimestampNTZType, T.DateType, T.LongType, T.IntegerType, T.ShortType, T.DecimalType)
_WHOLE_NUMBERS = (T.LongType, T.IntegerType, T.ShortType)
_SESSION = "SET TIME ZONE 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = 1"
_CONNECT_SECONDS = "10"


@dataclass(frozen=True)
class _Database:
    """A database as a source sees it."""

    spark: "SparkSession"
    source: "Source"

    @property
    def jdbc(self) -> Jdbc:
        if self.source.jdbc is None:
            raise ConfigError(f"format: jdbc wants a section jdbc: {{table: …}}, for {self.source.path}")
        return self.source.jdbc

    @property
    def is_postgresql(self) -> bool:
        return self.source.path.startswith("jdbc:postgresql:")

    def select(self, what: str, *, where: str = "") -> str:
        relation = self.jdbc.table or f"({str(self.jdbc.query).strip().rstrip(';')}) rows_of_query"
        return f"SELECT {what} FROM {relation}" + (f" WHERE {where}" if where else "")  # noqa: S608  # the user's own

    def quote(self, column: str) -> str:
        dialects = self.spark._jvm.org.apache.spark.sql.jdbc.JdbcDialects  # type: ignore[union-attr]  # noqa: SLF001
        return str(dialects.get(self.source.path).quoteIdentifier(column))

    def read(self, query: str, *, conditions: Sequence[str] = ()) -> "DataFrame":
        options = {key: value for key, value in self._options().items() if value}
        table = f"({query}) rows_of_source"
        if not conditions:
            return self.spark.read.jdbc(self.source.path, table, properties=options)
        return self.spark.read.jdbc(self.source.path, table, predicates=[*conditions], properties=options)

    def _options(self) -> dict[str, str]:
        password = self.jdbc.password
        options = {
            "driver": find_driver(self.source),
            "user": self.jdbc.user or "",
            "password": password.get_secret_value() if password else "",
            "fetchsize": str(self.jdbc.fetch_rows),
            "preferTimestampNTZ": "true",
        }
        if self.is_postgresql:
            options |= {"sessionInitStatement": _SESSION, "connectTimeout": _CONNECT_SECONDS, "tcpKeepAlive": "true"}
            options |= {"ApplicationName": "sparkml_ops"}
        return options

    def ask(self, query: str) -> Any:
        """The one row of an answer, every value as text."""
        row = self.read(query).first()
        return () if row is None else tuple(row)


def find_driver(source: "Source") -> str:
    """Class of the driver."""
    named = source.jdbc.driver if source.jdbc else None
    return named or POSTGRESQL_DRIVER[0]


def list_ranges(spark: "SparkSession", source: "Source", *, name: str, taken: Sequence[LandedFile]) -> list[LandedFile]:
    """What was taken, and the range that came after it; without a high-water column, all there is at this moment.

    Raises:
        SetupError: the driver is not there, or the database cannot be reached.
        ConfigError: it has no such table or column, or the column cannot tell what is new.
        ContractError: rows without a mark are there, which no range would have.
    """
    require_driver(spark, find_driver(source), place=f"source {name}")
    database = _Database(spark, source)
    if database.jdbc.high_water is None:
        now = datetime.now(UTC)
        attempt_query(source, name, lambda: database.read(database.select("*")).columns)
        return [LandedFile(f"{_what(database.jdbc)} at {now.isoformat()}", 0, now)]
    return attempt_query(source, name, lambda: _list_new(database, database.jdbc.high_water or "", name, taken))


def read_ranges(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Rows of the ranges, written down.

    Raises:
        ContractError: the columns are not the contract's.
    """
    database = _Database(spark, source)
    return reduce(lambda left, right: left.unionByName(right), (_read_range(database, path) for path in paths))


def _list_new(database: _Database, column: str, name: str, taken: Sequence[LandedFile]) -> list[LandedFile]:
    _check_column(database.read(database.select("*")), column, _MARKS, key=f"sources.{name}.jdbc.high_water")
    quoted = database.quote(column)
    newest_text, now_text = database.ask(
        database.select(f"{_newest(quoted)}, CAST(CURRENT_TIMESTAMP AS VARCHAR(64)) AS now")
    )
    _require_marks(database, quoted, name)
    if newest_text is None:
        return [*taken]
    now = parse_mark(now_text)
    newest = parse_mark(newest_text)
    if newest is None or not isinstance(now, datetime):
        raise ContractError(
            f"source {name}: the greatest {column} is {newest_text}, which cannot end a range: a mark is a day, an instant to the "
            f"microsecond, or a number without fraction. Mend those rows, or leave them out with `sources.{name}.jdbc.query`."
        )
    high: Mark | None = end_of_range(newest, now, database.jdbc.lag)
    if high is not None and high != newest:
        settled = MarkRange(_what(database.jdbc), column, None, high).condition(quoted)
        (text,) = database.ask(database.select(_newest(quoted), where=settled))
        high = parse_mark(text) if text else None
    if isinstance(newest, datetime) and newest > now:
        logger.warning("source %s: %s goes up to %s, which is yet to come: such rows wait", name, column, newest)
    low = _last_mark(taken, name)
    if high is None or (low is not None and high <= low):  # type: ignore[operator]  # of one column, so of one type
        return [*taken]
    is_whole = database.source.mode == "snapshot"
    new = MarkRange(_what(database.jdbc), column, None if is_whole else low, high)
    return [*([] if is_whole else taken), LandedFile(str(new), 0, new.ends_at(now.replace(tzinfo=UTC)))]


def _newest(quoted: str) -> str:
    return f"CAST(MAX({quoted}) AS VARCHAR(64)) AS newest"


def _last_mark(taken: Sequence[LandedFile], name: str) -> Mark | None:
    if not taken:
        return None
    last = parse_range(taken[-1].path)
    if last is None:
        raise ContractError(
            f"source {name}: the last batch has {taken[-1].path!r}, which names no range of a column. Start over with "
            f"`sparkml-ops ingest … --source {name} --full`."
        )
    return last.high


def _require_marks(database: _Database, quoted: str, name: str) -> None:
    (without,) = database.ask(database.select("COUNT(*) AS n", where=f"{quoted} IS NULL"))
    if without:
        raise ContractError(
            f"source {name}: {without} rows of {_what(database.jdbc)} have no {quoted}, so no range would ever have them. Nothing was "
            f"written. Give them a value, or one in the question: `sources.{name}.jdbc.query` with coalesce({quoted}, …)."
        )


def _read_range(database: _Database, path: str) -> "DataFrame":
    jdbc = database.jdbc
    place = f"jdbc: {_what(jdbc)}"
    names = name_rows(database.read(database.select("*")), database.source, place=place)
    compare_columns(names, database.source, place=place)
    taken = parse_range(path) if jdbc.high_water is not None else None
    where = taken.condition(database.quote(taken.column)) if taken else ""
    what = ", ".join(_select_column(database, name) for name in names)
    conditions: Sequence[str] = []
    if jdbc.partition_by is not None:
        what += f", {database.quote(jdbc.partition_by)} AS {database.quote(_PART)}"
        conditions = _split(database, jdbc.partition_by, where)
    rows = database.read(database.select(what, where=where), conditions=conditions)
    return rows.select(write_down(rows, names).alias(RAW), F.lit(path).alias("_source_file"))


def _select_column(database: _Database, name: str) -> str:
    """A column as the database itself writes it, where we know how it does that: no type of Spark's can round it."""
    quoted = database.quote(name)
    return f"CAST({quoted} AS text) AS {quoted}" if database.is_postgresql else quoted


def _split(database: _Database, column: str, where: str) -> Sequence[str]:
    _check_column(database.read(database.select("*")), column, _WHOLE_NUMBERS, key="jdbc.partition_by")
    quoted = database.quote(column)
    low, high = database.ask(database.select(f"MIN({quoted}) AS low, MAX({quoted}) AS high", where=where))
    if low is None:
        return []
    return split_conditions(database.quote(_PART), int(low), int(high), database.jdbc.partitions)


def _check_column(rows: "DataFrame", column: str, kinds: tuple[type[T.DataType], ...], *, key: str) -> None:
    if column not in rows.columns:
        nearest = nearest_name(column, rows.columns)
        hint = f"; did you mean '{nearest}'?" if nearest else ""
        raise ConfigError(f"{key}: there is no column {column!r}; there are: {list_names(rows.columns)}{hint}")
    found = rows.schema[column].dataType
    if not isinstance(found, kinds):
        wanted = "a whole number" if kinds is _WHOLE_NUMBERS else "a timestamp, a date, or a number without fraction"
        raise ConfigError(f"{key}: {column} is a {found.simpleString()}; it must be {wanted}")


def _what(jdbc: Jdbc) -> str:
    """The table's name, or a short name of the query."""
    return jdbc.table or f"query {hashlib.sha256(str(jdbc.query).encode()).hexdigest()[:8]}"
