"""Two ways of doing the same, in turn, in one process: ratios that a noisy machine cannot bend much."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.lake import open_session


@dataclass(frozen=True)
class Goal:
    """A figure, what it should be at least (or at most, where `is_limit`), and whether it is."""

    what: str
    figure: float
    goal: float
    is_limit: bool = False

    @property
    def met(self) -> bool:
        return self.figure <= self.goal if self.is_limit else self.figure >= self.goal


@contextmanager
def open_bench(name: str, *, memory: str) -> Iterator[tuple[SparkSession, Environment, Path]]:
    """A session on two cores, its environment, and a folder that is gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix=f"bench_{name}_"))
    environment = Environment.model_validate(
        {
            "name": "bench",
            "lake": {"root": str(root / "lake")},
            "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db"},
            "spark": {"conf": {"spark.master": "local[2]", "spark.driver.memory": memory}},
        }
    )
    spark = open_session(environment)
    try:
        yield spark, environment, root
    finally:
        spark.stop()
        shutil.rmtree(root)


def read_arguments(name: str, *, rows: int, repeat: int = 3) -> argparse.Namespace:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}")
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--repeat", type=int, default=repeat)
    return parser.parse_args()


def time_in_turn(methods: Mapping[str, Callable[[], object]], *, repeat: int) -> dict[str, list[float]]:
    """Seconds of each method, A B A B …, after one unmeasured call of each."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(repeat + 1):
        for name, method in methods.items():
            started = time.perf_counter()
            method()
            took = time.perf_counter() - started
            print(f"{'warm-up' if turn == 0 else f'turn {turn}'}: {name} {took:.2f} s", file=sys.stderr)
            if turn:
                seconds[name].append(took)
    return seconds


def ratio_of(seconds: Mapping[str, list[float]], slower: str, faster: str) -> float:
    """Median over the turns of the one's seconds by the other's."""
    return median(a / b for a, b in zip(seconds[slower], seconds[faster], strict=True))


def print_result(
    benchmark: str, rows: int, seconds: Mapping[str, list[float]], *, equal: bool, goals: list[Goal]
) -> None:
    """One JSON object, the last line on stdout; `ours` is one of the names."""
    medians = {name: round(median(taken), 3) for name, taken in seconds.items()}
    spread = {name: [round(min(taken), 3), round(max(taken), 3)] for name, taken in seconds.items()}
    document = {
        "benchmark": benchmark,
        "rows": rows,
        "ours_seconds": medians["ours"],
        "peers_seconds": {name: value for name, value in medians.items() if name != "ours"},
        "spread_seconds": spread,
        "equal": equal,
        "goals": [{**{k: v for k, v in asdict(goal).items() if k != "is_limit"}, "met": goal.met} for goal in goals],
    }
    print(json.dumps(document))
