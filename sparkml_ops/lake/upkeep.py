"""How the files of a table lie, and how they are put in order: compaction, clustering, vacuum.

Delta's VACUUM clears away by age alone: everything that left the table longer ago than its retention. To keep one old version
by it, everything since would have to be kept. So VACUUM is given an inventory of what it may take: files that are older than
the retention and belong to none of the versions that somebody needs. What the newest version holds it spares in any case.

The driver gets the names of a table's files, as it does to plan any read of the table; their content it never gets.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType

from sparkml_ops.errors import ConfigError, TableNotFoundError
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake, quote_identifier, quote_text, sql_name
from sparkml_ops.lake.session import sibling_session
from sparkml_ops.lake.tables import read_table

logger = logging.getLogger(__name__)

SMALL_FILE = 32 * 2**20  # bytes; below it opening a file costs about as much as reading it
LARGE_FILE = 128 * 2**20  # bytes; what small files are packed into: enough to read, few enough to share among cores
KEEP_VERSIONS = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 3650 days",
}
"""For tables whose versions are kept.

Delta forgets after 30 days how to read a version, and refuses after 7 days to read one that is not the newest, whatever files
there are. The same properties keep a plain VACUUM by somebody else from taking anything.
"""

_RETENTION = "delta.deletedFileRetentionDuration"
_FILES_AT_ONCE = 10_000  # names that one task goes through in a moment
_INVENTORY = StructType(
    [
        StructField("path", StringType()),
        StructField("length", LongType()),
        StructField("isDir", BooleanType()),
        StructField("modificationTime", LongType()),
    ]
)


@dataclass(frozen=True)
class TableDetail:
    """What `DESCRIBE DETAIL` says of a table; `bytes` and `files` are of the newest version."""

    files: int
    bytes: int
    clustered_by: tuple[str, ...]
    partitioned_by: tuple[str, ...]
    properties: Mapping[str, str]
    location: str
    description: str | None
    changed_at: datetime


@dataclass(frozen=True)
class StoredFile:
    """A data file in a table's folder, whoever wrote it. Delta gives each a name of its own.

    Attributes:
        name: without its folder.
        path: the whole of it.
        bytes: its size.
        modified_at: milliseconds since 1970.
    """

    name: str
    path: str
    bytes: int
    modified_at: int


@dataclass(frozen=True)
class OldFiles:
    """Files that are older than the retention and belong to no version that is needed.

    Attributes:
        files: all of them.
        orphans: how many of them no commit of the log names: what killed writers left.
        lost: versions that are needed and that the log has forgotten; then nothing is old, since their files are unknown.
    """

    files: tuple[StoredFile, ...] = ()
    orphans: int = 0
    lost: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(file.bytes for file in self.files)


def describe_detail(lake: Lake, table: str) -> TableDetail:
    """Size, layout and properties of a table, from its log alone."""
    row = lake.spark.sql(f"DESCRIBE DETAIL {sql_name(lake, table)}").collect()[0]
    return TableDetail(
        files=row["numFiles"],
        bytes=row["sizeInBytes"],
        clustered_by=tuple(row["clusteringColumns"] or ()),
        partitioned_by=tuple(row["partitionColumns"] or ()),
        properties=row["properties"],
        location=row["location"],
        description=row["description"],
        changed_at=row["lastModified"].astimezone(UTC),
    )


def list_files(lake: Lake, detail: TableDetail) -> list[StoredFile]:
    """Every data file below a table's folder."""
    folders = [detail.location, f"{detail.location}/_change_data"]
    found = []
    for folder in (folder for folder in folders if _exists(lake, folder)):
        files = lake.spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(folder)
        rows = files.select("path", "length", F.unix_millis("modificationTime").alias("modified_at")).collect()
        found += [StoredFile(_name_of(r["path"]), r["path"], r["length"], r["modified_at"]) for r in rows]
    return found


def list_names(lake: Lake, table: str, *, version: int | None = None) -> set[str]:
    """Names of the files of a version, or of the newest.

    Raises:
        TableNotFoundError: the log has forgotten the version.
    """
    session = sibling_session(lake.spark)  # that looks at versions which Delta would not read to the end
    session.conf.set("spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration", "false")
    rows = read_table(replace(lake, spark=session), table, version=version)
    return {_name_of(path) for path in rows.inputFiles()}


def version_at(history: Iterable[Any], moment: datetime) -> int | None:
    """The version that a table had at a moment; None when it is younger, or its log does not reach so far back."""
    return max((e["version"] for e in history if e["timestamp"].astimezone(UTC) <= moment), default=None)


def shortest_retention(lake: Lake, detail: TableDetail, keep: timedelta) -> timedelta:
    """`keep`, or what somebody has set on the table, where that is longer."""
    asked = detail.properties.get(_RETENTION)
    if asked in (None, KEEP_VERSIONS[_RETENTION]):
        return keep
    age = F.unix_seconds(F.current_timestamp()) - F.unix_seconds(F.expr(f"current_timestamp() - {asked}"))
    seconds = lake.spark.range(1).select(age.alias("age")).collect()[0]["age"]
    return max(keep, timedelta(seconds=seconds))


def set_properties(lake: Lake, table: str, properties: Mapping[str, str]) -> None:
    """Set properties of a table: a commit that changes no row."""
    told = ", ".join(f"{quote_text(key)} = {quote_text(value)}" for key, value in sorted(properties.items()))
    with hold_lease(lake, table):
        lake.spark.sql(f"ALTER TABLE {sql_name(lake, table)} SET TBLPROPERTIES ({told})")


def compact_table(lake: Lake, table: str) -> None:
    """Pack small files into large ones; clustered tables are clustered on the way. Rows stay as they are."""
    session = sibling_session(lake.spark)
    session.conf.set("spark.databricks.delta.optimize.minFileSize", SMALL_FILE)
    session.conf.set("spark.databricks.delta.optimize.maxFileSize", LARGE_FILE)
    with hold_lease(lake, table):
        session.sql(f"OPTIMIZE {sql_name(lake, table)}").collect()


def cluster_table(lake: Lake, table: str, columns: Iterable[str]) -> None:
    """Declare what a table is clustered by; the files follow at the next `compact_table`.

    Raises:
        ConfigError: a column is not there, or cannot be clustered by.
    """
    named = ", ".join(quote_identifier(column) for column in columns)
    try:
        with hold_lease(lake, table):
            lake.spark.sql(f"ALTER TABLE {sql_name(lake, table)} CLUSTER BY ({named})")
    except PySparkException as error:
        raise ConfigError(
            f"maintenance.cluster_by.{table}: cannot be clustered by {named} ({error.getCondition()}). Take columns of the table "
            "that are numbers, texts, dates or timestamps, and are among its first 32."
        ) from error


def find_old_files(
    lake: Lake, table: str, detail: TableDetail, files: Iterable[StoredFile], *, needed: Iterable[int]
) -> OldFiles:
    """Of some files those that belong to none of the needed versions; none of them while one of these cannot be read."""
    old, lost = list(files), []
    for version in sorted(set(needed)) if old else ():
        try:
            names = list_names(lake, table, version=version)
        except TableNotFoundError:  # with its log its files are unknown; any other error ends the upkeep
            lost.append(version)
        else:
            old = [file for file in old if file.name not in names]
    if lost:
        return OldFiles(lost=tuple(lost))  # any of the files may be one of theirs
    return OldFiles(tuple(old), _count_orphans(lake, detail, old) if old else 0)


def vacuum_table(lake: Lake, table: str, files: Sequence[StoredFile], *, retention: timedelta) -> None:
    """Delete some files; those of the newest version, and those that left the table within the retention, are spared.

    Args:
        lake: where the table is.
        table: its name.
        files: what may be deleted.
        retention: at least a week, which the configuration sees to.
    """
    session = sibling_session(lake.spark)
    # The properties of the table hold for whoever knows nothing of the versions that are needed.
    session.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    session.conf.set("spark.databricks.delta.vacuum.retentionWindowIgnore.enabled", "false")  # or RETAIN says nothing
    hours = math.ceil(retention / timedelta(hours=1))
    session.conf.set("spark.sql.shuffle.partitions", 1 + len(files) // _FILES_AT_ONCE)
    rows = [(file.path, file.bytes, False, file.modified_at) for file in files]
    session.createDataFrame(rows, _INVENTORY).createOrReplaceTempView("inventory")
    inventory = "USING INVENTORY (SELECT * FROM inventory)"
    with hold_lease(lake, table):
        session.sql(f"VACUUM {sql_name(lake, table)} {inventory} RETAIN {hours} HOURS").collect()


def _count_orphans(lake: Lake, detail: TableDetail, files: Iterable[StoredFile]) -> int:
    """How many of the files no commit and no checkpoint names."""
    log = f"{detail.location}/_delta_log"
    kinds = "add struct<path: string>, remove struct<path: string>, cdc struct<path: string>"
    logs = [lake.spark.read.schema(kinds).json(f"{log}/*.json")]
    if _exists(lake, f"{log}/_last_checkpoint"):
        logs.append(lake.spark.read.schema(kinds).parquet(f"{log}/*.checkpoint*.parquet"))
    paths = "explode(array(add.path, remove.path, cdc.path)) AS path"
    unnamed = lake.spark.createDataFrame([(file.name,) for file in files], "name string")
    for actions in logs:
        named = actions.selectExpr(paths).selectExpr("substring_index(path, '/', -1) AS name")
        unnamed = unnamed.join(named, "name", "left_anti")
    return unnamed.count()


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]


def _exists(lake: Lake, folder: str) -> bool:
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # Spark has no public way to look at a folder
    path = jvm.org.apache.hadoop.fs.Path(folder)
    return bool(path.getFileSystem(lake.spark._jsc.hadoopConfiguration()).exists(path))  # noqa: SLF001
