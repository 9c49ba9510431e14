"""What a search finds on the flights of 2013, by Hyperopt as we run it and by Optuna's own loop: five seeds each.

The same rows, the same space (that of `conf/flights.yml`), the same fit and score, the same number of trials. Optuna's own loop tries one trial after
the other, with its defaults; ours runs one at a time too, so that each trial learns from all before. Printed: the best ROC AUC on the tuning
rows for each seed, and seconds. Run as `python -m tests.benchmarks.bench_search_quality [--rows TRIALS] [--repeat SEEDS]`.
"""

import json
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

from pyspark.sql import SparkSession

from sparkml_ops.config.search import Search
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.training.attempts import TrialTask, try_params
from sparkml_ops.training.matrix import unmap_matrix
from sparkml_ops.training.prepare import make_settings, prepare_rows
from sparkml_ops.training.search import run_search
from tests.benchmarks.bench_views import make_flights
from tests.benchmarks.compare import read_arguments

_CLOSE = 0.0005  # of ROC AUC: its standard error on the tuning rows is several times that


def search_ours(task: TrialTask, search: Search, spark: SparkSession) -> float:
    """The least loss."""
    return min(trial.loss for trial in run_search(task, search, spark) if trial.loss is not None)


def search_by_optuna(task: TrialTask, search: Search) -> float:
    """The same by Optuna's own loop, in this process."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: optuna.Trial) -> float:
        drawn: dict[str, Any] = {}
        for name, one in search.space.items():
            low, high, *_ = one.numbers
            if one.kind in ("quniform", "qloguniform"):
                drawn[name] = trial.suggest_int(name, int(low), int(high), log="log" in one.kind)
            else:
                drawn[name] = trial.suggest_float(name, low, high, log="log" in one.kind)
        return float(try_params(task, drawn)["loss"])

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=search.seed))
    study.optimize(objective, n_trials=search.max_trials)
    return study.best_value


def compare(use_case: UseCase, task: TrialTask, spark: SparkSession, *, trials: int, seeds: int) -> dict[str, Any]:
    """Best ROC AUC and seconds of each way, by seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(seeds):
        asked = {"max_trials": trials, "parallelism": 1, "timeout": None, "seed": seed}
        asked_for = use_case.model.search.model_copy(update=asked)
        ways = {
            "hyperopt": partial(search_ours, task, asked_for, spark),
            "optuna's own loop": partial(search_by_optuna, task, asked_for),
        }
        for name, search in ways.items():
            started = time.perf_counter()
            best = 1 - search()
            took = time.perf_counter() - started
            print(f"seed {seed}: {name} {best:.5f} in {took:.0f} s", file=sys.stderr)
            one = found.setdefault(name, {"roc_auc": [], "seconds": []})
            one["roc_auc"].append(round(best, 5))
            one["seconds"].append(round(took, 1))
    return found


def main() -> None:
    """Make the rows, search, print the figures; exit code 1 where Hyperopt is worse."""
    arguments = read_arguments("bench_search_quality", rows=20, repeat=5)
    folder = Path(tempfile.mkdtemp(prefix="bench_search_quality_"))
    try:
        use_case, rows, feature_columns = make_flights(folder)
        matrix = str(folder / "matrix")
        _, encoder = prepare_rows(use_case, rows, feature_columns, folder=matrix)
        task = TrialTask(matrix, make_settings(use_case, encoder))
        try:
            found = compare(use_case, task, rows.sparkSession, trials=arguments.rows, seeds=arguments.repeat)
        finally:
            unmap_matrix(matrix)
        means = {name: round(mean(one["roc_auc"]), 5) for name, one in found.items()}
        seconds = {name: median(one["seconds"]) for name, one in found.items()}
        is_as_good = means["hyperopt"] >= means["optuna's own loop"] - _CLOSE
        document = {"benchmark": "search_quality", "trials": arguments.rows, "mean_roc_auc": means, "seconds": seconds}
        print(json.dumps(document | {"by_seed": found, "met": is_as_good}))
        sys.exit(not is_as_good)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
