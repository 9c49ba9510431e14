"""Folders for people outside the lake: there complete, or not there.

Files are written beside the place, in a hidden folder, and moved to it when all of them are there. In a file system that
moves a folder in one step, as disks and HDFS do, nobody sees a part of it; an object store copies file by file, and there
`_manifest.json`, which is the last to be written into the folder, says what belongs to it. A process that is killed leaves
the hidden folder `.<name>.<random>` behind, which nobody reads.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from sparkml_ops.errors import ConfigError
from sparkml_ops.lake.causes import list_causes
from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.staging import open_storage, set_for_now

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

FileFormat = Literal["parquet", "csv"]
MANIFEST = "_manifest.json"
"""Spark, pandas and DuckDB pass over files whose names start with _."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//[^/]*)?(?P<path>.*)")
_CSV = {
    "header": "true",
    "escape": '"',  # as RFC 4180 has it; Spark's own choice is a backslash
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "emptyValue": '""',  # so that an empty text is told from a missing one
    "nullValue": "",
    "lineSep": "\n",
    "ignoreLeadingWhiteSpace": "false",  # Spark's own choice is to strip texts
    "ignoreTrailingWhiteSpace": "false",
}
_PARQUET = {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS"}  # Spark's own choice few others read


@dataclass(frozen=True)
class FolderDraft:
    """A folder that is being written.

    Attributes:
        lake: whose session writes.
        path: where it is until it is complete.
        to: where it will be.
    """

    lake: Lake
    path: str
    to: str

    def save(self, rows: "DataFrame", form: FileFormat) -> None:
        """Write rows into it.

        Raises:
            ConfigError: a column has a type that CSV cannot hold.
        """
        from pyspark.errors import AnalysisException

        try:
            with set_for_now(self.lake, _PARQUET):
                rows.write.mode("append").options(**(_CSV if form == "csv" else {})).format(form).save(self.path)
        except AnalysisException as error:
            if "UNSUPPORTED_DATA_TYPE" not in str(error):
                raise
            raise ConfigError(
                f"{form} cannot hold these rows: {str(error).splitlines()[0]}. Nothing was written; parquet holds them."
            ) from error

    def note(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest."""
        files, path = open_storage(self.lake, f"{self.path}/{MANIFEST}")
        out = files.create(path)
        try:
            out.write(bytearray(json.dumps(manifest, indent=2, ensure_ascii=False).encode()))
        finally:
            out.close()


def read_manifest(lake: Lake, folder: str) -> Mapping[str, Any] | None:
    """What a folder's manifest says: None where there is none, and nothing where it cannot be read."""
    files, path = open_storage(lake, f"{_make_absolute(folder)}/{MANIFEST}")
    if not files.exists(path):
        return None
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # Spark itself passes over files of such a name
    stream = files.open(path)
    try:
        found = json.loads(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    except ValueError:
        return {}
    finally:
        stream.close()
    return found if isinstance(found, dict) else {}


def read_back(lake: Lake, path: str, form: FileFormat) -> "DataFrame":
    """The rows that `save` has written; of CSV every value is text."""
    return lake.spark.read.options(**({**_CSV, "multiLine": "true"} if form == "csv" else {})).format(form).load(path)


@contextmanager
def draft_folder(lake: Lake, to: str, *, replace: bool = False) -> Iterator[FolderDraft]:
    """A folder to write to; it is moved to its place when the block ends well, and removed when it does not.

    Args:
        lake: whose session writes.
        to: a path or a storage URL that all workers reach; a relative path starts from the working directory.
        replace: take the place of a folder that was written by this function, and of no other.

    Raises:
        ConfigError: there is something at that place.
    """
    to = _make_absolute(to)
    parent, _, name = to.rpartition("/")
    hidden = f"{parent}/.{name}.{uuid4().hex}"
    files, container = _make_hidden(lake, to, hidden, replace=replace)
    draft = FolderDraft(lake, f"{hidden}/new", to)
    try:
        yield draft
        _require_free(lake, to, replace=replace)
        _move(lake, draft.path, to, aside=f"{hidden}.old")
        logger.info("wrote %s", to)
    finally:
        files.delete(container, True)


def _make_hidden(lake: Lake, to: str, hidden: str, *, replace: bool) -> tuple[Any, Any]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        _require_free(lake, to, replace=replace)
        files, container = open_storage(lake, hidden)
        is_made = files.mkdirs(container)
    except (PySparkException, Py4JError) as error:
        causes = list_causes(error)
        reason = str(causes[-1].getMessage() or causes[-1].toString() if causes else error).strip().splitlines()[0]
        raise ConfigError(f"{to} cannot be written to: {reason}") from error
    if not is_made:
        raise ConfigError(f"{to} cannot be written to: its folder is not there and cannot be made, or is no folder.")
    return files, container


def _move(lake: Lake, path: str, to: str, *, aside: str) -> None:
    """Put a folder to its place; an earlier one is put aside first, and removed last."""
    files, place = open_storage(lake, to)
    new, old = open_storage(lake, path)[1], open_storage(lake, aside)[1]
    had_one = files.exists(place)
    if had_one and not files.rename(place, old):
        raise ConfigError(f"{to} cannot be moved out of the way. It is as it was.")
    if not files.rename(new, place):
        is_back = not had_one or files.rename(old, place)
        left = "It is as it was." if is_back else f"What was there is in {aside} now."
        raise ConfigError(f"{to} cannot be made: the storage refuses to move {path} there. {left}")
    if had_one:
        files.delete(old, True)


def _require_free(lake: Lake, to: str, *, replace: bool) -> None:
    files, place = open_storage(lake, to)
    if not files.exists(place):
        return
    if not files.exists(open_storage(lake, f"{to}/{MANIFEST}")[1]):
        raise ConfigError(
            f"{to} is there already and has no {MANIFEST}, so it was not written by an export, and is not replaced. "
            "Nothing was written. Choose another path."
        )
    if not replace:
        raise ConfigError(f"{to} is there already; nothing was written. Choose another path, or say --replace.")


def _make_absolute(to: str) -> str:
    url = _URL.fullmatch(to)
    place = (to if url else str(Path(to).expanduser().absolute())).rstrip("/")
    path = (url["path"] if url else place).rstrip("/")
    if not to or not path.startswith("/") or path.rpartition("/")[2] in {"", ".", ".."} or "\0" in path:
        raise ConfigError(f"{to!r} cannot be a folder to write to: a path or a storage URL that ends with its name")
    return place
