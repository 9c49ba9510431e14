"""Which task computes the windows of which events: a stretch of time, of all entities or of some of them.

Time is cut into parts, and an event goes to every part in which it is in a window or leaves one. Parts with few events are the work of one
task, one after the other; one with many is the work of several, each with the entities of some hashes. So a task has about as much to do as any
other, no task holds more than it can, and a file that it writes has rows of a stretch of time: what later changes a few days of the table
leaves most of its files alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from sparkml_ops.features.change_points import DAY
from sparkml_ops.features.entity_hash import tell_hash
from sparkml_ops.features.sliding import Plan, slide_windows
from sparkml_ops.features.touched import SLICES, tell_slice

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

EVENTS_PER_TASK = 250_000
_LEAST_PER_TASK = 60_000  # fewer take less time than the task and the file of their own
_ROWS_PER_BATCH = 65_536  # that go back to the JVM at a time
_TASK, _HASH = "_task", "_hash"


@dataclass(frozen=True)
class Tasks:
    """The tasks of each part of time.

    Attributes:
        part: number of the first part.
        first: number of the first task of each part.
        shares: how many tasks share the entities of each part.
    """

    part: int
    first: tuple[int, ...]
    shares: tuple[int, ...]

    def count(self) -> int:
        """How many tasks there are."""
        return self.first[-1] + self.shares[-1]


def plan_tasks(events: Mapping[int, int], *, parallelism: int) -> Tasks:
    """Give the parts of time to tasks, in the order of time.

    Args:
        events: how many there are in each part; at least one part.
        parallelism: how many tasks run at a time: there are four times as many at least, where that is worth it, so that cores end together.
    """
    part, last = min(events), max(events)
    counts = [events.get(number, 0) for number in range(part, last + 1)]
    most = min(EVENTS_PER_TASK, max(ceil(sum(counts) / (4 * parallelism)), _LEAST_PER_TASK))
    shares = [min(_next_power(ceil(count / most)), SLICES) for count in counts]
    held, is_first = 0, []
    for number, count in enumerate(counts):
        goes_on = number > 0 and shares[number] == shares[number - 1] == 1 and held + count <= most
        held = held + count if goes_on else count
        is_first.append(not goes_on)
    # A part that goes on in the task of the one before has the number that this one has.
    begun = accumulate((share if new else 0 for share, new in zip(shares, is_first, strict=True)))
    return Tasks(part, tuple(end - share for end, share in zip(begun, shares, strict=True)), tuple(shares))


def compute_windows(counted: "DataFrame", plan: Plan, columns: "StructType") -> "DataFrame":
    """What `slide_windows` makes of events, by tasks. Runs a small job that counts the events of each part of time.

    Args:
        counted: the events with the columns of the plan.
        plan: what to compute.
        columns: of the result.
    """
    known = F.col(plan.time) + F.lit(plan.clock.delay) if plan.known is None else F.greatest(plan.time, plan.known)
    leave = F.col(plan.time) + F.lit(plan.longest() + (DAY if plan.clock.snapshot else 0))
    first, last = known, leave
    if plan.within is not None:  # a part of which no change point is wanted is not computed
        first, last = F.greatest(known, F.lit(plan.within[0])), F.least(leave, F.lit(plan.within[1]))
    parts = F.explode(F.sequence(_part_of(first, plan), _part_of(last, plan))).alias(plan.part)
    dealt = counted.filter((known < leave) & (first <= last)).select("*", parts)
    events = {row[plan.part]: row["count"] for row in dealt.groupBy(plan.part).count().collect()}
    if not events:
        return counted.sparkSession.createDataFrame([], columns)
    tasks = plan_tasks(events, parallelism=counted.sparkSession.sparkContext.defaultParallelism)
    begins, shares = (
        f"array({', '.join(map(str, numbers))})[{plan.part} - {tasks.part}L]" for numbers in (tasks.first, tasks.shares)
    )
    slice_ = tell_slice(counted.schema, plan.entity)
    number = F.expr(f"CAST({begins} + {slice_} * {shares} DIV {SLICES} AS INT)")
    hash_ = F.expr(tell_hash(counted.schema, plan.entity))

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = list(batches)
        if held:
            table = pa.Table.from_batches(held).sort_by(_HASH).drop_columns(_HASH)
            for part in sorted(pc.unique(table[plan.part]).to_pylist()):
                figures = slide_windows(table.filter(pc.equal(table[plan.part], part)), plan)
                yield from figures.to_batches(_ROWS_PER_BATCH)

    numbered = dealt.select("*", number.alias(_TASK), hash_.alias(_HASH))
    met = numbered.repartitionById(tasks.count(), F.col(_TASK)).drop(_TASK)
    return met.mapInArrow(run, columns)


def _part_of(time: "Column", plan: Plan) -> "Column":
    """Number of the part of time, rounded down before 1970 too."""
    length = F.lit(plan.part_length)
    return F.round((time - F.pmod(time, length)) / length).cast("long")


def _next_power(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
