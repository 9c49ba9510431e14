"""Windowed aggregates, built and looked up, against the self-join that a user would write.

Count, sum, mean and greatest amount of a customer's events over the last hour, day and week, for as many moments as there are events, as
where each event asks for a decision. Ours builds the feature table (a row per change point, in Delta) and looks the moments up in it; the
peer joins the moments with the events of the last week of the same customer and aggregates conditionally: one join for all windows. Both
write their result, and the results are compared. Customers are alike (500 events in 90 days), or one of them has 30 % of the events and of
the moments. Run as `python -m tests.benchmarks.bench_windows [--rows N] [--repeat K]`.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.features import FeatureView
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.definitions import features_table
from sparkml_ops.features.entity_hash import GROUP_BYTES
from sparkml_ops.features.lookup import take_rows
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.lake import Lake, grouping_rows, has_plain_files, read_table, replace_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn

EVENTS_PER_CUSTOMER = 500
DAYS = 90
START = 1_700_000_000
WINDOWS = {"1h": 3_600, "1d": 86_400, "7d": 604_800}
OPS = ("count", "sum", "mean", "max")
SKEWED = 0.3
SHARES = {"uniform": 0.0, "skewed": SKEWED}
FEWER = {"uniform": 1, "skewed": 5}
"""The self-join's time grows with the square of a customer's rows: with one customer of 30 % both get a fifth of them."""

VIEW = FeatureView.model_validate(
    {
        "entity": ["customer"],
        "timestamp": "at",
        "from": "events",
        "aggregate": [{"of": "amount", "ops": list(OPS), "windows": list(WINDOWS)}],
    }
)


def make_rows(spark: SparkSession, rows: int, *, seed: int, skew: float, customers: int) -> DataFrame:
    """Events or moments: a customer, a time of 90 days, and a whole amount, so that sums are exact in any order."""
    draw = F.pmod(F.xxhash64("id", F.lit(seed)), F.lit(1_000_000)) / 1_000_000
    number = F.pmod(F.xxhash64("id", F.lit(seed + 1)), F.lit(customers))
    micros = F.pmod(F.xxhash64("id", F.lit(seed + 2)), F.lit(DAYS * 86_400_000_000))
    return spark.range(0, rows, 1, 4).select(
        F.when(draw < skew, F.lit("c-hot")).otherwise(F.format_string("c%07d", number)).alias("customer"),
        F.timestamp_micros(F.lit(START * 1_000_000) + micros).alias("at"),
        F.pmod(F.xxhash64("id", F.lit(seed + 3)), F.lit(1_000)).cast("double").alias("amount"),
    )


def build_and_look_up(lake: Lake, events: DataFrame, moments: DataFrame, *, out: Path) -> None:
    """Our way: the table of the view, and the lookup."""
    started = time.perf_counter()
    name = f"features_{time.time_ns()}"
    with grouping_rows(lake, GROUP_BYTES):
        replace_table(lake, features_table("spending"), compute_features(events, VIEW, name="spending"), write_id=name)
    print(f"  built in {time.perf_counter() - started:.2f} s", file=sys.stderr)
    rows = read_table(lake, features_table("spending"))
    view = replace(take_rows("spending", VIEW, rows), has_plain_files=has_plain_files(lake, features_table("spending")))
    found = join_point_in_time(moments, [view], timestamp="at")
    found.write.mode("overwrite").parquet(str(out))


def join_with_itself(events: DataFrame, moments: DataFrame, *, out: Path) -> None:
    """The user's way."""
    longest = max(WINDOWS.values())
    event, moment = events.alias("event"), moments.alias("moment")
    age = F.unix_micros("moment.at") - F.unix_micros("event.at")
    joined = moment.join(
        event,
        (F.col("event.customer") == F.col("moment.customer"))
        & (F.col("event.at") <= F.col("moment.at"))
        & (F.col("event.at") > F.col("moment.at") - F.expr(f"INTERVAL {longest} SECONDS")),
        "left",
    ).select("moment.id", "moment.customer", "moment.at", F.col("event.amount").alias("amount"), age.alias("age"))
    figures = []
    for operation in OPS:
        for window, seconds in WINDOWS.items():
            inside = F.when(F.col("age") < F.lit(seconds * 1_000_000), F.col("amount"))
            figure = {"count": F.count, "sum": F.sum, "mean": F.mean, "max": F.max}[operation](inside)
            figures.append(figure.alias(f"spending__amount_{operation}_{window}"))
    joined.groupBy("id", "customer", "at").agg(*figures).write.mode("overwrite").parquet(str(out))


def summarise(spark: SparkSession, out: Path) -> tuple[object, ...]:
    """Count and hash of a result."""
    hashed = F.xxhash64("id", "at", *(f"spending__{column}" for column in VIEW.column_names()))
    return tuple(spark.read.parquet(str(out)).agg(F.count(hashed), F.bit_xor(hashed)).first() or ())


def make_methods(
    spark: SparkSession, environment: Environment, root: Path, *, rows: int
) -> dict[str, Callable[[], None]]:
    """Both ways, for both kinds of customers."""
    methods: dict[str, Callable[[], None]] = {}
    for kind, skew in SHARES.items():
        events_there = rows // FEWER[kind]
        customers = max(events_there // EVENTS_PER_CUSTOMER, 1)
        inputs = {}
        for number, (name, count) in enumerate({"events": events_there, "moments": events_there}.items()):
            made = make_rows(spark, count, seed=10 * number, skew=skew, customers=customers)
            made.withColumn("id", F.monotonically_increasing_id()).write.parquet(str(root / kind / name))
            inputs[name] = spark.read.parquet(str(root / kind / name))
        lake = Lake(spark, str(root / "lake" / kind), None, kind, frozenset({"events"}))
        events, moments = inputs["events"], inputs["moments"].select("id", "customer", "at")
        ours, theirs = root / kind / "ours", root / kind / "self-join"
        methods["ours" if kind == "uniform" else f"ours, {kind}"] = (
            lambda lake=lake, events=events, moments=moments, out=ours: build_and_look_up(  # type: ignore[misc]
                lake, events, moments, out=out
            )
        )
        methods[f"self-join{'' if kind == 'uniform' else f', {kind}'}"] = (
            lambda events=events, moments=moments, out=theirs: join_with_itself(events, moments, out=out)  # type: ignore[misc]
        )
    return methods


def main() -> None:
    """Time both, compare what they wrote, print the figures."""
    arguments = read_arguments("bench_windows", rows=500_000)
    with open_bench("windows", memory="6g") as (spark, environment, root):
        methods = make_methods(spark, environment, root, rows=arguments.rows)
        seconds = time_in_turn(methods, repeat=arguments.repeat)
        equal = all(len({summarise(spark, root / kind / way) for way in ("ours", "self-join")}) == 1 for kind in SHARES)
        goals = [
            Goal("uniform: speed by that of the self-join", round(ratio_of(seconds, "self-join", "ours"), 2), 3.0),
            Goal(
                "one customer with 30 %: speed by that of the self-join",
                round(ratio_of(seconds, "self-join, skewed", "ours, skewed"), 2),
                3.0,
            ),
        ]
        print_result("windows", arguments.rows, seconds, equal=equal, goals=goals)


if __name__ == "__main__":
    main()
