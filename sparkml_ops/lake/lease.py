"""One writer at a time per table on a local path, where Delta cannot promise it.

Delta's log store for `file:` checks that a commit does not exist and then renames: two processes can both succeed, and one
commit is lost (delta#683, delta#7567). A lease is a lock on a file, taken from the operating system, so it is freed the
moment its holder dies and nobody has to judge whether a lease is stale. What may live on for a moment is the JVM of a
killed process, with a commit under way: its end is waited for.
"""

import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sparkml_ops.errors import ConflictError, SetupError
from sparkml_ops.lake.location import Lake, local_root

WAIT_SECONDS = 300.0  # a commit takes seconds, but several may wait in line for a machine that has just started Spark
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
    with _blaming_folder(root):
        (root / "_leases").mkdir(parents=True, exist_ok=True)
        file = (root / "_leases" / f"{name}.json").open("ab+", buffering=0)
    deadline = time.monotonic() + wait_seconds
    with file:
        _wait_for_lock(file, name, wait_seconds, deadline=deadline)
        _wait_for_orphan(lake, file, name, deadline=deadline)
        with _blaming_folder(root):
            _write_holder(lake, file)
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def _blaming_folder(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"cannot write to the lake at {root}: {error.strerror}. Check its path, rights and space."
        ) from error


def _wait_for_lock(file: IO[bytes], name: str, wait_seconds: float, *, deadline: float) -> None:
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


def _wait_for_orphan(lake: Lake, file: IO[bytes], name: str, *, deadline: float) -> None:
    """Who lets a lease go empties its file; what stands there was left by a process that died."""
    jvm = _read_holder(file).get("jvm")
    while jvm is not None and _is_alive(lake, jvm):
        if time.monotonic() >= deadline:
            raise ConflictError(
                f"{name} was being written by {_describe_holder(file)}. That process is gone, but its JVM, process {jvm['pid']}, is "
                "still at work. Nothing was written. End it, or run again when it has ended."
            )
        time.sleep(_POLL_SECONDS)


def _write_holder(lake: Lake, file: IO[bytes]) -> None:
    file.truncate(0)
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "user": getpass.getuser(), "since": time.time()}
    file.write(json.dumps(holder | {"jvm": _identify_jvm(lake)}).encode())


def _read_holder(file: IO[bytes]) -> dict[str, Any]:
    file.seek(0)
    try:
        return dict(json.loads(file.read()))
    except ValueError:  # nobody, or one who is between taking the lock and writing its name
        return {}


def _identify_jvm(lake: Lake) -> dict[str, Any] | None:
    """The process where the lake's Spark runs; a number alone may be another's by now, so it goes with its start."""
    handles = _find_handles(lake)
    if handles is None:
        return None
    process = handles.current()
    return {"host": socket.gethostname(), "pid": process.pid(), "since": _tell_start(process)}


def _is_alive(lake: Lake, jvm: Mapping[str, Any]) -> bool:
    """Whether the JVM of somebody else is still there; of another machine nothing is known."""
    handles = _find_handles(lake)
    if handles is None or jvm["host"] != socket.gethostname() or jvm == _identify_jvm(lake):
        return False
    found = handles.of(jvm["pid"])
    return bool(found.isPresent() and found.get().isAlive() and _tell_start(found.get()) == jvm["since"])


def _find_handles(lake: Lake) -> Any:
    """Java's view of processes; None where a lake has no JVM."""
    jvm: Any = getattr(lake.spark, "_jvm", None)
    return None if jvm is None else jvm.java.lang.ProcessHandle


def _tell_start(process: Any) -> str:
    return str(process.info().startInstant().toString())


def _describe_holder(file: IO[bytes]) -> str:
    holder = _read_holder(file)
    if not holder:
        return "another process"
    since = datetime.fromtimestamp(holder["since"], UTC)
    age = int(time.time() - holder["since"])
    return f"process {holder['pid']} of {holder['user']} on {holder['host']} since {since:%Y-%m-%d %H:%M:%S} UTC ({age} s ago)"
