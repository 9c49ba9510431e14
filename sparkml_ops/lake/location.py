"""Where the tables of one use case are, and how they are named."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_ops.config.use_case import UseCase

TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True)
class Lake:
    """The tables of one use case, seen through one Spark session.

    Attributes:
        spark: the session that reads and writes.
        root: folder or storage URL of the use case; each table is a folder in it.
        database: `catalog`.`schema_usecase`, quoted, when tables live in a catalog; None when they live by path.
        use_case: its name.
        sources: names of its sources; in SQL a source's name means its clean table.
    """

    spark: "SparkSession"
    root: str
    database: str | None
    use_case: str
    sources: frozenset[str] = field(default=frozenset())


def open_lake(use_case: "UseCase", spark: "SparkSession | None" = None) -> Lake:
    """Open the lake of a use case, with a session of its own making unless one is given.

    Raises:
        SetupError: no usable Spark session.
    """
    from sparkml_ops.lake.jars import list_drivers
    from sparkml_ops.lake.session import open_session, require_delta, with_required_conf

    place = use_case.environment.lake
    if spark is None:
        session = open_session(use_case.environment, packages=list_drivers(use_case))
    else:
        require_delta(spark)
        session = with_required_conf(spark)
    schema = f"{place.schema_name}_{use_case.name}"  # all use cases have tables of the same names
    parts = [part for part in (place.catalog, schema) if part]
    database = ".".join(quote_identifier(part) for part in parts) if place.schema_name else None
    return Lake(
        session, f"{place.root.rstrip('/')}/{use_case.name}", database, use_case.name, frozenset(use_case.sources)
    )


def table_path(lake: Lake, table: str) -> str:
    """Folder of a table that lives by path."""
    return f"{lake.root}/{check_table_name(table)}"


def sql_name(lake: Lake, table: str) -> str:
    """The name that Spark SQL knows a table by: `catalog`.`schema`.`table`, or delta.`<path>`."""
    if lake.database is not None:
        return f"{lake.database}.{quote_identifier(check_table_name(table))}"
    return f"delta.{quote_identifier(table_path(lake, table))}"


def resolve_table_name(lake: Lake, name: str) -> str:
    """Turn a name as written in the configuration into a table's: a source's name means its clean table."""
    return f"clean_{name}" if name in lake.sources else name


def quote_identifier(name: str) -> str:
    """Quote a name for Spark SQL."""
    if "\0" in name or not name:
        raise ConfigError(f"{name!r} cannot be a name in SQL: it is empty or holds a NUL character")
    return "`" + name.replace("`", "``") + "`"


def quote_text(value: str) -> str:
    """Quote a text value for Spark SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def check_table_name(table: str) -> str:
    """Return the name, or raise ConfigError when it could leave the lake's folder or break SQL."""
    if not TABLE_NAME.fullmatch(table):
        raise ConfigError(
            f"{table!r} is no table name: letters, digits and underscores, at most 128, not starting with a digit"
        )
    return table


def local_root(lake: Lake) -> Path | None:
    """The lake's folder on this machine, or None when it is in remote storage."""
    root = lake.root.removeprefix("file://") if lake.root.startswith("file:///") else lake.root
    return None if "://" in root or root.startswith(("dbfs:", "/Volumes/", "/dbfs/")) else Path(root)
