"""The search for parameters: a backend proposes, Spark's workers try, and each trial that ends is kept at once.

A search that was killed goes on from the trials that were kept: they are not run again, and the backend learns from them. The draw of a
trial follows from its number and the trials before it, so that with parallelism 1 a search that went on tries what it would have tried.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.search import Search
from sparkml_ops.errors import TrainingError
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.estimators import find_cluster_estimator
from sparkml_ops.training.proposers import Proposer, open_proposer
from sparkml_ops.training.runner import TrialRunner
from sparkml_ops.training.space import Draw, decode_draw
from sparkml_ops.training.trials import Trial, find_best

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_ENOUGH = 10  # ended trials say whether too many fail


def run_search(
    task: TrialTask,
    search: Search,
    spark: "SparkSession",
    *,
    before: Iterable[Trial] = (),
    on_finished: Callable[[Trial], object] = lambda _: None,
) -> list[Trial]:
    """Try parameters until trials, time or progress end; with parallelism 1 the same seed tries the same parameters.

    An interrupt (Ctrl-C) ends the search with what it has, once a trial has ended well.

    Args:
        task: The rows and the fixed parameters.
        search: What to try.
        spark: Where trials run.
        before: Trials that were kept when the same search was killed.
        on_finished: Called on this thread with each trial as it has ended.

    Returns:
        All trials, those before too, by number; at least one is ok.

    Raises:
        TrainingError: No trial ended well, or more failed than `max_failed_ratio` allows; with the first cause.
        SetupError: The backend is not installed.
        KeyboardInterrupt: It was interrupted before a trial had ended well.
    """
    course = _Course(task, search, open_proposer(search))
    for trial in before:
        course.take(trial)
    if course.trials:
        log.info("search: goes on after %d trials that were made before", len(course.trials))
    runner = TrialRunner(
        spark,
        task,
        parallelism=_choose_at_a_time(task, search, spark.sparkContext.defaultParallelism),
        seconds=None if search.trial_timeout is None else search.trial_timeout.total_seconds(),
    )
    try:
        _run_to_the_end(course, runner, on_finished)
    except KeyboardInterrupt:
        runner.stop_all()
        if not any(trial.status == "ok" for trial in course.trials):
            raise
        log.warning(
            "search: interrupted; it ends with the best of %d trials. Interrupt again to stop altogether.",
            len(course.trials),
        )
    finally:
        runner.close()
    _refuse_failed_search(course.trials, search)
    return sorted(course.trials, key=lambda trial: trial.number)


def choose_parallelism(search: Search, slots: int) -> int:
    """How many trials run at a time: at most Spark's slots, and few enough that the search can still learn."""
    chosen = max(1, min(search.parallelism, slots, search.max_trials // 2))
    if chosen < search.parallelism:
        log.info(
            "search: %d trials at a time, not %d (%d slots, %d trials)",
            *(chosen, search.parallelism, slots, search.max_trials),
        )
    return chosen


def _choose_at_a_time(task: TrialTask, search: Search, slots: int) -> int:
    """Trials of the whole cluster run one at a time, or as many as are asked for: they share its slots among them."""
    if find_cluster_estimator(task.settings.estimator) is None:
        return choose_parallelism(search, slots)
    return search.parallelism if "parallelism" in search.model_fields_set else 1


class _Course:
    """How a search has gone so far, and what comes next."""

    def __init__(self, task: TrialTask, search: Search, proposer: Proposer) -> None:
        self.task, self.search = task, search
        self.wanted = search.max_trials if search.space else 1
        self._proposer = proposer
        self.trials: list[Trial] = []
        self._drawn: dict[int, Draw] = {}
        self._deadline = None if search.timeout is None else time.monotonic() + search.timeout.total_seconds()

    def take(self, trial: Trial) -> None:
        """Take in a trial that has ended."""
        self._drawn[trial.number] = trial.draw
        self.trials.append(trial)
        self._proposer.learn(trial.number, trial.draw, trial.loss)

    def propose(self) -> tuple[int, dict[str, Any]] | None:
        """Number and parameters of the next trial; None where none is to start."""
        number = next(number for number in range(len(self._drawn) + 1) if number not in self._drawn)
        if len(self._drawn) >= self.wanted or self.seconds_left() == 0 or self._is_settled():
            return None
        self._drawn[number] = self._proposer.propose(number)
        return number, decode_draw(self.search.space, self._drawn[number])

    def end(self, number: int, outcome: dict[str, Any]) -> Trial:
        """Read what became of a trial, and learn from it."""
        status: Any = "ok" if "loss" in outcome else "cancelled" if outcome["cause"] == "cancelled" else "failed"
        trial = Trial(
            number=number,
            draw=self._drawn[number],
            params=dict(self.task.settings.params) | decode_draw(self.search.space, self._drawn[number]),
            status=status,
            loss=outcome.get("loss"),
            metrics=outcome.get("metrics", {}),
            rounds=outcome.get("rounds", 0),
            started_at=datetime.fromtimestamp(outcome["started"], UTC),
            ended_at=datetime.fromtimestamp(max(outcome["ended"], outcome["started"]), UTC),
            peak_mb=outcome.get("peak_mb"),
            cause=outcome["cause"].strip() if status == "failed" else None,
        )
        if status == "cancelled":
            self.trials.append(trial)
        else:
            self.take(trial)
            log.info("search: %s", self._tell(trial))
        return trial

    def seconds_left(self) -> float | None:
        """Until the timeout; None for ever."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _is_settled(self) -> bool:
        """No better trial for long, or so many failed that the search will be refused."""
        ended = [trial for trial in self.trials if trial.status != "cancelled"]
        failed = sum(trial.status == "failed" for trial in ended)
        if failed > self.search.max_failed_ratio * max(len(ended), min(_ENOUGH, self.wanted)):
            return True
        patience = self.search.early_stop_after
        losses = [t.loss for t in sorted(ended, key=lambda trial: trial.ended_at) if t.loss is not None]
        return patience is not None and bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience

    def _tell(self, trial: Trial) -> str:
        ended = f"trial {trial.number + 1} of at most {self.wanted}"
        took = (trial.ended_at - trial.started_at).total_seconds()
        if trial.cause is not None:
            return f"{ended} failed after {took:.1f} s: {trial.cause.splitlines()[-1]}"
        metric = self.task.settings.metric
        best = find_best(self.trials)
        return f"{ended}: {metric} {trial.metrics[metric]:.5f} in {took:.1f} s; best {best.metrics[metric]:.5f} (trial {best.number + 1})"


def _run_to_the_end(course: _Course, runner: TrialRunner, on_finished: Callable[[Trial], object]) -> None:
    ended: list[Trial] = []
    is_over = False
    while True:
        # The next trials start before the last ones are kept, which takes a while.
        while not is_over and runner.has_room() and (proposed := course.propose()) is not None:
            runner.start(*proposed)
        for trial in ended:
            on_finished(trial)
        if not runner.count():
            return
        outcomes = runner.wait(None if is_over else course.seconds_left())
        ended = [course.end(number, outcome) for number, outcome in outcomes]
        if not ended and not is_over:
            is_over = True
            runner.stop_all()


def drop_refused(before: Sequence[Trial], search: Search) -> list[Trial]:
    """The trials that a search goes on from: without the failed ones where these had it refused, since what made them fail may be mended."""
    failed = [trial for trial in before if trial.status == "failed"]
    return (
        [trial for trial in before if trial.status == "ok"]
        if _too_many(len(failed), len(before), search)
        else [*before]
    )


def _too_many(failed: int, ended: int, search: Search) -> bool:
    return failed > ended * search.max_failed_ratio or failed == ended


def _refuse_failed_search(trials: Sequence[Trial], search: Search) -> None:
    failed = [trial for trial in trials if trial.status == "failed"]
    finished = len(failed) + sum(trial.status == "ok" for trial in trials)
    if not _too_many(len(failed), finished, search):
        return
    if not failed:
        limit = "" if search.timeout is None else f" within the timeout of {search.timeout}"
        raise TrainingError(f"No trial ended{limit}. Allow more time, or try smaller models.")
    first = min(failed, key=lambda trial: trial.number)
    raise TrainingError(
        f"{len(failed)} of {finished} trials failed (at most {search.max_failed_ratio:.0%} may; one must end well). "
        f"The first, with {dict(first.params)}: {(first.cause or '').splitlines()[-1]}"
    )
