"""Jobs of Spark that fit the models of segments: work is dealt to tasks by its cost, and what comes back is small or fetched in parts."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from pyspark.sql import SparkSession

from sparkml_ops.errors import TrainingError
from sparkml_ops.training.mapped_segments import MappedLevel
from sparkml_ops.training.segment_fits import FittedSegment, JudgedSegment, SegmentTask, fit_segments, judge_segments

FETCHED_AT_ONCE = 1_000
"""Models that one job of Spark brings to the driver."""
TASKS_PER_CORE = 4  # so that no core waits long for the last one
_FIXED_ROWS = 500  # a fit takes as long as so many rows before it has seen any

Given = TypeVar("Given")
Found = TypeVar("Found")


def judge_level(
    spark: SparkSession,
    task: SegmentTask,
    level: MappedLevel,
    wanted: Sequence[int],
    *,
    parents: Sequence[str],
    on_train: Mapping[str, bytes],
) -> list[JudgedSegment]:
    """Judge the models of some segments of a level beside those that would serve them otherwise.

    Args:
        spark: Where they are fitted.
        task: What all have in common.
        level: The level.
        wanted: Positions of the segments.
        parents: Of each segment of the level, whose model would serve it.
        on_train: Those models as they are stored, fitted on train alone.
    """
    parents = list(parents)
    needed = {parents[position] for position in wanted}
    shipped = spark.sparkContext.broadcast({name: one for name, one in on_train.items() if name in needed})

    def judge(positions: list[int]) -> Iterator[JudgedSegment]:
        ordered = sorted(((position, parents[position]) for position in positions), key=lambda pair: (pair[1], pair[0]))
        return judge_segments(task, ordered, shipped.value)

    try:
        found = _run_tasks(spark, [(position, _cost(level, position)) for position in wanted], judge)
    finally:
        shipped.unpersist()
    return sorted(found, key=lambda one: one.position)


def fit_level(
    spark: SparkSession, task: SegmentTask, level: MappedLevel, kept: Sequence[JudgedSegment], *, with_train: bool
) -> Iterator[FittedSegment]:
    """Fit the models that are kept on all rows of their segments, and on those of train alone where that is asked for."""
    for first in range(0, len(kept), FETCHED_AT_ONCE):
        some = [
            ((one.position, one.rounds), _cost(level, one.position)) for one in kept[first : first + FETCHED_AT_ONCE]
        ]
        found = _run_tasks(spark, some, lambda pairs: fit_segments(task, pairs, with_train=with_train))
        yield from sorted(found, key=lambda one: one.position)


def _cost(level: MappedLevel, position: int) -> int:
    return _FIXED_ROWS + int(level.starts[position + 1] - level.starts[position])


def _run_tasks(
    spark: SparkSession, work: Sequence[tuple[Given, int]], run: Callable[[list[Given]], Iterable[Found]]
) -> list[Found]:
    """Deal the work to tasks of about the same cost, the most expensive first, and bring what they found."""
    if not work:
        return []
    context = spark.sparkContext
    count = min(len(work), context.defaultParallelism * TASKS_PER_CORE)
    loads: list[tuple[int, int]] = [(0, number) for number in range(count)]
    dealt: list[list[Given]] = [[] for _ in range(count)]
    for one, cost in sorted(work, key=lambda pair: -pair[1]):
        load, number = heapq.heappop(loads)
        dealt[number].append(one)
        heapq.heappush(loads, (load + cost, number))

    def run_each(tasks: Iterable[list[Given]]) -> Iterator[Found]:
        for one in list(tasks):
            yield from run(one)

    try:
        found: list[Found] = context.parallelize(dealt, count).mapPartitions(run_each).collect()
    except Exception as error:
        said = next((line.strip() for line in str(error).splitlines() if "Exception" in line or "Error" in line), "")
        raise TrainingError(
            f"model.segment_by: Spark could not fit the models of {len(work):,} segments: {said[:500]}"
        ) from error
    return found
