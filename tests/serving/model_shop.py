"""A shop whose champion is served: real models of each task, registered, and a project on disk that a process can serve."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import lightgbm
import numpy as np
import yaml
from online_shop import TOKEN, shop_config

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import (
    FeatureEncoder,
    ModelVersion,
    PackagedModel,
    Tracking,
    open_experiment,
    register_model,
    start_run,
)
from sparkml_ops.models.encoder import EncodedColumn

TOWNS = ("Bonn", "Köln", "Ulm")
COLUMNS = (
    EncodedColumn("spending__amount_sum_1h", "numeric"),
    EncodedColumn("spending__amount_count_1h", "numeric", fill=2.0, flag=True),
    EncodedColumn("profile__town", "categorical", levels=TOWNS),
    EncodedColumn("hour", "numeric"),
    EncodedColumn("buyer", "categorical", levels=("ann", "bob"), others=True),
)
CLASSES = ("cash", "card", "none")


def train(task: str, seed: int) -> PackagedModel:
    """A small booster that has really learned, from rows drawn by the seed."""
    random = np.random.default_rng(seed)
    classes = CLASSES if task == "multiclass" else ()
    encoder = FeatureEncoder(COLUMNS, classes)
    rows = 600
    matrix = np.column_stack([random.normal(10, 8, rows), random.integers(0, 3, rows), random.integers(0, 3, rows),
                              random.integers(0, 24, rows), random.integers(0, 3, rows), random.integers(0, 2, rows)]).astype(float)  # fmt: skip
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    signal_ = np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 3]) + random.normal(0, 3, rows)
    label = {"binary": signal_ > 20, "regression": signal_, "multiclass": np.digitize(signal_, [15, 25])}[task]
    params = {"objective": task, "num_leaves": 7, "verbosity": -1, "num_threads": 1, "seed": seed}
    params |= {"num_class": len(classes)} if classes else {}
    booster = lightgbm.train(params, lightgbm.Dataset(matrix, label.astype(float), categorical_feature=[2, 4]), 15)
    metadata = {
        "training_set_version": "ts",
        "write_id": f"{task}{seed}",
        "operating_point": {"threshold": {"value": 0.4}},
    }
    return PackagedModel("shop", task, "lightgbm", encoder, booster, metadata)


def register(tracking: Tracking, model: PackagedModel) -> ModelVersion:
    run = start_run(tracking, open_experiment(tracking, model.name), name="train")
    return register_model(tracking, model, run_id=run)


def write_project(root: Path) -> Path:
    """The shop with a derived column that is SQL, and one that is another column's second name."""
    config = shop_config(root, token="${env:ONLINE_TOKEN}", max_batch=500)
    environment = config.pop("environment") | {"mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db"}}
    columns = {"customer": "string", "town": "string", "amount": "double"}
    config["sources"]["orders"]["columns"] |= {name: {"type": kind} for name, kind in columns.items()}
    config["sources"]["orders"]["columns"] |= {
        name: {"type": "timestamp"} for name in ("paid_at", "moved_at", "ordered_at")
    }
    config["dataset"] |= {"derived": {"hour": "hour(ordered_at)", "buyer": "customer"}, "key": ["order_id"]}
    folder = root / "conf"
    folder.mkdir(parents=True)
    (folder / "base.yml").write_text(yaml.safe_dump(environment))
    (folder / "local.yml").write_text("name: local\n")
    (folder / "shop.yml").write_text(yaml.safe_dump(config))
    return folder


def load_shop(folder: Path) -> UseCase:
    return load_use_case("shop", env="local", conf_dir=folder)


@dataclass
class Client:
    """Asks a server in a process of its own."""

    port: int
    process: "subprocess.Popen[str]"

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, sent, {} if token is None else {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, json.loads(text) if response.headers["content-type"] == "application/json" else text

    def predict(self, *rows: dict[str, Any], **more: Any) -> Any:
        status, answer = self.ask("POST", "/predict", {"rows": rows} | more)
        assert status == 200, answer
        return answer


@contextmanager
def serve(folder: Path, *arguments: str) -> Iterator[Client]:
    """`sparkml-ops serve`, as a user starts it; at the end it is told to stop, and must."""
    program = [sys.executable, "-m", "sparkml_ops", "--conf-dir", str(folder), "serve", "shop", "--port", "0"]
    process = subprocess.Popen(
        [*program, *arguments], env={**os.environ, "ONLINE_TOKEN": TOKEN}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        yield Client(_find_port(process.stderr), process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in {0, 143}
        process.stderr.close()


def _find_port(told: IO[str]) -> int:
    lines = []
    for line in told:
        lines.append(line)
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
        if found:
            return int(found[1])
    raise AssertionError("".join(lines))


def wait_until(is_so: Any) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
