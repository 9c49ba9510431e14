"""Ingestion under a contract of ten rules, with quarantine and ledger, against Spark's bare read-and-write of the same files.

Run as `python -m tests.benchmarks.bench_ingest [--rows N] [--repeat K]`.
"""

import shutil
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, read_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn

SCHEMA = (
    "order_id bigint, customer string, amount double, quantity int, category string, country string, ordered_at timestamp, "
    "day date, is_new boolean, note string"
)
ONE_BAD_IN = 1000
RULES = {
    "order_id": {"type": "long", "between": [0, 10_000_000_000]},
    "customer": {"type": "string", "matches": "c[0-9]{6}"},
    "amount": {"type": "double", "between": [0, 100_000]},
    "quantity": {"type": "int", "between": [1, 100]},
    "category": {"type": "string", "in": ["books", "clothing", "garden", "shoes"]},
    "country": {"type": "string", "length": [2, 2]},
    "ordered_at": {"type": "timestamp"},
    "day": {"type": "date"},
    "is_new": {"type": "boolean"},
    "note": {"type": "string", "nullable": True, "length": [0, 40]},
}
"""Beside these limits, types and nulls are looked at in every column, and two rules over whole rows."""


def write_orders(spark: SparkSession, folder: Path, rows: int) -> None:
    """CSV with a header; one row in a thousand has an amount that is no number."""
    number = F.col("id")
    orders = spark.range(rows).select(
        number.alias("order_id"),
        F.format_string("c%06d", F.pmod(F.xxhash64(number), F.lit(100_000))).alias("customer"),
        F.when(F.pmod(number, F.lit(ONE_BAD_IN)) == ONE_BAD_IN - 1, F.lit("n/a"))
        .otherwise((F.pmod(F.xxhash64(number, F.lit(1)), F.lit(1_000_000)) / 100).cast("string"))
        .alias("amount"),
        (F.pmod(number, F.lit(9)) + 1).alias("quantity"),
        F.element_at(F.array(*map(F.lit, RULES["category"]["in"])), (F.pmod(number, F.lit(4)) + 1).cast("int")).alias(
            "category"
        ),
        F.element_at(F.array(F.lit("DE"), F.lit("US"), F.lit("JP")), (F.pmod(number, F.lit(3)) + 1).cast("int")).alias(
            "country"
        ),
        F.date_format(F.timestamp_seconds(number * 7 + 1_700_000_000), "yyyy-MM-dd HH:mm:ss").alias("ordered_at"),
        F.date_format(F.timestamp_seconds(number * 7 + 1_700_000_000), "yyyy-MM-dd").alias("day"),
        (F.pmod(number, F.lit(2)) == 0).alias("is_new"),
        F.when(F.pmod(number, F.lit(5)) > 0, F.concat(F.lit("a note of the order "), number)).alias("note"),
    )
    orders.coalesce(4).write.option("header", True).csv(str(folder))


def describe(folder: Path, environment: Environment) -> UseCase:
    """The use case with its one source; what comes after ingestion is not looked at."""
    orders = Source.model_validate(
        {
            "path": str(folder),
            "format": "csv",
            "key": ["order_id"],
            "columns": RULES,
            "expect": ["amount <= 100000", "day = to_date(ordered_at)"],
        }
    )
    return UseCase.model_construct(name="bench", sources={"orders": orders}, environment=environment)


def summarise(rows: DataFrame) -> tuple[object, ...]:
    """Count and hash of the good rows, by a scan."""
    hashed = F.xxhash64(*[name for name in rows.columns if not name.startswith("_")])
    good = rows.where("amount IS NOT NULL")
    return tuple(good.agg(F.count(hashed), F.bit_xor(hashed)).first() or ())


def main() -> None:
    """Time both, compare what they wrote, print the figures."""
    arguments = read_arguments("bench_ingest", rows=5_000_000)
    with open_bench("ingest", memory="6g") as (spark, environment, root):
        write_orders(spark, root / "landing", arguments.rows)
        use_case = describe(root / "landing", environment)
        lake = Lake(spark, str(root / "lake" / "bench"), None, "bench", frozenset({"orders"}))
        bare = str(root / "bare")

        def ours() -> None:
            shutil.rmtree(lake.root, ignore_errors=True)
            result = ingest(use_case, lake).sources[0]
            assert result.rows_clean + result.rows_quarantined == result.rows_in == arguments.rows

        def spark_alone() -> None:
            shutil.rmtree(bare, ignore_errors=True)
            rows = spark.read.option("header", True).schema(SCHEMA).csv(str(root / "landing"))
            rows.write.format("delta").save(bare)

        seconds = time_in_turn({"ours": ours, "spark": spark_alone}, repeat=arguments.repeat)
        is_equal = summarise(read_table(lake, "clean_orders")) == summarise(spark.read.format("delta").load(bare))
        share = 1 / ratio_of(seconds, "ours", "spark")
        goal = Goal("rows per second by those of Spark's bare read and write", round(share, 3), 0.75)
        print_result("ingest", arguments.rows, seconds, equal=is_equal, goals=[goal])


if __name__ == "__main__":
    main()
