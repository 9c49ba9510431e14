"""Storage that gives way under a step: told as what it is, with how much room there is where it writes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkml_ops.errors import SetupError, SparkMLOpsError
from sparkml_ops.lake.causes import list_causes, list_errors
from sparkml_ops.lake.location import Lake, local_root

_SIGNS = {
    "No space left on device": "a disk is full",
    "database or disk is full": "a disk is full",
    "Disk quota exceeded": "a disk quota is used up",
    "File too large": "a file is larger than the limit of the file system or the process",
    "Read-only file system": "a file system is read-only",
    "Too many open files": "the process may open no more files",
}
_MEGABYTE = 1_000_000


@contextmanager
def blaming_storage(lake: Lake) -> Iterator[None]:
    """Turn an error of storage, from the JVM or from Python, into one that says where to look.

    Raises:
        SetupError: storage gave way; any other error goes on as it is.
    """
    try:
        yield
    except SparkMLOpsError:
        raise
    except Exception as error:
        reason = find_failed_write(error)
        if reason is None:
            raise
        raise SetupError(
            f"{reason}. {_tell_room(lake)} What was committed before stands, and nothing else was written to a table: mend that, and "
            "run again, which goes on from there."
        ) from error


def find_failed_write(error: BaseException) -> str | None:
    """What is wrong with storage, if that is what an error is about."""
    errors = list_errors(error)
    texts = [*map(str, errors), *(str(cause.getMessage()) for each in errors for cause in list_causes(each))]
    return next((told for sign, told in _SIGNS.items() if any(sign in text for text in texts)), None)


def _tell_room(lake: Lake) -> str:
    """How much is free where a step writes, as far as that is on this machine."""
    scratch = os.environ.get("SPARK_LOCAL_DIRS") or lake.spark.conf.get("spark.local.dir", None) or "/tmp"  # noqa: S108
    places = {"the lake": local_root(lake), "Spark's scratch space": Path(scratch.split(",")[0])}
    told = [
        f"{name} ({place}) has {shutil.disk_usage(place).free / _MEGABYTE:,.1f} MB free"
        for name, place in places.items()
        if place is not None and place.exists()
    ]
    return f"{'; '.join(told)}." if told else "The lake lies in remote storage."
