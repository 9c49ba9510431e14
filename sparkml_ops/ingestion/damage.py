"""Files that are not what their names say, and reads that fail: each is told by its name, and nothing is written."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.files import count_files, plain_path, some_of
from sparkml_ops.lake.failed_reads import find_failed_read

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

READ_OPTIONS = {"ignoreCorruptFiles": "false", "ignoreMissingFiles": "false"}
"""For every read of raw files, whatever the session says: either would leave rows out without a word."""
FILES_AT_A_TIME = 16  # opening a file in remote storage is waiting
_HEAD_BYTES = 10
_PACKED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zst": b"\x28\xb5\x2f\xfd"}
_KNOWN = {
    b"\x1f\x8b": "packed with gzip",
    b"BZh91AY&SY": "packed with bzip2",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "Parquet",
    b"ORC": "ORC",
}


@dataclass(frozen=True)
class Glance:
    """A file's size, and how it begins."""

    path: str
    size_bytes: int
    head: bytes


def look_into(spark: "SparkSession", paths: Sequence[str], *, form: str) -> list[Glance]:
    """Look at the first bytes of each file.

    Args:
        spark: by which the files are opened.
        paths: the files.
        form: csv, json or parquet.

    Raises:
        ContractError: files begin as another kind of file does; Spark would read some of them as no row at all.
    """
    with ThreadPoolExecutor(FILES_AT_A_TIME, thread_name_prefix="glance") as readers:
        glances = list(readers.map(partial(_look, spark), paths))
    strange = [f"{plain_path(one.path)} {told}" for one in glances if (told := _find_disguise(one, form))]
    if strange:
        raise ContractError(
            f"{count_files(len(strange))} of {len(paths)} {'is' if len(strange) == 1 else 'are'} not what the name says: {some_of(strange)}. "
            "Nothing was written. Land the file anew under the name that fits it, or take it away."
        )
    return glances


def _look(spark: "SparkSession", path: str) -> Glance:
    jvm: Any = spark._jvm  # noqa: SLF001  # pyspark has no other way to open a file in any storage
    file = jvm.org.apache.hadoop.fs.Path(path)
    files = file.getFileSystem(spark._jsc.hadoopConfiguration())  # noqa: SLF001
    with blaming_files(path):
        stream = files.open(file)
        try:
            return Glance(path, int(files.getFileStatus(file).getLen()), bytes(stream.readNBytes(_HEAD_BYTES)))
        finally:
            stream.close()


def _find_disguise(glance: Glance, form: str) -> str | None:
    found = next((kind for mark, kind in _KNOWN.items() if glance.head.startswith(mark)), "something else")
    if form == "parquet":
        return None if found == "Parquet" else f"does not begin as Parquet does, but with {glance.head!r}"
    packing = next((end for end in _PACKED if glance.path.lower().endswith(end)), None)
    if packing is not None:
        return None if glance.head.startswith(_PACKED[packing]) else f"is not packed as {packing} files are"
    return None if found == "something else" else f"is {found}"


@contextmanager
def blaming_files(opened: str | None = None) -> Iterator[None]:
    """Turn a raw file that Spark or Hadoop cannot read into an error that names it.

    Args:
        opened: the file that is being read, where it is one alone; else the error itself must name it.
    """
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        failed = find_failed_read(error, opened=opened)
        if failed is None:
            raise
        raise ContractError(
            f"{plain_path(failed.path)} cannot be read: {failed.reason}. Nothing was written. Land the file whole under a "
            "name of its own, or take it away, and run again."
        ) from error
