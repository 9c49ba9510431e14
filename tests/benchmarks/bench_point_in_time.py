"""The point-in-time lookup against the ways that a user would take without it: in Spark, and DuckDB's ASOF JOIN in one process.

Twice: with even keys, and with one key that has 30 % of the moments and rows. Every way gives the same rows.
"""

import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import duckdb
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.features import join_point_in_time
from sparkml_ops.lake import Lake, read_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn
from tests.benchmarks.lookup_data import BUSY_KEY, SPARK_METHODS, digest, make_tables, open_view

if TYPE_CHECKING:
    from collections.abc import Callable

SLOW_WHEN_BUSY = {"row_number", "feast"}  # they join every moment of the busy key with every row of it


def look_up(lake: Lake) -> DataFrame:
    return join_point_in_time(read_table(lake, "spine"), [open_view(lake)], timestamp="at")


def write(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def join_in_duckdb(lake: Lake) -> tuple[int, float]:
    """ASOF JOIN of the same files by two threads, into a table in memory; rows, and the sum of a feature."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        columns = [name for name in read_table(lake, "features_v").columns if name.startswith("f")]
        young = ", ".join(
            f"CASE WHEN f.timestamp >= m.at - INTERVAL 30 DAY THEN {name} END AS {name}" for name in columns
        )
        connection.execute(
            f"CREATE TABLE joined AS SELECT m.*, {young} FROM '{lake.root}/spine/*.parquet' m "
            f"ASOF LEFT JOIN '{lake.root}/features_v/*.parquet' f ON m.customer = f.customer AND m.at >= f.timestamp"
        )
        found = connection.execute("SELECT count(*), sum(f0) FROM joined").fetchone()
        assert found is not None
        return int(found[0]), float(found[1])


def compare(lake: Lake, *, busy: bool, repeat: int) -> tuple[dict[str, list[float]], bool]:
    """Seconds of each way, and whether all gave the same."""
    moments, rows = read_table(lake, "spine"), read_table(lake, "features_v")
    peers = {name: method for name, method in SPARK_METHODS.items() if not (busy and name in SLOW_WHEN_BUSY)}
    methods: dict[str, Callable[[], object]] = {"ours": lambda: write(look_up(lake))}
    methods |= {name: lambda method=method: write(method(moments, rows)) for name, method in peers.items()}
    methods["duckdb"] = lambda: join_in_duckdb(lake)
    seconds = time_in_turn(methods, repeat=repeat)
    ours = look_up(lake)
    number, total = join_in_duckdb(lake)
    sums = ours.agg(F.count("*"), F.sum("v__f0")).collect()[0]
    equal = {digest(ours)} == {digest(method(moments, rows)) for method in peers.values()}
    return seconds, equal and sums[0] == number and abs(sums[1] - total) < 1e-6 * number


def share_of_largest_task(lake: Lake) -> float:
    """Of the busy key's moments, the share that the task with most of them has."""
    by_task = look_up(lake).where(F.col("customer") == BUSY_KEY).groupBy(F.spark_partition_id()).count()
    counts = [row["count"] for row in by_task.collect()]
    return max(counts) / sum(counts)


def main() -> None:
    arguments = read_arguments("bench_point_in_time", rows=5_000_000)
    with open_bench("point_in_time", memory="6g") as (spark, _, root):
        lakes = {busy: Lake(spark, str(Path(root) / "lake" / f"busy_{busy}"), None, "bench") for busy in (False, True)}
        found = {}
        for busy, lake in lakes.items():
            make_tables(lake, rows=arguments.rows, columns=5, busy=busy)
            print(f"{'one busy key' if busy else 'even keys'}:", file=sys.stderr)
            found[busy] = compare(lake, busy=busy, repeat=arguments.repeat)
        even, busy_seconds = found[False][0], found[True][0]
        fastest = min(SPARK_METHODS, key=lambda name: median(even[name]))
        goals = [
            Goal(
                f"even keys: times as fast as the fastest way in Spark ({fastest})",
                ratio_of(even, fastest, "ours"),
                1.0,
            ),
            Goal("even keys: times as fast as Feast's shape", ratio_of(even, "feast", "ours"), 4.0),
            Goal("even keys: times as fast as join and row_number", ratio_of(even, "row_number", "ours"), 2.0),
            Goal("even keys: seconds by DuckDB's", ratio_of(even, "ours", "duckdb"), 4.0, is_limit=True),
            Goal(
                "busy key: seconds by those of even keys",
                median(busy_seconds["ours"]) / median(even["ours"]),
                1.6,
                is_limit=True,
            ),
            Goal("busy key: times as fast as merge_asof", ratio_of(busy_seconds, "merge_asof", "ours"), 1.0),
            Goal("busy key: share of it that one task has", share_of_largest_task(lakes[True]), 0.5, is_limit=True),
        ]
        seconds = even | {f"{name}, busy key": taken for name, taken in busy_seconds.items()}
        print_result("point_in_time", arguments.rows, seconds, equal=found[False][1] and found[True][1], goals=goals)


if __name__ == "__main__":
    main()
