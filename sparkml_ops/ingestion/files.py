"""Which files lie at a source's path."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sparkml_ops.errors import ContractError, SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_ops.config.sources import Source

_SHOWN = 5
_LONGEST_HEADER_BYTES = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# How Hadoop writes a FileStatus. A million calls into the JVM would take minutes; this takes one for a whole folder.
_STATUS = re.compile(
    r"FileStatus\{path=(?P<path>.*?); isDirectory=(?P<is_folder>true|false); "
    r"(?:length=(?P<length>\d+); replication=\d+; blocksize=\d+; )?modification_time=(?P<modified>\d+);",
    re.DOTALL,
)


@dataclass(frozen=True, order=True)
class LandedFile:
    """A raw file, or another piece of a source, as it was when it was listed.

    The same name with another size or time is another piece. A piece that is no file has 0 bytes.
    """

    path: str
    size_bytes: int
    modified_at: datetime


def list_files(
    spark: "SparkSession", source: "Source", *, name: str, taken: Sequence[LandedFile] = ()
) -> list[LandedFile]:
    """The files at the source's path and in the folders there, sorted by path; their content is not read.

    What was taken in already is listed like any other.

    The file system is asked itself, because Spark's own listing passes over files of 0 bytes without a word.

    Raises:
        SetupError: nothing lies there, or it cannot be listed.
        ContractError: a file has 0 bytes, which is what a file looks like that has not landed whole.
    """
    from py4j.protocol import Py4JJavaError

    del taken
    try:
        landed = sorted(_list_path(spark, source.path))
    except Py4JJavaError as error:
        reason = str(error.java_exception).splitlines()[0]
        raise SetupError(f"source {name}: cannot list {source.path}: {reason}") from error
    if not landed:
        raise SetupError(
            f"source {name}: no file matches {source.path}. Check `sources.{name}.path` and the variables in it; "
            "files whose names start with _ or . are passed over."
        )
    empty = [plain_path(file.path) for file in landed if file.size_bytes == 0]
    if empty:
        raise ContractError(
            f"source {name}: 0 bytes are in {count_files(len(empty))} of {len(landed)}: {some_of(empty)}. Nothing was written. Files must "
            "land whole: write them under a name that starts with _ and rename them, or take the empty ones away."
        )
    return landed


def require_unchanged(spark: "SparkSession", source: "Source", files: Sequence[LandedFile], *, name: str) -> None:
    """Hold files that were read against those that were listed: what came in between was read in part, or not at all.

    Raises:
        ContractError: a file has another size or time now, or is gone.
    """
    there = {file.path: file for file in _list_path(spark, source.path)}
    changed = [plain_path(file.path) for file in files if there.get(file.path) != file]
    if changed:
        raise ContractError(
            f"source {name}: {count_files(len(changed))} changed while being read: {some_of(changed)}. Nothing was written. Files must "
            "land whole: write them under a name that starts with _ and rename them. Run again when they are."
        )


def _list_path(spark: "SparkSession", pattern: str) -> list[LandedFile]:
    jvm: Any = spark._jvm  # noqa: SLF001  # pyspark has no other way to list files in any storage
    path = jvm.org.apache.hadoop.fs.Path(pattern)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())  # noqa: SLF001
    found, landed = _read_statuses(jvm, files.globStatus(path)), []
    while found:
        status = found.pop()
        name = status["path"].rstrip("/").rpartition("/")[2]
        if name.startswith(("_", ".")) or name.endswith("._COPYING_"):  # Spark passes over these as well
            continue
        if status["is_folder"] == "true":
            found += _read_statuses(jvm, files.listStatus(jvm.org.apache.hadoop.fs.Path(status["path"])))
        else:
            modified_at = _EPOCH + timedelta(milliseconds=int(status["modified"]))
            landed.append(LandedFile(status["path"], int(status["length"]), modified_at))
    return landed


def _read_statuses(jvm: Any, statuses: Any) -> list[dict[str, str]]:
    if statuses is None:
        return []
    found = [match.groupdict() for match in _STATUS.finditer(jvm.scala.runtime.ScalaRunTime.stringOf(statuses))]
    if len(found) != len(statuses):
        raise SetupError(
            f"{len(statuses)} files were listed and {len(found)} understood: this Hadoop tells of files in another form, or a "
            "file's name looks like such a form. Please report it, with the names."
        )
    return found


def read_first_line(spark: "SparkSession", path: str, *, encoding: str) -> str:
    """The first line of a text file, packed or not, without its byte order mark; at most a million bytes of it.

    It ends at the first byte that is a line feed, which in UTF-16 is half of one.
    """
    jvm: Any = spark._jvm  # noqa: SLF001  # a job of Spark for each file would take a hundred times as long
    hadoop, settings = jvm.org.apache.hadoop, spark._jsc.hadoopConfiguration()  # noqa: SLF001
    file = hadoop.fs.Path(path)
    stream = file.getFileSystem(settings).open(file)
    codec = hadoop.io.compress.CompressionCodecFactory(settings).getCodec(file)
    lines = hadoop.util.LineReader(stream if codec is None else codec.createInputStream(stream), settings)
    try:
        line = hadoop.io.Text()
        lines.readLine(line, _LONGEST_HEADER_BYTES)
        text = bytes(line.copyBytes()).decode(encoding, errors="replace").removeprefix("\ufeff")
        return text.rstrip("\r\ufffd") if encoding == "utf-16" else text
    finally:
        lines.close()


def count_files(number: int, thing: str = "file") -> str:
    """A number with its noun, for a message."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def some_of(paths: Sequence[str]) -> str:
    """The first few paths, for a message."""
    return ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")


def literal_path(path: str) -> str:
    """A path as Spark's readers must be given it, so that brackets and stars in a name mean themselves."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


def encoded_path(spark: "SparkSession", path: str) -> str:
    """A path as Spark tells it of a row (`_source_file`)."""
    return str(spark._jvm.org.apache.hadoop.fs.Path(path).toUri().toString())  # type: ignore[union-attr]  # noqa: SLF001


def plain_path(path: str) -> str:
    """A path as the user wrote it: without the scheme of local files."""
    return unquote(path.removeprefix("file://").removeprefix("file:"))
