"""Delta tables of others: which versions there are, what each did, the rows of one, and the changes between two."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sparkml_ops.config.paths import CATALOG_NAME
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake.location import sql_name, table_path

if TYPE_CHECKING:
    from delta.tables import DeltaTable
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.lake.location import Lake

Effect = Literal["none", "added", "changed"]
_CHANGE_FEED = "delta.enableChangeDataFeed"
_ROWS_STAY = frozenset(
    {
        "OPTIMIZE", "REORG", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "ADD COLUMNS",
        "CHANGE COLUMN", "CHANGE COLUMNS", "ADD CONSTRAINT", "DROP CONSTRAINT", "UPGRADE PROTOCOL", "CLUSTER BY", "COMPUTE STATS",
        "SET TABLE COMMENT", "DROP FEATURE", "ROW TRACKING BACKFILL", "CREATE TABLE",
    }
)  # fmt: skip
_ADDING = frozenset({"WRITE", "STREAMING UPDATE", "CREATE TABLE AS SELECT", "COPY INTO"})
_ROWS_LOST = ("numTargetRowsUpdated", "numTargetRowsDeleted", "numDeletedRows", "numUpdatedRows")


@dataclass(frozen=True)
class TableCommit:
    """One version of a table.

    Attributes:
        version: its number.
        at: when it was made.
        operation: what made it, in Delta's words.
        effect: whether rows were added, changed (or removed), or stayed as they were.
    """

    version: int
    at: datetime
    operation: str
    effect: Effect


@dataclass(frozen=True)
class TableFeed:
    """What there is to read of a table.

    Attributes:
        commits: newest first, as far back as its log goes.
        has_changes: whether the table keeps a change feed now.
    """

    commits: tuple[TableCommit, ...]
    has_changes: bool

    def find(self, version: int) -> TableCommit | None:
        """The commit that made a version; None when there is none, or the log does not go back so far."""
        return next((commit for commit in self.commits if commit.version == version), None)


def read_feed(spark: "SparkSession", table: str) -> TableFeed:
    """The versions of a table.

    Args:
        spark: the session.
        table: its folder or storage URL, or its name in a catalog.

    Raises:
        TableNotFoundError: there is no Delta table.
    """
    opened = _open(spark, table)
    detail = opened.detail().select("properties").first()
    properties = (detail["properties"] if detail else None) or {}
    rows = (
        opened.history()
        .select("version", "timestamp", "operation", "operationParameters", "operationMetrics")
        .collect()
    )
    commits = [
        TableCommit(
            int(row["version"]),
            row["timestamp"].astimezone(),
            row["operation"],
            judge_commit(row["operation"], row["operationParameters"] or {}, row["operationMetrics"] or {}),
        )
        for row in rows
    ]
    return TableFeed(tuple(commits), properties.get(_CHANGE_FEED) == "true")


def judge_commit(operation: str, parameters: Mapping[str, str], metrics: Mapping[str, str]) -> Effect:
    """What a commit did to the rows; what is not known to leave them alone has changed them."""
    if operation in _ROWS_STAY:
        return "none"
    if operation in _ADDING:
        return "added" if parameters.get("mode", "Append") == "Append" else "changed"
    told = [int(metrics[name]) for name in _ROWS_LOST if name in metrics]
    if operation not in {"MERGE", "DELETE", "UPDATE"} or not told or any(told):
        return "changed"
    return "added" if int(metrics.get("numTargetRowsInserted", 0)) else "none"


def read_version(spark: "SparkSession", table: str, version: int) -> "DataFrame":
    """Rows of a table at a version.

    Raises:
        TableNotFoundError: the table or the version is not there.
    """
    return _load(spark, table, {"versionAsOf": str(version)}, asked=f"v{version}")


def read_changes(spark: "SparkSession", table: str, first: int, last: int) -> "DataFrame":
    """Rows that the versions from first to last added, changed or removed, with Delta's columns about the change.

    Raises:
        TableNotFoundError: the table, one of the versions, or its change feed is not there.
    """
    options = {"readChangeFeed": "true", "startingVersion": str(first), "endingVersion": str(last)}
    return _load(spark, table, options, asked=f"the changes of v{first} to v{last}")


def _load(spark: "SparkSession", table: str, options: Mapping[str, str], *, asked: str) -> "DataFrame":
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    _open(spark, table)
    reader = spark.read.format("delta").options(**options)
    try:
        rows = reader.table(table) if CATALOG_NAME.fullmatch(table) else reader.load(table)
        rows.schema  # noqa: B018  # Spark looks for the versions now, and not in the middle of a batch
    except (PySparkException, Py4JJavaError) as error:
        reason: Any = str(error).strip().splitlines()[0][:300]
        raise TableNotFoundError(
            f"the Delta table {table} cannot give {asked}: {reason}. Vacuum, log clean-up, and a change feed that was not on at the "
            "time end what can be read; `sparkml-ops ingest … --full` starts over from what is there now."
        ) from error
    return rows


def _open(spark: "SparkSession", table: str) -> "DeltaTable":
    from delta.tables import DeltaTable
    from pyspark.errors import PySparkException

    try:
        return DeltaTable.forName(spark, table) if CATALOG_NAME.fullmatch(table) else DeltaTable.forPath(spark, table)
    except PySparkException as error:
        raise TableNotFoundError(f"there is no Delta table {table} ({error.getCondition()})") from error


def read_feed_rows(lake: "Lake", table: str, *, since: int, until: int) -> "DataFrame":
    """As `read_changes`, of a table of ours: what the versions after one up to another did.

    Raises:
        TableNotFoundError: one of the versions, or its change feed, is not there.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    options = {"readChangeFeed": "true", "startingVersion": str(since + 1), "endingVersion": str(until)}
    reader = lake.spark.read.format("delta").options(**options)
    try:
        rows = reader.load(table_path(lake, table)) if lake.database is None else reader.table(sql_name(lake, table))
        rows.schema  # noqa: B018  # as above
    except (PySparkException, Py4JJavaError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise TableNotFoundError(f"{table} cannot give the changes of v{since + 1} to v{until}: {reason}") from error
    return rows
