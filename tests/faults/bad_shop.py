"""One source of orders for the tests of faults, in whatever kind of file, and what makes such files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, read_table, table_exists
from tests.one_source import describe_shop

HEADER = b"id,amount,day\n"
GOOD = b"@1,1,2026-01-01\n"
COLUMNS = {"id": {"type": "string"}, "amount": {"type": "double", "between": [0, 100]}, "day": {"type": "date"}}


def shop(path: object, environment: Environment, **options: Any) -> UseCase:
    """A use case with one source, `orders`; the other parts are not looked at."""
    orders = {
        "path": str(path),
        "format": "csv",
        "key": ["id"],
        "columns": COLUMNS,
        "max_violation_ratio": 1.0,
    } | options
    return describe_shop(environment, orders=orders)


def rows_by_file(lake: Lake, table: str) -> dict[str, list[Any]]:
    """Rows of a table by the name of their file; read from the data files, never counted from a log."""
    found: dict[str, list[Any]] = {}
    for row in read_table(lake, table).collect():
        found.setdefault(unquote(row["_source_file"].rpartition("/")[2]), []).append(row)
    return found


def nothing_was_written(lake: Lake) -> bool:
    return not table_exists(lake, "clean_orders") and not table_exists(lake, "quarantine_orders")


def text(name: str, content: bytes) -> Callable[[Path], None]:
    """Makes a file in a folder."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(content)

    return make


def parquet(folder: Path, name: str, **columns: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {"id": ["a"], "amount": [1.0], "day": pa.array([0], pa.date32())} | columns
    pq.write_table(
        pa.table({k: v for k, v in arrays.items() if v is not None}), folder / name, write_page_checksum=True
    )
    return folder / name


def flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
