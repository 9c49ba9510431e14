"""A thousand models of a thousand rows each, beside a loop on the driver that fits each within an MLflow run of its own.

Both fit each segment on its rows of train, stopped early by its rows of valid, judge it there, and fit it again on both. Ours begins where a
training does when its search is over: rows are written as Parquet, and not mapped yet; it ends with a package on disk. The loop has all rows
sorted by segment in memory, and logs parameters, the metric and the model: once by `log_model`, so that it can be loaded, and once as text, which is the
cheapest that a loop can do. It runs over `--looped` segments, and its seconds are scaled up to all of them: `--looped` as many as `--segments` scales nothing. Run as `python -m tests.benchmarks.bench_segments [--segments N] [--rows N]
[--looped N] [--repeat K]`; rows are of one segment.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.segments import SegmentBy
from sparkml_ops.models import EncodedColumn, FeatureEncoder, PackagedModel, prepare_tracking, save_package
from sparkml_ops.models.segments import SegmentColumn
from sparkml_ops.training.estimators import FitSettings
from sparkml_ops.training.estimators import lightgbm as estimator
from sparkml_ops.training.matrix import map_matrix, unmap_matrix
from sparkml_ops.training.segments import GlobalFits, fit_levels
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, time_in_turn

COLUMNS = 20
PARAMS = {"num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 20}
SETTINGS = FitSettings("lightgbm", {**PARAMS, "num_iterations": 200}, "log_loss", 0, 20, [])
ENCODER = FeatureEncoder(tuple(EncodedColumn(f"x{at}", "numeric") for at in range(COLUMNS)))


def make_rows(segments: int, rows: int) -> dict[str, np.ndarray]:
    """Each segment has a direction of its own; the last fifth of its rows is to tune on."""
    random = np.random.default_rng(0)
    of_segment = np.repeat(np.arange(segments), rows)
    features = random.normal(size=(len(of_segment), COLUMNS))
    directions = random.normal(size=(segments, COLUMNS))
    logit = np.einsum("ij,ij->i", features, directions[of_segment])
    label = (random.random(len(of_segment)) < 1 / (1 + np.exp(-logit))).astype(float)
    at = np.tile(np.arange(rows), segments)
    return {"segment": of_segment, "features": features, "label": label, "is_valid": at >= rows * 0.8, "at": at}


def write_rows(folder: Path, made: dict[str, np.ndarray]) -> None:
    """As `write_matrix` does, in an order that has nothing to do with segments."""
    order = np.random.default_rng(1).permutation(len(made["label"]))
    columns: dict[str, Any] = {f"x{at}": made["features"][order, at] for at in range(COLUMNS)}
    columns |= {
        "_label": made["label"][order],
        "_is_valid": made["is_valid"][order],
        "_time": made["at"][order] * 3_600_000_000,
        "_tie": made["segment"][order],
        "_segment0_shop": pa.array([f"s{number}" for number in made["segment"][order]]),
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "part-0.parquet")


def fit_ours(spark: SparkSession, folder: Path, fits: GlobalFits, package: Path) -> int:
    unmap_matrix(str(folder))
    asked = SegmentBy(columns=["shop"], minimum_rows=50)
    family = fit_levels(spark, fits, SETTINGS, asked, columns=[SegmentColumn("shop", "text")], folder=str(folder))
    save_package(family.model, package)
    return len(family.model.family.names) if family.model.family else 0


def fit_in_a_loop(
    environment: Environment, made: dict[str, np.ndarray], size: tuple[int, int], *, as_text: bool
) -> None:
    """What people write: a run for each segment, two fits, and the model logged with it."""
    import mlflow

    looped, rows = size
    prepare_tracking(environment)
    mlflow.set_tracking_uri(environment.mlflow.tracking_uri)
    mlflow.set_experiment("loop")
    params = {**PARAMS, "objective": "binary", "verbosity": -1, "deterministic": True, "force_row_wise": True}
    for number in range(looped):
        part = slice(number * rows, (number + 1) * rows)
        features, label, is_valid = made["features"][part], made["label"][part], made["is_valid"][part]
        with mlflow.start_run(run_name=f"s{number}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            train = lightgbm.Dataset(features[~is_valid], label[~is_valid])
            valid = lightgbm.Dataset(features[is_valid], label[is_valid], reference=train)
            stop = lightgbm.early_stopping(20, verbose=False)
            judged = lightgbm.train(params, train, 200, valid_sets=[valid], callbacks=[stop])
            mlflow.log_params(PARAMS)
            mlflow.log_metric("log_loss", judged.best_score["valid_0"]["binary_logloss"])
            final = lightgbm.train(params, lightgbm.Dataset(features, label), judged.best_iteration)
            if as_text:
                mlflow.log_text(final.model_to_string(), "model.txt")
            else:
                mlflow.lightgbm.log_model(final, name="model")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_segments")
    for name, default in {"segments": 1000, "rows": 1000, "looped": 20, "repeat": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with open_bench("segments", memory="3g") as (spark, environment, root):
        made = make_rows(asked.segments, asked.rows)
        write_rows(root / "rows", made)
        matrix = map_matrix(str(root / "rows"))
        fitted = [estimator.fit_final(part, SETTINGS, 50) for part in (matrix.rows, matrix.train)]
        alone = [PackagedModel("bench", "binary", "lightgbm", ENCODER, one) for one in fitted]
        fits, kept = GlobalFits(alone[0], alone[1], 50), []
        size = (min(asked.looped, asked.segments), asked.rows)
        seconds = time_in_turn(
            {
                "ours": lambda: kept.append(fit_ours(spark, root / "rows", fits, root / "package")),
                "loop": lambda: fit_in_a_loop(environment, made, size, as_text=False),
                "loop, text alone": lambda: fit_in_a_loop(environment, made, size, as_text=True),
            },
            repeat=asked.repeat,
        )
        scale = asked.segments / size[0]
        seconds |= {name: [taken * scale for taken in seconds[name]] for name in seconds if name != "ours"}
        print(f"{kept[-1]} of {asked.segments} segments have a model of their own; loops are scaled up by {scale:g}")
        print(f"the loop that logs text takes {ratio_of(seconds, 'loop, text alone', 'ours'):.1f} times ours")
        goal = Goal("seconds of a loop of MLflow runs by ours", ratio_of(seconds, "loop", "ours"), 5)
        same = len(set(kept)) == 1  # each turn keeps as many; which models are better the loop does not ask
        print_result("segments", asked.segments * asked.rows, seconds, equal=same, goals=[goal])


if __name__ == "__main__":
    main()
