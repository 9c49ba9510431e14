"""One writer at a time, and nobody waits for the dead."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest

from sparkml_ops.errors import ConflictError
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
