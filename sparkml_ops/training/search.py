"""The search for parameters: Hyperopt proposes, Spark's workers try, one task a trial.

Hyperopt's SparkTrials hides why trials fail: all failing, a timeout and a dying worker give the same message. So a trial
catches its own exceptions and brings back the cause, and what Spark itself reports is taken from the trial's record.
"""

import logging
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sparkml_ops.config.model import Search
from sparkml_ops.errors import TrainingError
from sparkml_ops.training.estimators import FitSettings, find_estimator, find_loss
from sparkml_ops.training.space import build_space, decode_params

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
MAX_CAUSE_LENGTH = 2000
_CHATTY_LOGGERS = ("hyperopt", "hyperopt-spark", "hyperopt.tpe", "hyperopt.fmin")


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what became of it.

    Attributes:
        number: Counts from 0, in the order in which they were proposed.
        params: All parameters, fixed ones too.
        status: Failed trials have a cause; cancelled ones were stopped by the timeout or by early stopping.
        loss: What is minimised; None unless it is ok.
        metrics: Figures on the tuning rows.
        rounds: Boosting rounds at the best figure.
        started_at: When it started, UTC.
        ended_at: When it ended, UTC.
        cause: Why it failed; the last line says it shortest.
    """

    number: int
    params: dict[str, Any]
    status: Literal["ok", "failed", "cancelled"]
    loss: float | None
    metrics: dict[str, float]
    rounds: int
    started_at: datetime
    ended_at: datetime
    cause: str | None = None


@dataclass(frozen=True)
class TrialTask:
    """What a worker needs for a trial: small, since it travels with each one. `settings` has the fixed parameters."""

    folder: str
    settings: FitSettings
    search: Search


def run_search(
    task: TrialTask, spark: "SparkSession", *, on_finished: Callable[[Trial], None] = lambda _: None
) -> list[Trial]:
    """Try parameters until trials, time or progress end; with parallelism 1 the same seed tries the same parameters.

    Args:
        task: The rows, the fixed parameters and the search.
        spark: Where trials run.
        on_finished: Called on this thread with each trial soon after it has ended.

    Returns:
        All trials, in the order in which they were proposed; at least one is ok.

    Raises:
        TrainingError: No trial ended well, or more failed than `max_failed_ratio` allows; with the first cause.
    """
    from hyperopt import SparkTrials, fmin
    from hyperopt.exceptions import AllTrialsFailed

    space, search = build_space(task.search.space), task.search
    parallelism = choose_parallelism(search, spark.sparkContext.defaultParallelism)
    with _quiet_hyperopt():
        records = SparkTrials(parallelism=parallelism, spark_session=spark)
        watch = _Watch(records, task, on_finished)
        try:
            fmin(
                lambda drawn: try_params(task, drawn),
                space,
                algo=_propose_when_free(search, parallelism, watch),
                max_evals=search.max_trials if space else 1,
                trials=records,
                timeout=None if search.timeout is None else max(1, int(search.timeout.total_seconds())),
                early_stop_fn=None
                if search.early_stop_after is None
                else _stop_without_progress(search.early_stop_after),
                rstate=np.random.default_rng(search.seed),
                verbose=False,
                show_progressbar=False,
                return_argmin=False,
            )
        except AllTrialsFailed:
            log.debug("Hyperopt found no trial that ended well; the causes are in the trials")
        trials = watch.look()
    _refuse_failed_search(trials, search)
    return trials


def find_best(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest loss, the earliest of equals."""
    return min((trial for trial in trials if trial.loss is not None), key=lambda trial: (trial.loss, trial.number))


def choose_parallelism(search: Search, slots: int) -> int:
    """How many trials run at a time: no more than Spark has slots for, and few enough that the search can still learn."""
    chosen = max(1, min(search.parallelism, slots, search.max_trials // 2))
    if chosen < search.parallelism:
        log.info(
            "search: %d trials at a time, not %d (%d slots, %d trials)",
            chosen,
            search.parallelism,
            slots,
            search.max_trials,
        )
    return chosen


def try_params(task: TrialTask, drawn: dict[str, Any]) -> dict[str, Any]:
    """One trial, on a worker. Never raises: Hyperopt would lose the cause."""
    params = dict(task.settings.params) | decode_params(task.search.space, drawn)
    outcome: dict[str, Any] = {"status": "fail", "params": params, "started": time.time()}
    try:
        settings = replace(task.settings, params=params)
        fit = find_estimator(settings.estimator).fit_trial(task.folder, settings)
        loss = find_loss(settings.metric, fit.metrics[settings.metric])
        if not math.isfinite(loss):
            raise TrainingError(f"{settings.metric} on the tuning rows is {fit.metrics[settings.metric]}")  # noqa: TRY301
        outcome |= {"status": "ok", "loss": loss, "metrics": dict(fit.metrics), "rounds": fit.rounds}
    except Exception:  # noqa: BLE001  # whatever it is, it is the cause
        outcome["cause"] = traceback.format_exc()[-MAX_CAUSE_LENGTH:]
    return outcome | {"ended": time.time()}


class _Watch:
    """Reads Hyperopt's records as they grow, and tells each trial once."""

    def __init__(self, records: Any, task: TrialTask, on_finished: Callable[[Trial], None]) -> None:
        self.records, self.task, self.on_finished = records, task, on_finished
        self.told: set[int] = set()

    def look(self) -> list[Trial]:
        from hyperopt.base import JOB_STATE_NEW, JOB_STATE_RUNNING

        # `trials` leaves out those whose worker died; `_dynamic_trials` has them all
        ended = [r for r in list(self.records._dynamic_trials) if r["state"] not in (JOB_STATE_NEW, JOB_STATE_RUNNING)]  # noqa: SLF001
        trials = [_read_trial(record, self.task) for record in ended]
        for trial in trials:
            if trial.number not in self.told:
                self.told.add(trial.number)
                self.on_finished(trial)
        return trials


def _propose_when_free(search: Search, parallelism: int, watch: _Watch) -> Callable[..., Any]:
    """Hyperopt's algorithm, asked only when a trial can start at once.

    Otherwise Hyperopt asks ahead of time, and whether a proposal knows the last result would be a matter of chance.
    """
    from hyperopt import rand, tpe
    from hyperopt.base import JOB_STATE_NEW, JOB_STATE_RUNNING

    def propose(new_ids: list[int], domain: Any, trials: Any, seed: int) -> Any:
        while trials.count_by_state_unsynced([JOB_STATE_NEW, JOB_STATE_RUNNING]) >= parallelism:
            if trials._fmin_cancelled:  # noqa: SLF001  # Hyperopt's own mark of a timeout or an early stop
                return []
            time.sleep(POLL_SECONDS)
        watch.look()
        trials.refresh()
        if search.algorithm == "random" or not search.space:
            return rand.suggest(new_ids, domain, trials, seed)
        # Hyperopt's own 20 random trials would be all there are in a search of 20
        startup = min(20, max(5, search.max_trials // 3))
        return tpe.suggest(new_ids, domain, trials, seed, n_startup_jobs=startup, verbose=False)

    return propose


def _stop_without_progress(patience: int) -> Callable[..., tuple[bool, list[Any]]]:
    """Stop after so many finished trials without a better one; Hyperopt's own fails on trials that still run."""

    def stop(trials: Any, *_: Any) -> tuple[bool, list[Any]]:
        done = [record for record in list(trials.trials) if record["result"].get("status") == "ok"]
        losses = [r["result"]["loss"] for r in sorted(done, key=lambda record: record["result"]["ended"])]
        best_at = losses.index(min(losses)) if losses else 0
        return len(losses) - 1 - best_at >= patience, []

    return stop


def _read_trial(record: dict[str, Any], task: TrialTask) -> Trial:
    from hyperopt import space_eval
    from hyperopt.base import JOB_STATE_CANCEL

    result = record["result"]
    now = datetime.now(UTC)
    if "params" in result:
        params, started, ended = result["params"], result["started"], result["ended"]
    else:  # its worker never answered
        drawn = space_eval(build_space(task.search.space), {k: v[0] for k, v in record["misc"]["vals"].items() if v})
        params = dict(task.settings.params) | decode_params(task.search.space, drawn)
        started = _to_seconds(record["book_time"]) or now.timestamp()
        ended = _to_seconds(record["refresh_time"]) or now.timestamp()
    is_ok = result.get("status") == "ok"
    status: Any = "ok" if is_ok else "cancelled" if record["state"] == JOB_STATE_CANCEL else "failed"
    return Trial(
        number=int(record["tid"]),
        params=params,
        status=status,
        loss=result["loss"] if is_ok else None,
        metrics=result.get("metrics", {}),
        rounds=result.get("rounds", 0),
        started_at=datetime.fromtimestamp(started, UTC),
        ended_at=datetime.fromtimestamp(max(ended, started), UTC),
        cause=_find_cause(record) if status == "failed" else None,
    )


def _to_seconds(instant: datetime | None) -> float | None:
    """Hyperopt's instants are UTC without saying so."""
    return None if instant is None else instant.replace(tzinfo=UTC).timestamp()


def _find_cause(record: dict[str, Any]) -> str:
    cause = record["result"].get("cause")
    if cause is None:
        told = " ".join(str(part) for part in record["misc"].get("error", ()) if part)
        cause = f"the worker died or the task could not run: {told or 'Spark gave no cause'}"
    return str(cause)[-MAX_CAUSE_LENGTH:].strip()


def _refuse_failed_search(trials: Sequence[Trial], search: Search) -> None:
    failed = [trial for trial in trials if trial.status == "failed"]
    finished = len(failed) + sum(trial.status == "ok" for trial in trials)
    if finished and len(failed) <= finished * search.max_failed_ratio and len(failed) < finished:
        return
    if not failed:
        limit = "" if search.timeout is None else f" within the timeout of {search.timeout}"
        raise TrainingError(f"No trial ended{limit}. Allow more time, or try smaller models.")
    raise TrainingError(
        f"{len(failed)} of {finished} trials failed (at most {search.max_failed_ratio:.0%} may, and one must end well). "
        f"The first, with {failed[0].params}: {(failed[0].cause or '').splitlines()[-1]}"
    )


@contextmanager
def _quiet_hyperopt() -> Iterator[None]:
    """Keep Hyperopt's notes off stderr: what they say is in the trials."""
    import hyperopt  # noqa: F401  # it sets its loggers' levels when it is imported

    levels = {name: logging.getLogger(name).level for name in _CHATTY_LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
