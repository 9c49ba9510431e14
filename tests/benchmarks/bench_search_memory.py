"""Memory that a search takes on a machine, in copies of its rows: two trials at a time, on a million rows of 30 columns.

One copy is rows x columns x 8 bytes. What counts is the sum over this process, the JVM and the workers of their proportional set size (Linux's
`smaps_rollup`: what several map is split among them), at its peak during the search, less what it was before. Rows that lie in files are read
through the page cache, which counts as soon as they are mapped. Run as `python -m tests.benchmarks.bench_search_memory [--rows N]`.
"""

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sparkml_ops.lake import Lake
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.matrix import unmap_matrix
from tests.benchmarks.bench_memory import list_children
from tests.benchmarks.bench_tuning import COLUMNS, SETTINGS, search, write_rows
from tests.benchmarks.compare import Goal, open_bench, print_result, read_arguments

_COPY_LIMIT = 2
_EVERY = 0.1  # seconds from one reading to the next


def proportional_bytes(pid: int) -> int:
    """Of memory that a process has, shared pages by its share; 0 where it has just ended."""
    try:
        told = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(told[1]) * 1024 if told else 0


def add_up() -> int:
    """Of this process and all that it has started."""
    return sum(proportional_bytes(pid) for pid in (os.getpid(), *list_children(os.getpid())))


def watch_peak(work: Callable[[], None]) -> int:
    """The most bytes at once while the work is done, less those before it."""
    before, is_over = add_up(), threading.Event()
    peaks = [before]

    def watch() -> None:
        while not is_over.wait(_EVERY):
            peaks.append(max(peaks[-1], add_up()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        is_over.set()
        watcher.join()
    return peaks[-1] - before


def main() -> None:
    """Measure one search, after another on a few rows that has started the workers."""
    arguments = read_arguments("bench_search_memory", rows=1_000_000, repeat=1)
    with open_bench("search_memory", memory="1g") as (spark, _, root):
        lake = Lake(spark, str(root / "lake"), None, "bench")
        tasks = {rows: TrialTask(str(root / f"rows_{rows}"), SETTINGS) for rows in (2_000, arguments.rows)}
        for rows, task in tasks.items():
            write_rows(Path(task.folder), rows)
        search(tasks[2_000], lake, 2)
        started = time.perf_counter()
        peak = watch_peak(lambda: search(tasks[arguments.rows], lake, 2))
        seconds = {"ours": [time.perf_counter() - started]}
        copies = peak / (arguments.rows * COLUMNS * 8)
        print(f"{peak / 2**20:.0f} MiB beyond what was there before", file=sys.stderr)
        for task in tasks.values():
            unmap_matrix(task.folder)
        goal = Goal("copies of the rows, on a machine", round(copies, 2), _COPY_LIMIT, is_limit=True)
        print_result("search_memory", arguments.rows, seconds, equal=True, goals=[goal])


if __name__ == "__main__":
    main()
