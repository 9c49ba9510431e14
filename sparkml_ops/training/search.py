"""The search for parameters: Hyperopt proposes, Spark's workers try, one task a trial."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.config.model import Search
from sparkml_ops.errors import TrainingError
from sparkml_ops.training.space import build_space
from sparkml_ops.training.spark_trials import POLL_SECONDS, make_spark_trials, poll_often
from sparkml_ops.training.trials import Trial, TrialTask, read_trial, try_params

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_CHATTY_LOGGERS = ("hyperopt", "hyperopt-spark", "hyperopt.tpe", "hyperopt.fmin")


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
    from hyperopt import fmin
    from hyperopt.exceptions import AllTrialsFailed

    space, search = build_space(task.search.space), task.search
    parallelism = choose_parallelism(search, spark.sparkContext.defaultParallelism)
    with _quiet_hyperopt(), poll_often():
        records = make_spark_trials(spark, parallelism)
        watch = _Watch(records, task, on_finished)
        try:
            fmin(
                lambda drawn: try_params(task, drawn),
                space,
                algo=_propose_when_free(search, parallelism, watch),
                max_evals=search.max_trials if search.space else 1,
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


def choose_parallelism(search: Search, slots: int) -> int:
    """How many trials run at a time: at most Spark's slots, and few enough that the search can still learn."""
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


class _Watch:
    """Reads Hyperopt's records as they grow, and tells each trial once."""

    def __init__(self, records: Any, task: TrialTask, on_finished: Callable[[Trial], None]) -> None:
        self.records, self.task, self.on_finished = records, task, on_finished
        self.told: set[int] = set()

    def look(self) -> list[Trial]:
        from hyperopt.base import JOB_STATE_NEW, JOB_STATE_RUNNING

        # `trials` leaves out those whose worker died; `_dynamic_trials` has them all
        ended = [r for r in list(self.records._dynamic_trials) if r["state"] not in (JOB_STATE_NEW, JOB_STATE_RUNNING)]  # noqa: SLF001
        trials = [read_trial(record, self.task) for record in ended]
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

    # Hyperopt's own 20 random trials would be all there are in a search of 20
    startup = min(20, max(5, search.max_trials // 3))

    def propose(new_ids: list[int], domain: Any, trials: Any, seed: int) -> Any:
        while trials.count_by_state_unsynced([JOB_STATE_NEW, JOB_STATE_RUNNING]) >= parallelism:
            time.sleep(POLL_SECONDS)
        watch.look()
        trials.refresh()
        if search.algorithm == "random" or not search.space:
            proposed = rand.suggest(new_ids, domain, trials, seed)
        else:
            proposed = tpe.suggest(new_ids, domain, trials, seed, n_startup_jobs=startup, verbose=False)
        # after a timeout or an early stop SparkTrials would still start what is proposed, and wait for it
        return [] if trials._fmin_cancelled else proposed  # noqa: SLF001

    return propose


def _stop_without_progress(patience: int) -> Callable[..., tuple[bool, list[Any]]]:
    """Stop after so many finished trials without a better one; Hyperopt's own fails on trials that still run."""

    def stop(trials: Any, *_: Any) -> tuple[bool, list[Any]]:
        done = [record for record in list(trials.trials) if record["result"].get("status") == "ok"]
        losses = [r["result"]["loss"] for r in sorted(done, key=lambda record: record["result"]["ended"])]
        best_at = losses.index(min(losses)) if losses else 0
        return len(losses) - 1 - best_at >= patience, []

    return stop


def _refuse_failed_search(trials: Sequence[Trial], search: Search) -> None:
    failed = [trial for trial in trials if trial.status == "failed"]
    finished = len(failed) + sum(trial.status == "ok" for trial in trials)
    if finished and len(failed) <= finished * search.max_failed_ratio and len(failed) < finished:
        return
    if not failed:
        limit = "" if search.timeout is None else f" within the timeout of {search.timeout}"
        raise TrainingError(f"No trial ended{limit}. Allow more time, or try smaller models.")
    raise TrainingError(
        f"{len(failed)} of {finished} trials failed (at most {search.max_failed_ratio:.0%} may; one must end well). "
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
        with warnings.catch_warnings():
            # Hyperopt starts its threads without the session; trials need none of its tags
            warnings.filterwarnings("ignore", message="Spark session is not provided")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
