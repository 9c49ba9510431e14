"""Parts of a training set: train, valid and test; and what is left out so that they have nothing in common.

By time (half open; `embargo` and `groups` are optional)::

    train                    train_until            valid_until                     test_until
    ────────────────────┤◀ embargo ▶├────────┤◀ embargo ▶├──────────────────────────────┤ after_test_until

* `embargo`: a row less than `embargo` before `train_until` or `valid_until` is left out. Its label is settled by what
  happens after the next part has begun, so whoever decided on the next part's first day could not have learned from it,
  and two rows on both sides of the border share what happened (López de Prado, Advances in Financial Machine Learning,
  2018, chapter 7: purging and embargo). With an embargo as long as the label takes to settle nothing is shared. It is
  the earlier part that gives rows up: here every part looks only back, and no training row comes after a judged one,
  which is where López de Prado's embargo lies. Nothing follows the last part, so nothing is left out before `test_until`.
* `groups`: a row whose group has a row in an earlier part is left out (`group_of_earlier_part`). Rows that are left out
  are in no part. Null is a group like any other.

By hash: a row's part is the share of all values of xxhash64 over the columns `of`, so rows with equal values stay
together, and a row keeps its part whatever other rows come. A null is passed over by the hash: all rows in which every
column of `of` is null are in one and the same part.
"""

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.dataset import HashSplit, TimeSplit
from sparkml_ops.features.events import instant_microseconds, to_microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

PARTS = ("train", "valid", "test")
EMBARGO, AFTER_TEST, KNOWN_GROUP = "embargo", "after_test_until", "group_of_earlier_part"
_HASH_RANGE = 2**53  # whole numbers up to here are exact as doubles
_EARLIEST = "__earliest_part"


def deal_part(split: TimeSplit | HashSplit, moment: "Column") -> "Column":
    """The part of a row, or why it is in none, as far as the row alone tells."""
    if isinstance(split, HashSplit):
        share = F.pmod(F.xxhash64(*split.of), F.lit(_HASH_RANGE)) / F.lit(float(_HASH_RANGE))
        return F.when(share < split.train, "train").when(share < split.train + split.valid, "valid").otherwise("test")
    at = F.unix_micros(moment)

    def up_to(end: "datetime", part: str) -> "Column":
        too_near = at > F.lit(instant_microseconds(end) - to_microseconds(split.embargo))
        return F.when(too_near, EMBARGO).otherwise(part)

    part = F.when(at < F.lit(instant_microseconds(split.train_until)), up_to(split.train_until, "train"))
    part = part.when(at < F.lit(instant_microseconds(split.valid_until)), up_to(split.valid_until, "valid"))
    if split.test_until is None:
        return part.otherwise("test")
    return part.when(at < F.lit(instant_microseconds(split.test_until)), "test").otherwise(AFTER_TEST)


def keep_groups_apart(decisions: "DataFrame", groups: "Sequence[str]", *, fate: str) -> "DataFrame":
    """Leave out rows whose group has a row in an earlier part.

    Args:
        decisions: rows with their parts.
        groups: the columns that name a group.
        fate: name of the column with the part, or with why a row is in none.
    """
    order = F.array_position(F.array(*map(F.lit, PARTS)), F.col(fate))  # from 1; 0 for a row in no part
    names = [f"__group_{number}" for number in range(len(groups))]
    kept = decisions.filter(F.col(fate).isin(*PARTS))
    earliest = kept.groupBy(*(F.col(group).alias(name) for group, name in zip(groups, names, strict=True))).agg(
        F.min(order).alias(_EARLIEST)
    )
    same = reduce(and_, [F.col(group).eqNullSafe(F.col(name)) for group, name in zip(groups, names, strict=True)])
    joined = decisions.join(earliest, same, "left")
    told = F.when(order > F.col(_EARLIEST), KNOWN_GROUP).otherwise(F.col(fate))
    return joined.withColumn(fate, told).drop(*names, _EARLIEST)
