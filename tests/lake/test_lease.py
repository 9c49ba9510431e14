"""One writer at a time, and nobody waits for the dead."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from sparkml_ops.errors import ConflictError, SetupError
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake

HOLD = """
import sys, time
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.lake.location import Lake
with hold_lease(Lake(None, sys.argv[1], None, "shop"), "orders"):
    print("held", flush=True)
    time.sleep(60)
"""


def lake_at(folder: Path) -> Lake:
    return Lake(cast("Any", None), str(folder), None, "shop")


@pytest.fixture
def holder(tmp_path: Path) -> Any:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(
            ConflictError, match=rf"orders is being written by process {holder.pid} of \w+ on \S+ since .* UTC"
        ) as caught,
        hold_lease(lake_at(tmp_path), "orders", wait_seconds=0.2),
    ):
        pytest.fail("two hold the same lease")
    assert caught.value.exit_code == 4


def test_another_lease_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with hold_lease(lake_at(tmp_path), "returns", wait_seconds=0):
        assert holder.poll() is None


def test_a_dead_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    started = time.monotonic()
    with hold_lease(lake_at(tmp_path), "orders", wait_seconds=5):
        assert time.monotonic() - started < 5


def test_remote_storage_has_no_lease(tmp_path: Path) -> None:
    with hold_lease(Lake(cast("Any", None), "s3a://bucket/lake", None, "shop"), "orders"):
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def orphan() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives on after the one that held the lease; it ends when its input does, as a JVM of pyspark's."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def leave_lease(lake: Lake, pid: int) -> None:
    """As a process leaves it that is killed while its JVM is at work."""
    jvm: Any = lake.spark._jvm
    since = jvm.java.lang.ProcessHandle.of(pid).get().info().startInstant().toString()
    left = {"pid": 1, "host": "here", "user": "ann", "since": time.time()}
    left |= {"jvm": {"host": socket.gethostname(), "pid": pid, "since": since}}
    folder = Path(lake.root) / "_leases"
    folder.mkdir(parents=True)
    (folder / "orders.json").write_text(json.dumps(left))


def test_the_jvm_of_a_dead_process_is_told_while_it_lives(lake: Lake, orphan: subprocess.Popen[bytes]) -> None:
    leave_lease(lake, orphan.pid)
    told = rf"orders was being written by process 1 of ann on here .* its JVM, process {orphan.pid}, is still at work"
    with pytest.raises(ConflictError, match=told), hold_lease(lake, "orders", wait_seconds=0.2):
        pytest.fail("its commit may still come")


def test_the_jvm_of_a_dead_process_is_waited_for(lake: Lake, orphan: subprocess.Popen[bytes]) -> None:
    leave_lease(lake, orphan.pid)
    assert orphan.stdin is not None
    threading.Timer(0.3, lambda: (orphan.kill(), orphan.wait())).start()
    with hold_lease(lake, "orders", wait_seconds=30):
        assert orphan.poll() is not None
    with hold_lease(lake, "orders", wait_seconds=0):
        assert orphan.poll() is not None


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process may grow, as on a disk that is full."""
    asked, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked, most))


def test_a_disk_without_room_for_the_lease_is_told(tmp_path: Path) -> None:
    told = r"cannot write to the lake at /.*: File too large\. Check its path, rights and space"
    with no_room(), pytest.raises(SetupError, match=told), hold_lease(lake_at(tmp_path), "ingest-orders"):
        pytest.fail("it was held")
