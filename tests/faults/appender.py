"""Appends batches to one table, then ingests one source, and tells of each as it is done: `python -m tests.faults.appender ROOT NAME [DIES_AT]`.

With `DIES_AT` it kills itself, JVM and all, in that batch: after Delta's commit and before anybody is told, holding the lease.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sparkml_ops.config.environment import Environment
from sparkml_ops.errors import ConflictError
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, append_once, commits, open_session
from tests.faults.bad_shop import shop

BATCHES = 5
ROWS = 20


def tell(*words: object) -> None:
    print("told", *words, flush=True)


def die(*_: Any, **__: Any) -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(root: Path, name: str, dies_at: int | None) -> None:
    environment = Environment.model_validate(
        {
            "name": "test",
            "lake": {"root": str(root / "lake")},
            "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db", "artifact_location": str(root / "artifacts")},
            "spark": {"conf": {"spark.master": "local[1]", "spark.driver.memory": "700m", "spark.sql.shuffle.partitions": 1}},
        }
    )  # fmt: skip
    lake = Lake(open_session(environment), str(root / "lake" / "shop"), None, "shop", frozenset())
    tell("ready")
    wait_for(root / "append")
    for batch in range(BATCHES):
        if batch == dies_at:
            commits._confirm = die
        rows = lake.spark.range(ROWS).selectExpr(f"'{name}' AS writer", f"{batch} AS batch", "id")
        tell("appended", append_once(lake, "letters", rows, write_id=f"{name}-{batch}").status, batch)
    wait_for(root / "ingest")
    try:
        tell("ingest", ingest(shop(root / "landing", environment), lake).sources[0].status)
    except ConflictError as error:
        tell("ingest", "conflict", str(error).replace("\n", " "))


def wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
