"""Hyperopt's SparkTrials, without two things that make each trial seconds longer than its fit.

* SparkTrials does not read the one row of its task. Spark then ends the Python worker with the task, and every trial
  starts a new process that imports all libraries and reads all rows again. Here the row is read, and workers live on.
* Its two loops look for work once a second. Here they look ten times a second.

Written for hyperopt 0.3.0, which is pinned.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext
    from pyspark.sql import SparkSession

POLL_SECONDS = 0.1


def make_spark_trials(spark: "SparkSession", parallelism: int) -> Any:
    """SparkTrials whose workers are used again."""
    from hyperopt import SparkTrials

    return SparkTrials(parallelism=parallelism, spark_session=_Session(spark))


@contextmanager
def poll_often() -> Iterator[None]:
    """Let Hyperopt's loops sleep for `POLL_SECONDS` at most, for as long as the block runs."""
    from hyperopt import fmin, spark

    modules = [fmin.__globals__, vars(spark)]
    brief = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, POLL_SECONDS)))
    for module in modules:
        module["time"] = brief
    try:
        yield
    finally:
        for module in modules:
            module["time"] = time


class _Session:
    """A Spark session whose context makes rows that are read."""

    def __init__(self, spark: "SparkSession") -> None:
        self._spark = spark
        self.sparkContext = _Context(spark.sparkContext)  # Spark's own name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spark, name)


class _Context:
    def __init__(self, context: "SparkContext") -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def parallelize(self, values: Iterable[Any], slices: int | None = None) -> "_Rows":
        return _Rows(self._context.parallelize(values, slices))


class _Rows:
    def __init__(self, rows: "RDD[Any]") -> None:
        self._rows = rows

    def mapPartitions(self, function: Callable[[Iterable[Any]], Iterable[Any]]) -> "RDD[Any]":  # noqa: N802
        def read_then_call(rows: Iterable[Any]) -> Iterable[Any]:
            return function(list(rows))

        return self._rows.mapPartitions(read_then_call)
