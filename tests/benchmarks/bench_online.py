"""Features published to SQLite and to Redis, and asked for over HTTP.

A view of ten columns; of each entity the table has five rows, of which one counts and one comes within the horizon. Timed is a full
publishing to either store, against writing the newest rows to Parquet, which is the least that any publishing has to do; then one in
which one entity in a hundred has changed. Latencies are those of one client with one connection, against a server in a process of its
own: for one entity, and for a hundred in one request.

Run as `python -m tests.benchmarks.bench_online [--rows N] [--repeat K]`; rows are those of the table.
"""

import http.client
import json
import multiprocessing
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, read_table, replace_table
from sparkml_ops.serving.consistency import compare_served
from sparkml_ops.serving.publish import publish_features
from sparkml_ops.serving.server import serve_features
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn
from tests.redis_server import start_redis

ROWS_PER_ENTITY = 5
COLUMNS = 10
NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
REQUESTS, BATCHES, BATCH = 2000, 500, 100
CHANGED = 100  # one entity of so many


def make_use_case(environment: Environment, store: dict[str, str]) -> UseCase:
    source = {"path": "/nowhere/*.csv", "format": "csv", "key": ["id"], "columns": {"id": {"type": "long"}}}
    view = {
        "entity": ["customer"],
        "timestamp": "at",
        "from": "orders",
        "select": {f"f{n}": "1.0" for n in range(COLUMNS)},
        "ttl": "30d",
    }
    return UseCase.model_validate(
        {
            "name": "bench",
            "environment": environment.model_dump(by_alias=True),
            "sources": {"orders": source},
            "features": {"customer": view},
            "dataset": {
                "from": "orders",
                "entity": ["customer"],
                "timestamp": "at",
                "label": "true",
                "features": ["customer"],
                "split": {"by": "hash", "of": ["customer"]},
            },
            "model": {"task": "binary"},
            "scoring": {"from": "orders", "as_of": "at"},
            "serving": {"store": store},
        }
    )


def make_rows(spark: SparkSession, entities: int, *, turn: int) -> DataFrame:
    """The table; from one turn to the next one entity in a hundred has other values."""
    changes = F.when(F.pmod("id", F.lit(CHANGED)) == turn % CHANGED, F.lit(turn)).otherwise(F.lit(0))
    number = F.explode(F.sequence(F.lit(0), F.lit(ROWS_PER_ENTITY - 1))).alias("number")
    hours = F.col("number") - (ROWS_PER_ENTITY - 2)
    at = F.timestamp_seconds(F.lit(int(NOW.timestamp())) + hours * 3600)
    features = [(F.rand(seed=n) + F.col("changes")).alias(f"f{n}") for n in range(COLUMNS)]
    return (
        spark.range(0, entities, 1, 4)
        .select(F.format_string("customer %08d", "id").alias("customer"), changes.alias("changes"), number)
        .select("customer", at.alias("timestamp"), at.alias("_known_at"), *features)
    )


def write_newest(lake: Lake, folder: Path) -> None:
    """The least: the row of each entity that counts, to files."""
    newest = Window.partitionBy("customer").orderBy(F.desc("timestamp"))
    rows = read_table(lake, "features_customer").where(F.col("_known_at") <= F.lit(NOW))
    ranked = rows.withColumn("rank", F.row_number().over(newest)).where("rank = 1")
    ranked.write.mode("overwrite").parquet(str(folder))


@contextmanager
def run_server(use_case: UseCase) -> Iterator[http.client.HTTPConnection]:
    """A server in a process of its own, and a connection to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    asked = {"host": "127.0.0.1", "port": port, "at": NOW}
    process = multiprocessing.get_context("spawn").Process(target=serve_features, args=(use_case,), kwargs=asked)
    process.start()
    try:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            try:
                connection.connect()
                break
            except ConnectionRefusedError:
                assert process.is_alive()
                time.sleep(0.1)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection
        connection.close()
    finally:
        process.terminate()
        process.join()


def time_requests(
    connection: http.client.HTTPConnection, entities: int, *, batch: int, requests: int
) -> dict[str, float]:
    """Milliseconds of a request, median and 99th percentile; every answer is looked at."""
    chance, taken = random.Random(7), []
    for _ in range(requests):
        names = [f"customer {chance.randrange(entities):08d}" for _ in range(batch)]
        started = time.perf_counter()
        if batch == 1:
            connection.request("GET", f"/features/customer?customer={names[0].replace(' ', '%20')}")
        else:
            connection.request(
                "POST", "/features/customer", json.dumps({"entities": [{"customer": name} for name in names]})
            )
        answer = json.loads(connection.getresponse().read())
        taken.append((time.perf_counter() - started) * 1000)
        results = [answer] if batch == 1 else answer["results"]
        assert [(r["entity"]["customer"], r["status"]) for r in results] == [(name, "fresh") for name in names]
    taken = sorted(taken[requests // 10 :])
    return {"p50": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100]}


def main() -> None:
    """Measure, and print one JSON object."""
    given = read_arguments("bench_online", rows=1_000_000)
    entities = given.rows // ROWS_PER_ENTITY
    with open_bench("online", memory="4g") as (spark, environment, root), start_redis() as server:
        lake = Lake(spark, str(root / "lake" / "bench"), None, "bench", frozenset())
        stores: dict[str, dict[str, Any]] = {
            "sqlite": {"kind": "sqlite", "path": str(root / "online.sqlite")},
            "redis": {"kind": "redis", "url": server.url},
        }
        use_cases = {name: make_use_case(environment, store) for name, store in stores.items()}
        turns = count()

        def write_table() -> None:
            turn = next(turns)
            replace_table(lake, "features_customer", make_rows(spark, entities, turn=turn), write_id=str(turn))

        def publish_changes(name: str) -> None:
            done = publish_features(use_cases[name], lake, as_of=NOW).views["customer"]
            assert (done.mode, done.removed) == ("incremental", 0), done

        write_table()
        full = {
            "ours": lambda: publish_features(use_cases["sqlite"], lake, as_of=NOW, full=True),
            "redis": lambda: publish_features(use_cases["redis"], lake, as_of=NOW, full=True),
            "newest_to_parquet": lambda: write_newest(lake, root / "newest"),
        }
        seconds = time_in_turn(full, repeat=given.repeat)
        for name in stores:
            seconds[f"changes_{name}"] = []
        for turn in range(given.repeat + 1):
            write_table()
            for name in stores:
                started = time.perf_counter()
                publish_changes(name)
                if turn:
                    seconds[f"changes_{name}"].append(time.perf_counter() - started)
        equal = all(compare_served(use_case, lake, as_of=NOW).agrees for use_case in use_cases.values())
        goals = [
            Goal("entities published per second, SQLite", entities * given.repeat / sum(seconds["ours"]), 10_000),
            Goal("entities published per second, Redis", entities * given.repeat / sum(seconds["redis"]), 10_000),
            Goal(
                "one changed entity in a hundred against all, SQLite",
                ratio_of(seconds, "changes_sqlite", "ours"),
                1.0,
                is_limit=True,
            ),
        ]
        for name, use_case in use_cases.items():
            with run_server(use_case) as connection:
                for batch, requests, limit in ((1, REQUESTS, 5.0), (BATCH, BATCHES, 25.0)):
                    taken = time_requests(connection, entities, batch=batch, requests=requests)
                    print(f"{name}, {batch} at a time: {taken}", file=sys.stderr)
                    what = f"ms, {name}, {batch} at a time"
                    goals += [
                        Goal(f"p50 {what}", taken["p50"], limit, is_limit=True),
                        Goal(f"p99 {what}", taken["p99"], 4 * limit, is_limit=True),
                    ]
        print_result("online", given.rows, seconds, equal=equal, goals=goals)


if __name__ == "__main__":
    main()
