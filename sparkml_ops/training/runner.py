"""Trials on Spark: each is a job of one task, started from a thread of its own, that can be stopped alone.

Where the estimator is one of the whole cluster, a trial is that thread, and all jobs that it starts.

Hyperopt's own SparkTrials hides why a trial failed, cannot go on after a kill, and takes seconds beside each fit.
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Any

from sparkml_ops.training.attempts import MAX_CAUSE_LENGTH, TrialTask, try_params
from sparkml_ops.training.estimators import find_cluster_estimator

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DIED = ("Python worker exited unexpectedly", "Python worker failed", "ExecutorLostFailure")
_ATTEMPTS = 2  # of a task: a trial that has ended two workers is not given a third


class TrialRunner:
    """Runs some trials at a time."""

    def __init__(self, spark: "SparkSession", task: TrialTask, *, parallelism: int, seconds: float | None) -> None:
        """Start nothing yet.

        Args:
            spark: Where trials run.
            task: What all trials share.
            parallelism: How many at a time.
            seconds: That a trial may take; None for no limit.
        """
        self.spark, self.task, self.parallelism, self.seconds = spark, task, parallelism, seconds
        self._pool = ThreadPoolExecutor(parallelism, thread_name_prefix="trial")
        self._running: dict[Future[dict[str, Any]], int] = {}
        self._stopped: dict[int, str] = {}
        self._name = f"search-{uuid.uuid4().hex[:12]}"

    def has_room(self) -> bool:
        """Whether one more can start."""
        return len(self._running) < self.parallelism

    def count(self) -> int:
        """How many run."""
        return len(self._running)

    def start(self, number: int, params: Mapping[str, Any]) -> None:
        """Start a trial; its number must be new."""
        from pyspark import inheritable_thread_target

        run = inheritable_thread_target(self.spark)(self._run)
        self._running[self._pool.submit(run, number, dict(params))] = number

    def wait(self, seconds: float | None) -> list[tuple[int, dict[str, Any]]]:
        """Number and outcome of the trials that have ended, as soon as one has, or none when the time is over."""
        ended, _ = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        return sorted(((self._running.pop(future), future.result()) for future in ended), key=lambda one: one[0])

    def stop_all(self) -> None:
        """Stop the trials that run; they end as cancelled."""
        for number in self._running.values():
            self._stop(number, "cancelled")

    def close(self) -> None:
        """Stop what runs, and let the threads go."""
        self.stop_all()
        self._pool.shutdown(wait=True)

    def _run(self, number: int, params: dict[str, Any]) -> dict[str, Any]:
        started, is_of_cluster = time.time(), find_cluster_estimator(self.task.settings.estimator) is not None
        self.spark.sparkContext.setJobGroup(self._group(number), f"trial {number}", interruptOnCancel=True)
        with self._limit_time(number):
            outcome = self._try_here(number, params) if is_of_cluster else self._send(number, params)
        if number in self._stopped and "loss" not in outcome:
            outcome["cause"] = self._stopped[number]
        return {"started": started, "ended": time.time(), **outcome}

    def _try_here(self, number: int, params: dict[str, Any]) -> dict[str, Any]:
        """Fit and judge by jobs that this thread starts; what memory they take the driver does not know."""
        if number in self._stopped:
            return {"cause": self._stopped[number]}
        return try_params(self.task, params) | {"peak_mb": None}

    def _send(self, number: int, params: dict[str, Any]) -> dict[str, Any]:
        """Fit and judge in one task."""
        context, task, attempt = self.spark.sparkContext, self.task, try_params

        def run(_: Iterable[int]) -> Iterator[dict[str, Any]]:
            from pyspark import TaskContext

            here = TaskContext.get()
            if here is not None and here.attemptNumber() >= _ATTEMPTS:
                yield {"cause": f"its Python worker died {here.attemptNumber()} times"}
                return
            yield attempt(task, params)

        try:
            # The one number has to be read: Spark would end the worker with the task, and start one anew for the next.
            outcome: dict[str, Any] = (
                context.parallelize([number], 1).mapPartitions(lambda rows: run(list(rows))).collect()[0]
            )
        except Exception as error:  # noqa: BLE001  # what Spark reports is the trial's cause
            return {"cause": _tell(str(error))}
        return outcome

    @contextmanager
    def _limit_time(self, number: int) -> Iterator[None]:
        if self.seconds is None:
            yield
            return
        timer = Timer(
            self.seconds, self._stop, (number, f"it took longer than model.search.trial_timeout: {self.seconds:g} s")
        )
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _stop(self, number: int, why: str) -> None:
        self._stopped.setdefault(number, why)
        # Jobs that its thread has yet to start are cancelled too: a fit of the whole cluster is many, one after the other.
        context: Any = self.spark.sparkContext._jsc  # noqa: SLF001  # pyspark has no name for it
        context.sc().cancelJobGroupAndFutureJobs(self._group(number))

    def _group(self, number: int) -> str:
        return f"{self._name}-{number}"


def _tell(error: str) -> str:
    if any(word in error for word in _DIED):
        return f"its Python worker died: out of memory, or ended by native code. Spark says: {_shorten(error)}"
    return f"Spark could not run it: {_shorten(error)}"


def _shorten(error: str) -> str:
    """The line of Spark's report that says most."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    telling = [line for line in lines if "Exception" in line or "Failure" in line]
    return (telling or lines or ["nothing"])[0][:MAX_CAUSE_LENGTH]
