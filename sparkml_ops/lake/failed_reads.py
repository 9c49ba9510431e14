"""Files that Spark cannot read, found in what the JVM says; those of tables are told as what they are: a table that is not whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from pyspark.errors import PySparkException

from sparkml_ops.errors import SetupError
from sparkml_ops.lake.causes import list_causes
from sparkml_ops.lake.location import Lake


@dataclass(frozen=True)
class FailedRead:
    """A read that failed.

    Attributes:
        path: the file, as its address.
        reason: the innermost cause, in one line.
    """

    path: str
    reason: str


def find_failed_read(error: BaseException, *, opened: str | None = None) -> FailedRead | None:
    """The read that failed, if it was a read that did.

    Args:
        error: as it came from the JVM.
        opened: a file that was being read in the driver, where every error is one of it.
    """
    chain = list_causes(error)
    failed = next((cause for cause in chain if "[FAILED_READ_FILE" in str(cause.getMessage())), None)
    if not chain or (failed is None and opened is None):
        return None
    reason = str(chain[-1].getMessage() or chain[-1].getClass().getSimpleName()).strip().splitlines()[0]
    if failed is None:
        return FailedRead(str(opened), reason)
    is_gone = "FILE_NOT_EXIST" in str(failed.getMessage())
    return FailedRead(str(failed.getMessageParameters().get("path")), "it is gone" if is_gone else reason)


@contextmanager
def blaming_tables(lake: Lake) -> Iterator[None]:
    """Turn a file of a table that cannot be read, data or log, into an error that names it.

    Raises:
        SetupError: such a file; any other error goes on as it is.
    """
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        failed = find_failed_read(error)
        table = find_table(lake, failed.path) if failed else None
        if failed is None or table is None:
            raise
        raise SetupError(
            f"the table {table} of {lake.use_case} is not whole: {_plain(failed.path)} cannot be read: {failed.reason}. Nothing was "
            "written. Bring the file back from a backup; or move the table's folder away, and the step that makes it makes it anew."
        ) from error


def find_table(lake: Lake, path: str) -> str | None:
    """The table whose file lies at a path, or None; known for lakes that are folders."""
    root = f"{_plain(lake.root).rstrip('/')}/"
    file = _plain(path)
    return file.removeprefix(root).split("/")[0] if file.startswith(root) else None


def _plain(path: str) -> str:
    return unquote(path.removeprefix("file://").removeprefix("file:"))
