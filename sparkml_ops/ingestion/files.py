"""Which files lie at a source's path."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sparkml_ops.errors import SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_ops.config.sources import Source


@dataclass(frozen=True, order=True)
class LandedFile:
    """A raw file as it was when it was listed; the same name with another size or time is another file."""

    path: str
    size_bytes: int
    modified_at: datetime


def list_files(spark: "SparkSession", source: "Source", *, name: str) -> list[LandedFile]:
    """The files at the source's path, sorted by path; their content is not read.

    Raises:
        SetupError: nothing lies there.
    """
    from pyspark.errors import AnalysisException

    try:
        listing = (
            spark.read.format("binaryFile").load(source.path).select("path", "length", "modificationTime").collect()
        )
    except AnalysisException as error:
        if "PATH_NOT_FOUND" not in str(error):
            raise SetupError(f"source {name}: cannot list {source.path}: {str(error).splitlines()[0]}") from error
        listing = []
    if not listing:
        raise SetupError(
            f"source {name}: no file matches {source.path}. Check `sources.{name}.path` and the variables in it; "
            "files whose names start with _ or . are passed over."
        )
    return sorted(LandedFile(row["path"], row["length"], row["modificationTime"]) for row in listing)


def plain_path(path: str) -> str:
    """A path as the user wrote it: without the scheme of local files."""
    return unquote(path.removeprefix("file://").removeprefix("file:"))
