"""The table `trials`: a row for each trial that has ended, written as it ends. A search that was killed goes on from them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.lake import append_rows, read_table, table_exists
from sparkml_ops.training.trials import Trial

if TYPE_CHECKING:
    from sparkml_ops.lake import Lake

TRIALS = "trials"
TRIALS_SCHEMA = (
    "search_id string, number int, status string, loss double, metrics map<string, double>, rounds int, params string, draw string, "
    "cause string, peak_mb double, started_at timestamp, ended_at timestamp, run_id string, training_set string"
)


@dataclass(frozen=True)
class TrialStore:
    """The trials of one search.

    Attributes:
        lake: Where the table is.
        search_id: Names what is searched: data, definition, estimator, space, seed and code, but not for how long.
        run_id: The run that makes the trials.
        training_set: The version of the training set.
    """

    lake: "Lake"
    search_id: str
    run_id: str
    training_set: str

    def read(self) -> list[Trial]:
        """The trials that ended well or failed, by number; those that were cancelled are made again."""
        if not table_exists(self.lake, TRIALS):
            return []
        kept = read_table(self.lake, TRIALS).where(
            (F.col("search_id") == self.search_id) & (F.col("status") != "cancelled")
        )
        newest = {row["number"]: _to_trial(row) for row in kept.orderBy("number", "ended_at").collect()}
        return list(newest.values())

    def add(self, trials: Sequence[Trial]) -> None:
        """Keep trials."""
        rows = [
            _to_row(trial) | {"search_id": self.search_id, "run_id": self.run_id, "training_set": self.training_set}
            for trial in trials
        ]
        append_rows(self.lake, TRIALS, self.lake.spark.createDataFrame(rows, TRIALS_SCHEMA))


def _to_row(trial: Trial) -> dict[str, Any]:
    return {
        **{
            name: getattr(trial, name)
            for name in ("number", "status", "loss", "rounds", "cause", "peak_mb", "started_at", "ended_at")
        },
        "metrics": {name: float(value) for name, value in trial.metrics.items()},
        "params": json.dumps(dict(trial.params), sort_keys=True, ensure_ascii=False),
        "draw": json.dumps(dict(trial.draw), sort_keys=True),
    }


def _to_trial(row: Any) -> Trial:
    return Trial(
        number=row["number"],
        draw=json.loads(row["draw"]),
        params=json.loads(row["params"]),
        status=row["status"],
        loss=row["loss"],
        metrics=row["metrics"],
        rounds=row["rounds"],
        started_at=row["started_at"].replace(tzinfo=UTC),
        ended_at=row["ended_at"].replace(tzinfo=UTC),
        peak_mb=row["peak_mb"],
        cause=row["cause"],
    )
