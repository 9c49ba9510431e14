"""A feature table brought up to date after 1 % of new events, against building it anew.

Events of a year; the windows are an hour, a day and a week. Each turn appends the events of the next days, 1 % of all, and builds the view as
`sparkml-ops features` does; then it builds it with `--full`. Then the same for a hundred events that come late, of ten customers. Tables are compared after each.
An event makes four rows, 20 million by default. Some four seconds of a build are the same whatever the size (commits, the ledger, what changed), so that with
fewer rows they weigh more: of 20 million 0.13 of the whole, of 50 million (`--rows 12500000`) 0.07.
Run as `python -m tests.benchmarks.bench_increments [--rows N] [--repeat K]`.
"""

import sys
import time
from pathlib import Path
from statistics import median

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features.build import build_view
from sparkml_ops.lake import Lake, append_once, new_run_id, read_table, replace_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments

DAYS, START, EVENTS_PER_CUSTOMER = 365, 1_700_000_000, 500
USE_CASE = UseCase.model_validate(
    {
        "name": "bench",
        "environment": {"lake": {"root": "."}, "mlflow": {"tracking_uri": "sqlite://"}},
        "sources": {
            "events": {
                "path": "*.csv",
                "format": "csv",
                "columns": {"customer": {"type": "string"}},
                "key": ["customer"],
            }
        },
        "features": {
            "spending": {
                "entity": ["customer"],
                "timestamp": "at",
                "from": "clean_events",
                "aggregate": [{"of": "amount", "ops": ["count", "sum", "mean", "max"], "windows": ["1h", "1d", "7d"]}],
            }
        },
        "dataset": {
            "from": "events",
            "entity": ["customer"],
            "key": ["customer"],
            "timestamp": "at",
            "label": "amount > 5",
            "features": ["spending"],
            "split": {"by": "time", "train_until": "2024-01-01", "valid_until": "2024-02-01"},
        },
        "model": {"task": "binary"},
        "scoring": {"from": "events", "as_of": "at"},
    }
)
TABLE = "features_spending"


def make_events(
    spark: SparkSession, rows: int, *, seed: int, first_day: float, days: float, customers: int
) -> DataFrame:
    """Events of some days, spread evenly over customers and time."""
    number = F.pmod(F.xxhash64("id", F.lit(seed)), F.lit(customers))
    micros = F.pmod(F.xxhash64("id", F.lit(seed + 1)), F.lit(int(days * 86_400_000_000)))
    return spark.range(0, rows, 1, 4).select(
        F.format_string("c%07d", number).alias("customer"),
        F.timestamp_micros(F.lit(START * 1_000_000 + int(first_day * 86_400_000_000)) + micros).alias("at"),
        F.pmod(F.xxhash64("id", F.lit(seed + 2)), F.lit(1_000)).cast("double").alias("amount"),
    )


def summarise(lake: Lake) -> tuple[object, ...]:
    """Count and hash of the view's table."""
    rows = read_table(lake, TABLE)
    hashed = F.xxhash64(*rows.columns)
    return tuple(rows.agg(F.count(hashed), F.bit_xor(hashed)).first() or ())


def build(lake: Lake, *, full: bool) -> float:
    """Seconds that it took."""
    started = time.perf_counter()
    build_view(USE_CASE, lake, name="spending", full=full, run_id=new_run_id())
    return time.perf_counter() - started


def run(spark: SparkSession, root: Path, rows: int, repeat: int) -> tuple[dict[str, list[float]], bool]:
    """Seconds of both ways, after one unmeasured turn of each; and whether the tables were equal."""
    lake = Lake(spark, str(root / "lake" / "bench"), None, "bench", frozenset({"events"}))
    customers, share = max(rows // EVENTS_PER_CUSTOMER, 1), 0.01
    first = make_events(spark, rows, seed=1, first_day=0, days=DAYS, customers=customers)
    replace_table(lake, "clean_events", first.sortWithinPartitions("at"), write_id="first")
    build(lake, full=True)
    seconds: dict[str, list[float]] = {"ours": [], "late": [], "whole": []}
    equal = True
    for turn in range(repeat + 1):
        begins = DAYS * (1 + share * turn)
        new = make_events(
            spark, int(rows * share), seed=100 + turn, first_day=begins, days=DAYS * share, customers=customers
        )
        late = make_events(spark, 100, seed=200 + turn, first_day=100, days=2, customers=10)
        for name, events in {"ours": new, "late": late}.items():
            append_once(lake, "clean_events", events.coalesce(1), write_id=f"{name}-{turn}")
            took = build(lake, full=False)
            print(f"turn {turn}: {name} {took:.2f} s", file=sys.stderr)
            seconds[name] += [took] if turn else []
        before = summarise(lake)
        took = build(lake, full=True)
        print(f"turn {turn}: whole {took:.2f} s", file=sys.stderr)
        seconds["whole"] += [took] if turn else []
        equal = equal and before == summarise(lake)
    return seconds, equal


def main() -> None:
    """Time both, compare the tables, print the figures."""
    arguments = read_arguments("bench_increments", rows=5_000_000, repeat=2)
    with open_bench("increments", memory="6g") as (spark, _, root):
        seconds, equal = run(spark, root, arguments.rows, arguments.repeat)
        goals = [
            Goal(
                "seconds after 1 % of new events, by those of the whole",
                round(ratio_of(seconds, "ours", "whole"), 3),
                0.1,
                True,
            ),
            Goal(
                "seconds after a hundred late events, by those of the whole",
                round(ratio_of(seconds, "late", "whole"), 3),
                0.1,
                True,
            ),
        ]
        print(f"medians: { ({name: median(taken) for name, taken in seconds.items()}) }", file=sys.stderr)
        print_result("increments", arguments.rows, seconds, equal=equal, goals=goals)


if __name__ == "__main__":
    main()
