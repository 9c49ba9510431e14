"""One writer at a time per table on a local path, where Delta cannot promise it.

Delta's log store for `file:` checks that a commit does not exist and then renames: two processes can both succeed, and one
commit is lost (delta#683, delta#7567). A lease is a lock on a file, taken from the operating system, so it is freed the
moment its holder dies and nobody has to judge whether a lease is stale.
"""

import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO

from sparkml_ops.errors import ConflictError, SetupError
from sparkml_ops.lake.location import Lake, local_root

WAIT_SECONDS = 60.0  # a commit takes seconds; a minute of waiting means that something is wrong
STAGE_WAIT_SECONDS = 5.0  # a stage takes minutes: better tell the second runner at once
_POLL_SECONDS = 0.05


@contextmanager
def hold_lease(lake: Lake, name: str, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lease `name` while the block runs; in remote storage there is none to hold.

    Raises:
        ConflictError: another process or thread still holds it after `wait_seconds`; the message names the holder.
        SetupError: the lake's folder cannot be written.
    """
    root = local_root(lake)
    if root is None:
        yield
        return
    try:
        (root / "_leases").mkdir(parents=True, exist_ok=True)
        file = (root / "_leases" / f"{name}.json").open("a+")
    except OSError as error:
        raise SetupError(
            f"cannot write to the lake at {root}: {error.strerror}. Check its path, rights and space."
        ) from error
    with file:
        _wait_for_lock(file, name, wait_seconds)
        _write_holder(file)
        try:
            yield
        finally:
            file.truncate(0)


def _wait_for_lock(file: IO[str], name: str, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise ConflictError(
                    f"{name} is being written by {_describe_holder(file)}. Waited {wait_seconds:g} s; "
                    "nothing was written. Run again when it has ended."
                ) from error
            time.sleep(_POLL_SECONDS)
        else:
            return


def _write_holder(file: IO[str]) -> None:
    file.truncate(0)
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "user": getpass.getuser(), "since": time.time()}
    file.write(json.dumps(holder))
    file.flush()


def _describe_holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read())
    except ValueError:  # the holder is between taking the lock and writing its name
        return "another process"
    since = datetime.fromtimestamp(holder["since"], UTC)
    age = int(time.time() - holder["since"])
    return f"process {holder['pid']} of {holder['user']} on {holder['host']} since {since:%Y-%m-%d %H:%M:%S} UTC ({age} s ago)"
