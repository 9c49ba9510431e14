"""Somebody reads the current predictions all the time, by another engine, while batches are published, rolled back and killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from duckdb_extensions import import_extension

from tests.faults.publisher import CUSTOMERS
from tests.flow_project import outside_environment

pytestmark = pytest.mark.slow

EVENTS = int(os.environ.get("SPARKML_OPS_TEST_EVENTS", "6"))
"""Publications and rollbacks to wait for; a release asks for 100."""
KILLS = max(EVENTS // 6, 1)
STATE = "SELECT count(*), count(DISTINCT customer), min(batch_id), max(batch_id), min(prediction), max(prediction)"


def start(root: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.publisher", str(root)],
        cwd=Path(__file__).parents[2], env=outside_environment(), start_new_session=True,
        stdout=subprocess.PIPE, stderr=(root / "publisher.log").open("a"), text=True,
    )  # fmt: skip


def poll_until(told: str, process: "subprocess.Popen[str]", read: "Reader") -> None:
    """Read all the time until the process tells a line that begins so."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    line, until = "", time.monotonic() + 600
    while not line.startswith(f"told {told}"):
        assert process.poll() is None, "the publisher ended by itself"
        assert time.monotonic() < until, f"never told: {told}"
        read.look()
        line = process.stdout.readline() or ""


class Reader:
    """What was seen, in order, each state once in a row."""

    def __init__(self, folder: Path) -> None:
        import_extension("delta")
        self.connection, self.folder = duckdb.connect(), folder
        self.connection.execute("LOAD delta")
        self.seen: list[tuple[object, ...]] = []
        self.looks = 0

    def look(self) -> None:
        if not (self.folder / "_delta_log").is_dir() or not any((self.folder / "_delta_log").glob("*.json")):
            time.sleep(0.1)
            return
        self.looks += 1
        time.sleep(0.02)  # the publisher needs the processor too
        state = self.connection.execute(f"{STATE} FROM delta_scan('{self.folder}')").fetchone()
        assert state is not None
        if not self.seen or self.seen[-1] != state:
            self.seen.append(state)


def test_a_reader_sees_only_whole_batches_that_were_published(tmp_path: Path) -> None:
    draw, read = random.Random(7), Reader(tmp_path / "lake" / "shop" / "predictions_current")
    process = start(tmp_path)
    try:
        for at in range(EVENTS):
            poll_until(draw.choice(["published", "rolled_back"]), process, read)
            if at % (EVENTS // KILLS) == 1:
                until = time.monotonic() + draw.uniform(0, 4)
                while time.monotonic() < until:
                    read.look()
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=60)
                read.look()
                process = start(tmp_path)
    finally:
        process.kill()
    whole = [state for state in read.seen if state[0]]
    assert len(whole) > KILLS
    assert read.looks > len(read.seen)
    for rows, customers, first, last, lowest, highest in whole:
        assert (rows, customers) == (CUSTOMERS, CUSTOMERS)
        assert (first, lowest) == (last, highest), "rows of two batches at once"
        assert str(first).startswith("day-"), "a batch that was held"
        assert lowest == int(str(first).split("-")[1]) / 1000
