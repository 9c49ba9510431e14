"""Sketches of `snapshot` views: figures from a bounded number of rows per entity and day instead of all events.

* `approx_p1` … `approx_p99`: values are counted in bins whose edges grow by 2 %, as in DDSketch (Masson, Rim and Lee,
  2019), so that each is known within 1 % of its own size. A row is a bin and the number of events in it: at most 115
  rows per factor of ten between the smallest and the largest value of an entity's day, for either sign.
* `approx_count_distinct`: see `window_sketches.py`. A row is a register and its rank: at most 4096 per entity and day.

So tasks hold a bounded number of rows per entity and day. That pays where an entity's day has far more events than that:
with 50 events per day sketches took 2.5 times as long as the exact figures.

Bins are counted, and registers put together, before rows are shuffled. Both are whole numbers that are added, or of
which the greatest is taken: the figures are the same bit for bit however rows were partitioned.
"""

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.features.change_points import DAY, Clock
from sparkml_ops.features.window_inputs import Inputs, SeriesInput
from sparkml_ops.features.window_sketches import HIGHEST_RANK, REGISTER_BITS, REGISTERS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RELATIVE_ERROR = 0.01
GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_ENTERS, _LEAVES = "_enters", "_leaves"


def sketch_events(events: "DataFrame", inputs: Inputs, *, keys: Sequence[str], clock: Clock) -> "list[DataFrame]":
    """The rows that stand for the events of an aggregate in its sketches.

    Args:
        events: the events.
        inputs: what the aggregate is computed from.
        keys: names of the entity columns, and last of the column with the time.
        clock: when events enter and leave windows.

    Returns:
        A table for each kind of sketch: the keys, the bucket, and the columns of the sketch's series.
    """
    found = {each.number: each for each in inputs.series if each.weight is not None}
    return [_sketch(events, inputs, each, keys=keys, clock=clock) for each in found.values()]


def _sketch(
    events: "DataFrame", inputs: Inputs, series: SeriesInput, *, keys: Sequence[str], clock: Clock
) -> "DataFrame":
    is_percentile = "approx_count_distinct" not in series.operations
    source = F.col(str(inputs.numbers if is_percentile else inputs.values))
    row = _find_bin(source) if is_percentile else _find_register(source)
    weight = F.count(F.lit(1)) if is_percentile else F.max(_find_rank(source))
    *entity, time = keys
    # Events that enter and leave together are the same to every window, so that one time serves for all.
    marked = events.filter(source.isNotNull()).withColumns(
        {_ENTERS: _enter(F.col(time), clock), _LEAVES: _next_midnight(F.col(time))}
    )
    together = marked.groupBy(*entity, _ENTERS, _LEAVES, *inputs.buckets, row.alias(str(series.number)))
    sketched = together.agg(F.max(time).alias(time), weight.cast("long").alias(str(series.weight)))
    return sketched.select(*keys, *inputs.buckets, str(series.number), str(series.weight))


def _find_bin(value: "Column") -> "Column":
    """The number that stands for all values of a bin, at most 1 % from each of them."""
    size = F.abs(value)
    is_plain = (size > 0) & (size < F.lit(math.inf))
    exponent = F.ceil(F.log(F.when(is_plain, size)) / F.lit(math.log(GROWTH)))
    middle = F.pow(F.lit(GROWTH), exponent) * F.lit(2 / (GROWTH + 1))
    return F.when(is_plain, F.signum(value) * F.least(middle, F.lit(sys.float_info.max))).otherwise(value + F.lit(0.0))


def _find_register(value: "Column") -> "Column":
    return F.pmod(F.xxhash64(value), F.lit(REGISTERS)).cast("double")


def _find_rank(value: "Column") -> "Column":
    """The zeros at the end of the hash, past the bits of the register, and one more."""
    rest = F.shiftrightunsigned(F.xxhash64(value), REGISTER_BITS)
    zeros = F.bit_count(rest.bitwiseAND(-rest) - F.lit(1))
    return F.least(zeros + 1, F.lit(HIGHEST_RANK))


def _enter(time: "Column", clock: Clock) -> "Column":
    """As `Clock.enter`."""
    return F.greatest(_next_midnight(time), _next_midnight(time + F.lit(clock.delay - 1)))


def _next_midnight(time: "Column") -> "Column":
    return time - F.pmod(time, F.lit(DAY)) + F.lit(DAY)
