"""Which tables there are, what they hold at a version, and how they are made."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import SetupError, TableNotFoundError
from sparkml_ops.lake.failed_reads import blaming_tables
from sparkml_ops.lake.history import find_change
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, local_root, quote_identifier, quote_text, sql_name, table_path
from sparkml_ops.lake.log import read_log
from sparkml_ops.lake.transactions import has_transactions, start_transaction

if TYPE_CHECKING:
    from delta.tables import DeltaTable
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField, StructType

CREATE_OPTIONS = {
    # Readers other than Spark must be able to read the tables, and some cannot read deletion vectors.
    "delta.enableDeletionVectors": "false",
    # By default every tenth commit makes one, for 5 to 10 s of processor time; to read the log of 98 commits takes as long without one.
    "delta.checkpointInterval": "100",
}
_AT_A_TIME = 4  # a look at a log waits more than it works
_RECENT = 20  # commits that are looked at before the whole history is
_HISTORY_COLUMNS = ("version", "timestamp", "operation", "operationParameters", "operationMetrics", "userMetadata")


def table_exists(lake: Lake, table: str) -> bool:
    """Whether the table is there."""
    from delta.tables import DeltaTable

    if lake.database is not None:
        return bool(lake.spark.catalog.tableExists(sql_name(lake, table)))
    with blaming_tables(lake):
        return bool(DeltaTable.isDeltaTable(lake.spark, table_path(lake, table)))


def table_version(lake: Lake, table: str) -> int:
    """Newest version of the table.

    Raises:
        TableNotFoundError: there is no such table.
    """
    return int(read_history(lake, table, limit=1)[0]["version"])


def table_id(lake: Lake, table: str) -> str:
    """Delta's own id of the table: another table of the same name has another one.

    Raises:
        TableNotFoundError: there is no such table.
    """
    _require_table(lake, table)
    with blaming_tables(lake):
        if lake.database is None and has_transactions(lake):  # without a job
            return str(start_transaction(lake, table).metadata().id())
        return str(open_delta_table(lake, table).detail().select("id").collect()[0]["id"])


def change_version(lake: Lake, table: str, *, at: int | None = None) -> int:
    """The version by which the table has the rows it has, in the newest version or at another.

    Upkeep makes new versions of the same rows: what is compared with an earlier state of the table is this.

    Raises:
        TableNotFoundError: there is no such table.
    """
    for limit in (1, _RECENT, None):
        history = read_history(lake, table, limit=limit)
        found = find_change(history, at=at)
        if found is not None:
            return found
    return int(history[-1]["version"]) if at is None else at


def change_versions(lake: Lake, versions: Mapping[str, int]) -> dict[str, int]:
    """Tables at versions, each at the version that its rows are from: what is made of the same rows gets the same name."""
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="history") as readers:
        found = readers.map(lambda table: change_version(lake, table, at=versions[table]), versions)
        return dict(zip(versions, found, strict=True))


def read_table(lake: Lake, table: str, *, version: int | None = None) -> "DataFrame":
    """Rows of the table, at a version or the newest.

    Raises:
        TableNotFoundError: the table or that version of it is not there.
    """
    from pyspark.errors import AnalysisException

    _require_table(lake, table)
    reader = lake.spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    try:
        return reader.load(table_path(lake, table)) if lake.database is None else reader.table(sql_name(lake, table))
    except AnalysisException as error:
        raise TableNotFoundError(
            f"{table}@v{version} of {lake.use_case} is gone or never was; the newest is v{table_version(lake, table)}. "
            "Vacuum, log clean-up and the property delta.deletedFileRetentionDuration end time travel."
        ) from error


def create_table(
    lake: Lake, table: str, columns: "StructType", *, comment: str, properties: Mapping[str, str] | None = None
) -> None:
    """Create an empty table with comments and properties, if it is not there; comments stand in the fields' metadata."""
    if table_exists(lake, table):
        return
    declared = ", ".join(_declare(column) for column in columns)
    wanted = CREATE_OPTIONS | dict(properties or {})
    with hold_lease(lake, table):
        require_schema(lake)
        lake.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {sql_name(lake, table)} ({declared}) USING delta COMMENT {quote_text(comment)} "
            f"TBLPROPERTIES ({', '.join(f'{quote_text(k)} = {quote_text(v)}' for k, v in wanted.items())})"
        )


def add_columns(lake: Lake, table: str, columns: "StructType") -> None:
    """Add columns to a table by one commit; they are null in the rows that it has."""
    if columns:
        declared = ", ".join(_declare(column) for column in columns)
        with hold_lease(lake, table):
            lake.spark.sql(f"ALTER TABLE {sql_name(lake, table)} ADD COLUMNS ({declared})")


def _declare(column: "StructField") -> str:
    comment = column.metadata.get("comment")
    return (
        f"{quote_identifier(column.name)} {column.dataType.simpleString()}"
        f"{'' if column.nullable else ' NOT NULL'}{f' COMMENT {quote_text(comment)}' if comment else ''}"
    )


def require_schema(lake: Lake) -> None:
    """Create the schema that the use case's tables live in, if they live in a catalog and it is not there.

    Raises:
        SetupError: it is not there and may not be created.
    """
    from pyspark.errors import PySparkException

    if lake.database is None or lake.spark.catalog.databaseExists(lake.database):
        return
    try:
        lake.spark.sql(
            f"CREATE SCHEMA IF NOT EXISTS {lake.database} COMMENT 'Tables of the use case {lake.use_case}, by sparkml_ops'"
        )
    except PySparkException as error:
        raise SetupError(
            f"the schema {lake.database} is not there and cannot be created ({error.getCondition()}). Have it made, or set "
            "`lake.catalog` and `lake.schema` of the environment to a place where you may create schemas."
        ) from error


def list_tables(lake: Lake) -> list[str]:
    """Names of the tables of this use case, sorted."""
    if lake.database is not None:
        if not lake.spark.catalog.databaseExists(lake.database):
            return []
        names = [row["tableName"] for row in lake.spark.sql(f"SHOW TABLES IN {lake.database}").collect()]
        return sorted(names)
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # Spark has no public way to list a folder
    root = jvm.org.apache.hadoop.fs.Path(lake.root)
    files = root.getFileSystem(lake.spark._jsc.hadoopConfiguration())  # noqa: SLF001
    if not files.exists(root):
        return []
    names = [status.getPath().getName() for status in files.listStatus(root) if status.isDirectory()]
    return sorted(name for name in names if not name.startswith("_") and table_exists(lake, name))


def open_delta_table(lake: Lake, table: str) -> "DeltaTable":
    """The table as Delta's own API has it."""
    from delta.tables import DeltaTable

    if lake.database is not None:
        return DeltaTable.forName(lake.spark, sql_name(lake, table))
    return DeltaTable.forPath(lake.spark, table_path(lake, table))


def read_history(lake: Lake, table: str, *, limit: int | None = None) -> Sequence[Mapping[str, Any]]:
    """What `DESCRIBE HISTORY` tells, newest first.

    Raises:
        TableNotFoundError: there is no such table.
        SetupError: a file of its log is damaged.
    """
    _require_table(lake, table)
    root = local_root(lake)
    found = read_log(root / table, limit=limit) if root is not None and lake.database is None else None
    commits = _ask_history(lake, table, limit) if found is None else found
    _require_content(lake, table, commits)
    return commits


def _ask_history(lake: Lake, table: str, limit: int | None) -> Sequence[Mapping[str, Any]]:
    with blaming_tables(lake):
        history = open_delta_table(lake, table).history(limit) if limit else open_delta_table(lake, table).history()
        return [row.asDict() for row in history.select(*_HISTORY_COLUMNS).collect()]


def _require_content(lake: Lake, table: str, commits: Sequence[Mapping[str, Any]]) -> None:
    """Delta reads a commit of 0 bytes, as a power cut may leave it, as one that changed nothing."""
    empty = [commit["version"] for commit in commits if commit["operation"] is None]
    if empty:
        raise SetupError(
            f"the table {table} of {lake.use_case} is not whole: its log says nothing of v{empty[0]} ({sql_name(lake, table)}, "
            f"_delta_log/{empty[0]:020}.json), so the rows of that version are missing. Nothing was written. Bring the file back from a "
            "backup; or move the table's folder away, and the step that makes it makes it anew."
        )


def _require_table(lake: Lake, table: str) -> None:
    if not table_exists(lake, table):
        raise TableNotFoundError(
            f"{lake.use_case} has no table {table} (looked at {sql_name(lake, table)}). "
            f"`sparkml-ops plan {lake.use_case}` shows which step makes it."
        )
