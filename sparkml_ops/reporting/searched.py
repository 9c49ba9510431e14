"""The newest search for parameters and all trainings, as the page of experiments tells them."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.models import HIGHER_IS_BETTER, RecordedTraining, list_trainings, prepare_tracking
from sparkml_ops.reporting.rows import collect_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.search import Distribution
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

TRIALS = "trials"
MAX_TRIALS = 2000  # of the newest search: more dots than a page can show
MAX_TRAININGS = 30
LOSS = "loss"


@dataclass(frozen=True)
class TriedParams:
    """One trial that ended: what was tried, and the figure on the tuning rows; None of one that failed."""

    number: int
    params: Mapping[str, Any]
    figure: float | None
    cause: str | None = None


@dataclass(frozen=True)
class ExperimentFacts:
    """What the page tells, as of an instant (UTC).

    Attributes:
        use_case: Whose.
        description: In words.
        environment: Its name.
        written_at: When.
        trainings: The newest, ranked.
        trials: Of the newest search, by number.
        metric: What their figure is: a metric, or the loss.
        training_set: What the newest search learned from.
        log_params: Parameters that are drawn on a logarithmic scale, as the YAML has them.
        note: Why the registry could not be asked.
    """

    use_case: str
    description: str
    environment: str
    written_at: datetime
    trainings: tuple[RecordedTraining, ...] = ()
    trials: tuple[TriedParams, ...] = ()
    metric: str = LOSS
    training_set: str | None = None
    log_params: frozenset[str] = frozenset()
    note: str = ""

    @property
    def is_higher_better(self) -> bool:
        """Of the figure."""
        return self.metric in HIGHER_IS_BETTER


def read_experiments(use_case: "UseCase", lake: "Lake", *, written_at: datetime, is_trained: bool) -> ExperimentFacts:
    """All that the page tells; a registry that cannot be reached is told there and ends nothing.

    Where nothing was trained the registry is not asked: asking would make its database.
    """
    trainings, note = _list_trainings(use_case) if is_trained else ([], "")
    rows = _read_newest_search(lake)
    metric: str = use_case.model.metric
    if not any(metric in (row["metrics"] or {}) for row in rows):
        metric = LOSS
    return ExperimentFacts(
        use_case=use_case.name,
        description=use_case.description,
        environment=use_case.environment.name,
        written_at=written_at,
        trainings=tuple(trainings),
        trials=tuple(_to_trial(row, metric) for row in rows),
        metric=metric,
        training_set=rows[-1]["training_set"] if rows else None,
        log_params=frozenset(list_log_params(use_case.model.search.space)),
        note=note,
    )


def _list_trainings(use_case: "UseCase") -> tuple[list[RecordedTraining], str]:
    try:
        return list_trainings(prepare_tracking(use_case.environment), use_case.name, last=MAX_TRAININGS), ""
    except SparkMLOpsError as error:
        return [], str(error)


def list_log_params(space: "Mapping[str, Distribution]") -> Iterator[str]:
    """Parameters whose distribution is one of logarithms, those within options of a choice too."""
    for name, distribution in space.items():
        if "log" in distribution.kind:
            yield name
        for option in distribution.options:
            if isinstance(option, Mapping):
                yield from list_log_params({k: v for k, v in option.items() if hasattr(v, "kind")})  # type: ignore[misc]


def _read_newest_search(lake: "Lake") -> list[dict[str, Any]]:
    """Its trials by number, each as it ended last; those that were stopped are none."""
    ended = F.col("status") != "cancelled"
    newest = collect_rows(lake, TRIALS, lambda trials: trials.where(ended).orderBy(F.desc("ended_at")), limit=1)
    if not newest:
        return []

    def choose(trials: "DataFrame") -> "DataFrame":
        last_first = Window.partitionBy("number").orderBy(F.desc("ended_at"))
        ours = trials.where(ended & (F.col("search_id") == newest[0]["search_id"]))
        kept = ours.withColumn("_rank", F.row_number().over(last_first)).where("_rank = 1")
        return kept.orderBy(F.desc("number")).select("number", "loss", "metrics", "params", "cause", "training_set")

    return collect_rows(lake, TRIALS, choose, limit=MAX_TRIALS)[::-1]


def _to_trial(row: Mapping[str, Any], metric: str) -> TriedParams:
    figure = row["loss"] if metric == LOSS or row["loss"] is None else (row["metrics"] or {}).get(metric)
    is_known = figure is not None and math.isfinite(figure)
    cause = (row["cause"] or "").strip().splitlines()
    return TriedParams(
        row["number"], json.loads(row["params"] or "{}"), figure if is_known else None, cause[-1] if cause else None
    )
