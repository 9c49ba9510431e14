"""Rows that are put on disk once, so that whatever made them runs once and memory stays the same however many they are."""

from collections.abc import Iterator, Mapping, Sequence
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
_AS_A_TABLE = {
    # Spark's own choice has no bounds in a file's footer.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
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


@contextmanager
def stage_files(lake: Lake, name: str, part: str, rows: "DataFrame") -> Iterator[str]:
    """A folder `_staging/<name>.<part>/…` with the rows in files that a table could have.

    Args:
        lake: where the folder is.
        name: who stages under it holds its lease.
        part: of several that are staged under a name at once.
        rows: what is written.
    """
    with stage_folder(lake, name, part) as folder:
        with set_for_now(lake, _AS_A_TABLE):
            rows.write.mode("append").parquet(folder)
        yield folder


@contextmanager
def stage_folder(lake: Lake, name: str, part: str) -> Iterator[str]:
    """An empty folder `_staging/<name>.<part>/…`, which is there while the block runs. Files that are moved out of it stay.

    Args:
        lake: where the folder is.
        name: who stages under it holds its lease.
        part: of several that are staged under a name at once.
    """
    staging = f"{lake.root}/_staging/{check_table_name(name)}.{part}"
    _remove_folder(lake, staging)
    folder = f"{staging}/{uuid4().hex}"
    _make_folder(lake, folder)
    try:
        yield folder
    finally:
        _remove_folder(lake, staging)


@contextmanager
def set_for_now(lake: Lake, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of the session that hold while the block runs."""
    before = {key: lake.spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        lake.spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            if old is None:
                lake.spark.conf.unset(key)
            else:
                lake.spark.conf.set(key, old)


def _remove_folder(lake: Lake, folder: str) -> None:
    files, path = open_storage(lake, folder)
    files.delete(path, True)


def _make_folder(lake: Lake, folder: str) -> None:
    files, path = open_storage(lake, folder)
    files.mkdirs(path)


def open_storage(lake: Lake, folder: str) -> tuple[Any, Any]:
    """The file system that a path is in, and the path, as Hadoop has them."""
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # pyspark has no way to make or remove a folder in any storage
    path = jvm.org.apache.hadoop.fs.Path(folder)
    return path.getFileSystem(lake.spark._jsc.hadoopConfiguration()), path  # noqa: SLF001
