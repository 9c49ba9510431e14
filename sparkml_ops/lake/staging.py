"""Rows that are put on disk once, so that whatever made them runs once and memory stays the same however many they are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sparkml_ops.lake.location import Lake, check_table_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DICTIONARY = "parquet.enable.dictionary"
_OPTIONS = {
    "compression": "lz4",
    # The rows are read again within the minute: a dictionary would cost more than it saves.
    _DICTIONARY: "false",
}


@contextmanager
def stage_rows(lake: Lake, name: str, rows: "DataFrame", *, repeated: Sequence[str] = ()) -> Iterator["DataFrame"]:
    """The same rows, read from Parquet in the folder `_staging/<name>` of the lake, which is there while the block runs.

    What a process that was killed has left there is removed first: who stages under a name holds its lease.

    Args:
        lake: where the folder is.
        name: of the folder.
        rows: what is staged.
        repeated: columns of few long values, which are written once each and then referred to.
    """
    staging = f"{lake.root}/_staging/{check_table_name(name)}"
    _remove_folder(lake, staging)
    folder = f"{staging}/{uuid4().hex}"
    try:
        rows.write.options(**_OPTIONS, **{f"{_DICTIONARY}#{column}": "true" for column in repeated}).parquet(folder)
        yield lake.spark.read.schema(rows.schema).parquet(folder)
    finally:
        _remove_folder(lake, staging)


def _remove_folder(lake: Lake, folder: str) -> None:
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # pyspark has no way to remove a folder in any storage
    path = jvm.org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(lake.spark._jsc.hadoopConfiguration()).delete(path, True)  # noqa: SLF001
