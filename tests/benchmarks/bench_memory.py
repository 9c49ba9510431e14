"""Peak memory of ingestion by the number of rows: each size in a process of its own, with the same small heap.

Run as `python -m tests.benchmarks.bench_memory [--rows N] [--repeat 1]`; the sizes are N and a twentieth of it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake
from tests.benchmarks.bench_ingest import describe, write_orders
from tests.benchmarks.compare import Goal, open_bench, print_result, read_arguments

HEAP = "1500m"
_PROCESSES = ("jvm", "python", "workers")
PARTS = 20  # how many times larger the large one is


def peak_megabytes(pid: int | str) -> float:
    """The most memory that a process ever had."""
    told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert told is not None
    return int(told[1]) / 1000


def list_children(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            told = re.search(r"PPid:\s+(\d+)", status.read_text())
        except OSError:  # it has ended since
            continue
        if told is not None and int(told[1]) == pid:
            child = int(status.parent.name)
            found += [child, *list_children(child)]
    return found


def measure(rows: int) -> dict[str, float]:
    """Ingest so many rows; megabytes of the JVM, of this process and of the workers, and seconds."""
    import time

    with open_bench("memory", memory=HEAP) as (spark, environment, root):
        write_orders(spark, root / "landing", rows)
        lake = Lake(spark, str(root / "lake" / "bench"), None, "bench", frozenset({"orders"}))
        started = time.perf_counter()
        result = ingest(describe(root / "landing", environment), lake).sources[0]
        assert result.rows_clean + result.rows_quarantined == result.rows_in == rows
        took = time.perf_counter() - started
        jvm: Any = spark._jvm  # pyspark has no way to ask for the process
        pools = jvm.java.lang.management.ManagementFactory.getMemoryPoolMXBeans()
        kept = sum(pool.getPeakUsage().getUsed() for pool in pools if "Old" in pool.getName()) / 1e6
        java = jvm.java.lang.ProcessHandle.current().pid()
        return {
            "jvm": peak_megabytes(java),
            "python": peak_megabytes("self"),
            "workers": sum(peak_megabytes(worker) for worker in list_children(java)),
            "old_generation": kept,
            "seconds": took,
        }


def measure_apart(rows: int) -> dict[str, float]:
    """The same in a new process."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_memory", "--rows", str(rows), "--repeat", "0"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    print(f"{rows} rows: {found}", file=sys.stderr)
    return found


def main() -> None:
    """Compare a small and a large batch; `--repeat 0` measures one size alone."""
    arguments = read_arguments("bench_memory", rows=20_000_000, repeat=1)
    if not arguments.repeat:
        print(json.dumps(measure(arguments.rows)))
        return
    small, large = measure_apart(arguments.rows // PARTS), measure_apart(arguments.rows)
    grown = sum(large[name] for name in _PROCESSES) / sum(small[name] for name in _PROCESSES)
    seconds = {"ours": [large["seconds"]], "a twentieth of the rows": [small["seconds"]]}
    goal = Goal(f"peak memory by that of a {PARTS}th of the rows", round(grown, 3), 1.25, is_limit=True)
    print_result("memory", arguments.rows, seconds, equal=True, goals=[goal])


if __name__ == "__main__":
    main()
