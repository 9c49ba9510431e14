"""The look-up at ten times the size, in little memory: seconds and peak megabytes by the number of rows, and what DuckDB does in as much.

Each size in a process of its own, with the same small heap. DuckDB joins the large one within the memory that all processes of ours took together.
Run as `python -m tests.benchmarks.bench_lookup_memory [--rows N]`; the sizes are N and a tenth of it.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
from pyspark.sql import functions as F

from sparkml_ops.features import join_point_in_time
from sparkml_ops.lake import Lake, read_table
from tests.benchmarks.bench_memory import list_children, peak_megabytes
from tests.benchmarks.compare import Goal, open_bench, print_result, read_arguments
from tests.benchmarks.lookup_data import make_tables, open_view

HEAP = "1g"
PARTS, COLUMNS = 10, 5
_PROCESSES = ("jvm", "python", "workers")


def find_lake(spark: Any, root: Path, rows: int) -> Lake:
    return Lake(spark, str(root / f"rows_{rows}"), None, "bench")


def measure(root: Path, rows: int) -> dict[str, float]:
    """Look up once to warm up, and once more; seconds, megabytes of the JVM, of this process and of the workers, rows and a sum."""
    with open_bench("lookup_memory", memory=HEAP) as (spark, _, _):
        lake = find_lake(spark, root, rows)
        for _ in range(2):
            started = time.perf_counter()
            joined = join_point_in_time(read_table(lake, "spine"), [open_view(lake)], timestamp="at")
            number, total = joined.agg(F.count("*"), F.sum("v__f0")).collect()[0]
            took = time.perf_counter() - started
        jvm: Any = spark._jvm  # pyspark has no way to ask for the process
        java = jvm.java.lang.ProcessHandle.current().pid()
        workers = sum(peak_megabytes(worker) for worker in list_children(java))
        megabytes = {"jvm": peak_megabytes(java), "python": peak_megabytes("self"), "workers": workers}
        return {**megabytes, "seconds": took, "rows": number, "sum": total}


def measure_apart(root: Path, rows: int) -> dict[str, float]:
    """The same in a new process."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_lookup_memory", str(root), str(rows)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    print(f"{rows} rows: {found}", file=sys.stderr)
    return found


def join_in_duckdb(root: Path, rows: int, megabytes: float) -> dict[str, Any]:
    """ASOF JOIN of the same files by two threads in so much memory, spilling to disk as it can; `failed` is what it says where it cannot."""
    folder = root / f"rows_{rows}"
    sums = ", ".join(f"sum(CASE WHEN f.timestamp >= m.at - INTERVAL 30 DAY THEN f{n} END)" for n in range(COLUMNS))
    with duckdb.connect(str(root / "spill.duckdb")) as connection:
        connection.execute(f"SET threads = 2; SET memory_limit = '{megabytes:.0f}MB'")
        started = time.perf_counter()
        try:
            found = connection.execute(
                f"SELECT count(*), {sums} FROM '{folder}/spine/*.parquet' m ASOF LEFT JOIN '{folder}/features_v/*.parquet' f "
                "ON m.customer = f.customer AND m.at >= f.timestamp"
            ).fetchone()
        except duckdb.Error as error:
            return {"failed": str(error).splitlines()[0]}
        assert found is not None
        return {"seconds": time.perf_counter() - started, "rows": found[0], "sum": found[1]}


def main() -> None:
    """Make both sizes, look both up, and join the large one in DuckDB."""
    arguments = read_arguments("bench_lookup_memory", rows=50_000_000, repeat=1)
    small, large = arguments.rows // PARTS, arguments.rows
    with open_bench("lookup_memory_tables", memory="6g") as (spark, _, root):
        for rows in (small, large):
            make_tables(find_lake(spark, root, rows), rows=rows, columns=COLUMNS, busy=False)
        spark.stop()
        ours = {rows: measure_apart(root, rows) for rows in (small, large)}
        megabytes = {rows: sum(found[name] for name in _PROCESSES) for rows, found in ours.items()}
        peer = join_in_duckdb(root, large, megabytes[large])
        print(f"DuckDB in {megabytes[large]:.0f} MB: {peer}", file=sys.stderr)
        equal = "failed" in peer or (
            peer["rows"] == ours[large]["rows"] and abs(peer["sum"] - ours[large]["sum"]) < 1e-6 * peer["rows"]
        )
        goals = [
            Goal(f"seconds by those of a {PARTS}th", ours[large]["seconds"] / ours[small]["seconds"], PARTS, True),
            Goal(f"peak memory by that of a {PARTS}th", megabytes[large] / megabytes[small], 1.5, True),
        ]
        seconds = {"ours": [ours[large]["seconds"]], f"a {PARTS}th of the rows": [ours[small]["seconds"]]}
        if "seconds" in peer:
            seconds["duckdb in as much memory"] = [peer["seconds"]]
        print_result("lookup_memory", large, seconds, equal=equal, goals=goals)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("/"):
        print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
    else:
        main()
