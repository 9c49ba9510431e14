"""Databases behind JDBC: what their drivers say, the driver's own connections, and the dialects of their SQL."""

from sparkml_ops.databases.connections import Connection, Database, TableName, connect
from sparkml_ops.databases.dialects import Dialect, Shape, open_dialect
from sparkml_ops.databases.refusals import FAILURES, Patience, Refusal, attempt, find_refusal, hide_credentials

__all__ = [
    "FAILURES",
    "Connection",
    "Database",
    "Dialect",
    "Patience",
    "Refusal",
    "Shape",
    "TableName",
    "attempt",
    "connect",
    "find_refusal",
    "hide_credentials",
    "open_dialect",
]
