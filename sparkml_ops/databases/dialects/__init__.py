"""How each database says what an export needs: a file per dialect."""

from typing import TYPE_CHECKING

from sparkml_ops.databases.connections import Connection, Database
from sparkml_ops.databases.dialects._base import GONE, Dialect, Shape
from sparkml_ops.databases.dialects.postgresql import PostgreSQL
from sparkml_ops.databases.dialects.standard import Standard, find_types

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["GONE", "Dialect", "Shape", "open_dialect"]


def open_dialect(spark: "SparkSession", database: Database, connection: Connection) -> Dialect:
    """The dialect of a database: its own where there is a file for it, else standard SQL."""
    if database.is_postgresql:
        return PostgreSQL()
    return Standard(connection.quote_mark(), find_types(spark, database.url))
