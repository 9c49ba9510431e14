"""What each feature view adds: the flights of 2013, from their files to ROC AUC, with all views, without each of them, and with none.

The tables are made as `sparkml-ops run` makes them. The same LightGBM, with the fixed parameters of `conf/flights.yml` and as many rounds, learns from the parts train and
valid, and is judged on test. What a view adds is the ROC AUC of all views less that without it, with the 95 % interval of a paired bootstrap over the
test rows. `none` has the derived columns of the decision alone. Run as `python -m tests.benchmarks.bench_views`.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.sql import read_expression
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import build_features, create_training_set, read_training_set
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import open_lake
from sparkml_ops.training.prepare import prepare_encoder
from tests.flights_sample import PROJECT

SEED, RESAMPLES = 2013, 200
Floats = NDArray[np.float64]


def make_flights(folder: Path) -> tuple[UseCase, DataFrame, list[str]]:
    """The use case, and the rows and the feature columns of its training set, made from the files."""
    shutil.copytree(PROJECT / "conf", folder / "conf")
    land = [sys.executable, str(PROJECT / "jobs" / "land_flights.py"), str(folder / "data" / "landing")]
    subprocess.run(land, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    use_case = load_use_case("flights", env="local", conf_dir=folder / "conf")
    lake = open_lake(use_case)
    ingest(use_case, lake)
    build_features(use_case, lake)
    made = create_training_set(use_case, lake)
    return use_case, read_training_set(lake, made.version), made.feature_columns


def read_rows(folder: Path) -> tuple[UseCase, list[str], dict[str, tuple[Floats, Floats]], list[int]]:
    """The use case, the encoded columns, features and labels of `fit` and `test`, and which columns hold codes."""
    use_case, rows, feature_columns = make_flights(folder)
    _, encoder = prepare_encoder(use_case, rows, feature_columns)
    by_part = {}
    for part, wanted in {"fit": ("train", "valid"), "test": ("test",)}.items():
        table = rows.where(rows["split"].isin(*wanted)).orderBy(*use_case.dataset.key).toArrow().combine_chunks()
        features = encoder.encode_batch(table.to_batches()[0])
        by_part[part] = features, table["label"].to_numpy().astype(float)
    return use_case, encoder.encoded_columns, by_part, encoder.categorical_positions


def find_views(use_case: UseCase, column: str) -> set[str]:
    """The views that an encoded column is made of; a derived one of those that its expression reads."""
    sql = use_case.dataset.derived.get(column)
    read = (column,) if sql is None else read_expression(sql).columns
    return {name.partition("__")[0] for name in read if "__" in name}


def fit_and_ask(
    use_case: UseCase, parts: dict[str, tuple[Floats, Floats]], kept: Sequence[int], codes: Sequence[int]
) -> Floats:
    """Probabilities of the test rows, by a model that has learned from some columns."""
    import lightgbm

    features, labels = parts["fit"]
    fixed = {
        "objective": "binary",
        "seed": SEED,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "learning_rate": 0.1,
    }
    data = lightgbm.Dataset(
        features[:, kept], labels, categorical_feature=[n for n, at in enumerate(kept) if at in codes]
    )
    booster = lightgbm.train({**use_case.model.params, **fixed}, data)
    answers: Floats = np.asarray(booster.predict(parts["test"][0][:, kept]))
    return answers


def compare(labels: Floats, whole: Floats, less: Floats) -> dict[str, Any]:
    """ROC AUC without something, what that adds, and between which bounds."""
    from sklearn.metrics import roc_auc_score

    chance = np.random.default_rng(SEED)
    gains = []
    for _ in range(RESAMPLES):
        drawn = chance.integers(len(labels), size=len(labels))
        gains.append(roc_auc_score(labels[drawn], whole[drawn]) - roc_auc_score(labels[drawn], less[drawn]))
    lower, upper = np.quantile(gains, [0.025, 0.975])
    without = roc_auc_score(labels, less)
    added = roc_auc_score(labels, whole) - without
    return {
        "without": round(without, 4),
        "adds": round(added, 4),
        "lower": round(float(lower), 4),
        "upper": round(float(upper), 4),
    }


def main() -> None:
    """Make the tables, fit the models, print the figures."""
    from sklearn.metrics import roc_auc_score

    folder = Path(tempfile.mkdtemp(prefix="bench_views_"))
    try:
        use_case, names, parts, codes = read_rows(folder)
        labels = parts["test"][1]
        everything = range(len(names))
        reads = {name: find_views(use_case, name) for name in names}
        whole = fit_and_ask(use_case, parts, everything, codes)
        found: dict[str, Any] = {}
        for view in use_case.dataset.features:
            kept = [at for at in everything if view not in reads[names[at]]]
            found[view] = compare(labels, whole, fit_and_ask(use_case, parts, kept, codes))
            print(f"{view}: {found[view]}", file=sys.stderr)
        bare = [at for at in everything if not reads[names[at]]]
        found["all of them"] = compare(labels, whole, fit_and_ask(use_case, parts, bare, codes))
        document = {"benchmark": "views", "rows": {part: len(rows[1]) for part, rows in parts.items()}}
        print(json.dumps(document | {"roc_auc": round(float(roc_auc_score(labels, whole)), 4), "views": found}))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
