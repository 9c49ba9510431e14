"""Five in a hundred rows merged by a declared order, counted and balanced, against the bare Delta MERGE of the same rows.

Each turn merges another twentieth of the keys, scattered over the whole table; nine rows of ten are newer than the table's, one is
late. Timed on our side is the step from judged rows to the commit, and once more the whole ingestion of the same rows as a Parquet
file. Run as `python -m tests.benchmarks.bench_merge [--rows N] [--repeat K]`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.ingestion import ingest
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import IS_ROW, apply_contract
from sparkml_ops.ingestion.manifest import stamp_rows
from sparkml_ops.ingestion.merge import judge_changes, write_changes
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.lake import Lake, append_once, read_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn

SHARE = 20  # one key of so many is in a batch
TYPES = {
    "order_id": "long", "at": "timestamp", "customer": "string", "amount": "double", "quantity": "int",
    "category": "string", "country": "string", "day": "date", "is_new": "boolean", "note": "string",
}  # fmt: skip
START = 1_700_000_000


def make_orders(spark: SparkSession, rows: int, *, turn: int) -> DataFrame:
    """The table (turn 0), or the changes of a turn."""
    number, mixed = F.col("id"), F.xxhash64("id")
    orders = spark.range(0, rows, 1, 4)
    other = F.xxhash64("id", F.lit(7))
    is_late = F.pmod(other, F.lit(10)) == 0
    hours = F.lit(0) if turn == 0 else F.when(is_late, F.lit(-1)).otherwise(F.lit(turn))
    if turn:
        # One row in fifty is of a new key.
        orders = orders.where(F.pmod(mixed, F.lit(SHARE)) == turn % SHARE)
        number = F.when(F.pmod(other, F.lit(50)) == 1, number + rows * turn).otherwise(number)
    return orders.select(
        number.alias("order_id"),
        F.timestamp_seconds(START + F.col("id") + hours * 3600).alias("at"),
        F.format_string("c%06d", F.pmod(mixed, F.lit(100_000))).alias("customer"),
        (F.pmod(F.xxhash64("id", F.lit(turn)), F.lit(1_000_000)) / 100).alias("amount"),
        (F.pmod("id", F.lit(9)) + 1).cast("int").alias("quantity"),
        F.element_at(
            F.array(*map(F.lit, ("books", "garden", "shoes"))), (F.pmod("id", F.lit(3)) + 1).cast("int")
        ).alias("category"),
        F.lit("DE").alias("country"),
        F.date_from_unix_date((F.lit(START) / 86400).cast("int")).alias("day"),
        (F.pmod("id", F.lit(2)) == 0).alias("is_new"),
        F.concat(F.lit("a note of the order "), "id").alias("note"),
    )


def describe(folder: Path, environment: Environment) -> UseCase:
    """The use case with its one source; what comes after ingestion is not looked at."""
    orders = Source.model_validate(
        {
            "path": str(folder / "*.parquet"),
            "format": "parquet",
            "mode": "merge",
            "merge": {"order_by": ["at"]},
            "key": ["order_id"],
            "columns": {name: {"type": kind} for name, kind in TYPES.items()},
        }
    )
    return UseCase.model_construct(name="bench", sources={"orders": orders}, environment=environment)


def land(spark: SparkSession, folder: Path, rows: int, *, turn: int) -> None:
    """One Parquet folder of a turn."""
    make_orders(spark, rows, turn=turn).coalesce(4).write.parquet(str(folder / f"turn_{turn}.parquet"))


def make_batch(turn: int) -> Batch:
    """The batch of a turn, without files: its rows are at hand."""
    return Batch(f"orders-{turn}", "orders", "-", "merge", (), datetime.now(UTC), "benchmark")


def summarise(rows: DataFrame) -> tuple[object, ...]:
    """Count and hash of the rows, by a scan."""
    hashed = F.xxhash64(*sorted(TYPES))
    return tuple(rows.agg(F.count(hashed), F.bit_xor(hashed)).first() or ())


def make_methods(spark: SparkSession, root: Path, use_case: UseCase, *, rows: int, turns: int) -> dict[str, Any]:
    """Ours, Delta's and the whole ingestion, each with a table of its own and the rows of all turns at hand."""
    source = use_case.sources["orders"]
    ours = Lake(spark, str(root / "lake" / "ours"), None, "ours", frozenset({"orders"}))
    whole = Lake(spark, str(root / "lake" / "bench"), None, "bench", frozenset({"orders"}))
    land(spark, root / "landing", rows, turn=0)
    ingest(use_case, whole)
    first = read_table(whole, "clean_orders")
    append_once(ours, "clean_orders", first, write_id="first")
    first.write.format("delta").option("delta.enableDeletionVectors", "false").save(str(root / "bare"))
    judged: dict[int, DataFrame] = {}
    for turn in range(1, turns + 1):
        land(spark, root / "later", rows, turn=turn)
        raw = KINDS["parquet"].read(spark, source, sorted(map(str, root.glob(f"later/turn_{turn}.parquet/*.parquet"))))
        judged[turn] = apply_contract(raw, source, name="orders").where(IS_ROW).persist()
        print(f"turn {turn}: {judged[turn].count()} rows", flush=True)
    ours_at, bare_at, whole_at = count(1), count(1), count(1)

    def merge_ours() -> None:
        batch = make_batch(turn := next(ours_at))
        with judge_changes(ours, source, batch, judged[turn]) as changes:
            taken = write_changes(ours, source, batch, changes.where("size(_violations) = 0"))
            assert taken.rows == judged[turn].count()

    def merge_bare() -> None:
        turn = next(bare_at)
        new = stamp_rows(judged[turn], make_batch(turn))
        merge = (
            DeltaTable.forPath(spark, str(root / "bare"))
            .alias("old")
            .merge(new.alias("new"), "old.order_id = new.order_id")
        )
        merge.whenMatchedUpdateAll("new.at > old.at").whenNotMatchedInsertAll().execute()

    def ingest_whole() -> None:
        turn = next(whole_at)
        (root / "later" / f"turn_{turn}.parquet").rename(root / "landing" / f"turn_{turn}.parquet")
        ingest(use_case, whole)

    return {"ours": merge_ours, "delta": merge_bare, "whole ingestion": ingest_whole}


def read_results(spark: SparkSession, root: Path) -> Iterator[DataFrame]:
    """The three tables."""
    for folder in ("lake/ours/clean_orders", "bare", "lake/bench/clean_orders"):
        yield spark.read.format("delta").load(str(root / folder))


def main() -> None:
    """Time all, compare what they wrote, print the figures."""
    arguments = read_arguments("bench_merge", rows=5_000_000)
    with open_bench("merge", memory="6g") as (spark, environment, root):
        use_case = describe(root / "landing", environment)
        methods = make_methods(spark, root, use_case, rows=arguments.rows, turns=arguments.repeat + 1)
        seconds = time_in_turn(methods, repeat=arguments.repeat)
        summaries = {summarise(rows) for rows in read_results(spark, root)}
        goals = [
            Goal(
                "speed of the merge step by that of the bare MERGE",
                round(1 / ratio_of(seconds, "ours", "delta"), 3),
                0.8,
            ),
            Goal(
                "speed of the whole ingestion by that of the bare MERGE",
                round(1 / ratio_of(seconds, "whole ingestion", "delta"), 3),
                0.5,
            ),
        ]
        print_result("merge", arguments.rows, seconds, equal=len(summaries) == 1, goals=goals)


if __name__ == "__main__":
    main()
