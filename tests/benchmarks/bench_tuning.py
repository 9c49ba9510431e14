"""What a search costs beside its fits, and what a second trial at a time brings.

The same parameters are fitted and scored three ways: in a bare loop over the rows in memory, by the search with one trial at a time, and with two.
The rows are mapped into memory; each of the twelve trials takes about five seconds. Hyperopt's own SparkTrials runs an objective that does the same. Run as
`python -m tests.benchmarks.bench_tuning [--rows N] [--repeat K]`.
"""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from sparkml_ops.config.search import Search
from sparkml_ops.lake import Lake
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.estimators import FitSettings, lightgbm
from sparkml_ops.training.search import run_search
from sparkml_ops.training.trial_store import TrialStore
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn

COLUMNS, TRIALS = 30, 12
SETTINGS = FitSettings(
    "lightgbm", {"num_iterations": 220, "num_leaves": 31, "learning_rate": 0.05}, "log_loss", 0, 1000, []
)
SPACE = {"lambda_l2": {"uniform": [0, 1]}}


def write_rows(folder: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(rows, COLUMNS))
    label = (random.random(rows) < 1 / (1 + np.exp(-features[:, :5].sum(axis=1)))).astype(float)
    columns = {f"x{number}": features[:, number] for number in range(COLUMNS)}
    beside = {
        "_label": label,
        "_is_valid": np.arange(rows) % 5 == 0,
        "_time": np.arange(rows),
        "_tie": np.zeros(rows, np.int64),
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns | beside), folder / "part-0.parquet")


def make_search(parallelism: int) -> Search:
    return Search.model_validate(
        {"max_trials": TRIALS, "parallelism": parallelism, "algorithm": "random", "space": SPACE}, strict=False
    )


def fit_in_a_loop(task: TrialTask) -> None:
    """As a script does: the rows are read and binned once, then fitted so often."""
    lightgbm._load_binned.cache_clear()
    for number in range(TRIALS):
        outcome = try_params(task, {"lambda_l2": number / TRIALS})
        assert "loss" in outcome, outcome


def search(task: TrialTask, lake: Lake, parallelism: int) -> None:
    store = TrialStore(lake, f"search-{time.time_ns()}", "run", "ts")
    trials = run_search(task, make_search(parallelism), lake.spark, on_finished=lambda trial: store.add([trial]))
    assert [trial.status for trial in trials] == ["ok"] * TRIALS


def search_by_spark_trials(task: TrialTask, spark: SparkSession, parallelism: int) -> None:
    from hyperopt import SparkTrials, fmin, hp, rand

    fmin(
        lambda drawn: {"status": "ok", "loss": try_params(task, drawn)["loss"]},
        {"lambda_l2": hp.uniform("lambda_l2", 0, 1)},
        algo=rand.suggest,
        max_evals=TRIALS,
        trials=SparkTrials(parallelism=parallelism, spark_session=spark),
        rstate=np.random.default_rng(0),
        verbose=False,
    )


def main() -> None:
    arguments = read_arguments("bench_tuning", rows=200_000, repeat=1)
    with open_bench("tuning", memory="2g") as (spark, _, root):
        write_rows(root / "rows", arguments.rows)
        task = TrialTask(str(root / "rows"), replace(SETTINGS))
        lake = Lake(spark, str(root / "lake"), None, "bench")
        seconds = time_in_turn(
            {
                "bare loop": lambda: fit_in_a_loop(task),
                "ours, one at a time": lambda: search(task, lake, 1),
                "ours": lambda: search(task, lake, 2),
                "SparkTrials, one at a time": lambda: search_by_spark_trials(task, spark, 1),
                "SparkTrials, two at a time": lambda: search_by_spark_trials(task, spark, 2),
            },
            repeat=arguments.repeat,
        )
        print(f"a trial takes {median(seconds['bare loop']) / TRIALS:.2f} s")
        goals = [
            Goal(
                "seconds of a search by those of the bare fits",
                ratio_of(seconds, "ours, one at a time", "bare loop"),
                1.15,
                True,
            ),
            Goal("throughput of two at a time by that of one", ratio_of(seconds, "ours, one at a time", "ours"), 1.6),
        ]
        print_result("tuning", arguments.rows, seconds, equal=True, goals=goals)


if __name__ == "__main__":
    main()
