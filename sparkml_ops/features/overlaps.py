"""What the parts of a training set have in common, though they should have nothing in common."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EXAMPLES = 5


@dataclass(frozen=True)
class Overlap:
    """Values of some columns that stand in more than one part: how many of how many, and a few of them."""

    shared: int
    values: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """Rows outside the training part whose features are all those of a training row."""

    rows: int
    others: int

    @property
    def share(self) -> float | None:
        """Of the rows outside the training part; None where there are none."""
        return self.rows / self.others if self.others else None


def find_overlap(rows: "DataFrame", columns: Sequence[str], *, withhold: Collection[str] = ()) -> Overlap:
    """Values of the columns, taken together, that several parts have.

    Args:
        rows: rows of a training set.
        columns: columns that name what must be in one part alone.
        withhold: columns whose values no message may show.
    """
    parts = rows.groupBy(*columns).agg(F.count_distinct("split").alias("__parts"))
    shared = F.col("__parts") > 1
    shown_values = [F.lit("…") if name in withhold else F.col(name).cast("string") for name in columns]
    told = F.concat_ws(
        ", ",
        *(F.concat(F.lit(f"{n}="), F.coalesce(v, F.lit("null"))) for n, v in zip(columns, shown_values, strict=True)),
    )
    found = parts.agg(F.count_if(shared).alias("shared"), F.count("*").alias("all")).collect()[0]
    examples = parts.filter(shared).orderBy(*columns).limit(_EXAMPLES).select(told.alias("told"))
    shown = tuple(row["told"] for row in examples.collect()) if found["shared"] else ()
    return Overlap(found["shared"], found["all"], shown)


def find_duplicates(rows: "DataFrame", features: Sequence[str]) -> Duplicates:
    """Rows of valid and test that a model has seen as they are; rows without a single value are not counted.

    Rows are compared by two hashes of 64 and 32 bits, which tell a null from a value that is not there.
    """
    values = [F.col(f"`{name}`") for name in features]
    known = reduce(or_, [value.isNotNull() for value in values])
    nulls = [value.isNull() for value in values]
    of_train = F.count_if(F.col("split") == "train")
    hashed = rows.filter(known).select(
        "split", F.xxhash64(*values, *nulls).alias("one"), F.hash(*values, *nulls).alias("other")
    )
    met = hashed.groupBy("one", "other").agg(of_train.alias("train"), (F.count("*") - of_train).alias("others"))
    found = met.agg(F.sum(F.when(F.col("train") > 0, F.col("others"))).alias("rows"), F.sum("others").alias("others"))
    counted = found.collect()[0]
    return Duplicates(counted["rows"] or 0, counted["others"] or 0)
