"""How large a look-up is: how many buckets it takes, and which entities are too busy for one.

Two small jobs look at it. One counts the moments and finds the first and the last; both take the most frequent entities of a sample
(Spark's `approx_top_k`, the frequent-items sketch of Apache DataSketches). Only where an entity would fill a bucket, a third job looks at when
its rows are. What is found decides how the work is cut up, and nothing else: the answer is the same for every cut.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from math import ceil
from operator import and_
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, DatetimeType, NumericType

from sparkml_ops.features.dealing import Busy, Deal
from sparkml_ops.features.entities import hash_rows
from sparkml_ops.features.entity_hash import HASHES, narrow_hash, tell_key, tell_wide_hash
from sparkml_ops.lake import RowGroup, quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

BUCKET_BYTES = 64 * 2**20
"""What a task takes in of one bucket, about; while it works it needs a few times as much."""
SLICE_BYTES = BUCKET_BYTES // 2  # of a busy entity: less, so that the work on it is shared by more tasks
_SMALL_ROWS = 50_000  # fewer are not worth a task of their own
SHARE, SEED = 0.02, 20130101
"""Of the rows that are looked at for frequent entities."""
_FREQUENT, _TRACKED = 64, 1_000
_STEPS = 128  # into which a busy entity's time is divided to find where to cut it
_TASKS = 200  # as Spark has it
_ROUNDED = 0.25  # so much more than a whole slice is not yet worth another one


@dataclass(frozen=True)
class Span:
    """How many moments there are, and the first and last in microseconds; `last < first` where there is none."""

    moments: int
    first: int
    last: int


@dataclass(frozen=True)
class Load:
    """Rows of one side: how many, how many of each frequent entity by its hash in Spark, and how large one is."""

    rows: float
    frequent: Mapping[int, float]
    row_bytes: int


@dataclass(frozen=True)
class Timed:
    """One side of the look-up as sizing sees it.

    Attributes:
        sample: a few of the rows that may be of busy entities, `SHARE` of them: the entity columns, and `at`, the instant in microseconds.
        entity: the entity columns.
        row_bytes: how large a row is.
        rows: how many there are in all, where that is known without a look.
        is_even: no entity can be busy.
    """

    sample: "DataFrame"
    entity: tuple[str, ...]
    row_bytes: int
    rows: int | None = None
    is_even: bool = False

    def hash(self) -> "Column":
        """The entity's hash."""
        return hash_entity(self.sample, self.entity)


def hash_entity(rows: "DataFrame", entity: Sequence[str]) -> "Column":
    """The hash of an entity in Spark; null where one of its columns is."""
    is_whole = reduce(and_, [F.col(quote_identifier(name)).isNotNull() for name in entity])
    return F.when(is_whole, F.expr(tell_wide_hash(rows.schema, entity)))


def count_tasks(rows: "DataFrame") -> int:
    """How many tasks a shuffle has by default; some platforms say `auto`."""
    setting = rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or ""
    return int(setting) if setting.isdigit() else _TASKS


def estimate_row(columns: "StructType") -> int:
    """About how many bytes a row takes in memory."""
    return sum(_estimate_value(field.dataType) for field in columns.fields)


def measure_moments(moments: "DataFrame", at: "Column", sides: Sequence[Timed]) -> tuple[Span, list[Load]]:
    """One job over the moments: their span, and the load of each entity that they are looked up by.

    Args:
        moments: all of them.
        at: the moment, in microseconds.
        sides: the moments by each of these entities.
    """
    sampled = [F.when(F.rand(SEED) < SHARE, hash_entity(moments, side.entity)) for side in sides]
    frequent = [_take_frequent(f"hash_{n}").alias(f"frequent_{n}") for n in range(len(sides))]
    found = (
        moments.select(at.alias("at"), *(hash_.alias(f"hash_{n}") for n, hash_ in enumerate(sampled)))
        .agg(F.count("*").alias("rows"), F.min("at").alias("first"), F.max("at").alias("last"), *frequent)
        .collect()[0]
    )
    span = Span(found["rows"], 0, -1) if found["first"] is None else Span(found["rows"], found["first"], found["last"])
    loads = [Load(found["rows"], _to_counts(found[f"frequent_{n}"]), side.row_bytes) for n, side in enumerate(sides)]
    return span, loads


def measure_views(sides: Sequence[Timed]) -> list[Load]:
    """The load of each view, by one job over the samples of those of which it is not known."""
    counted = [
        side.sample.agg(F.count("*").alias("rows"), _take_frequent(side.hash()).alias("frequent")).select(
            F.lit(number).alias("number"), "rows", "frequent"
        )
        for number, side in enumerate(sides)
        if not side.is_even
    ]
    found = reduce(lambda one, other: one.union(other), counted).collect() if counted else []
    looked_at = {row["number"]: (row["rows"] / SHARE, _to_counts(row["frequent"])) for row in found}
    loads = []
    for number, side in enumerate(sides):
        rows, frequent = looked_at.get(number, (0.0, {}))
        loads.append(Load(rows if side.rows is None else side.rows, frequent, side.row_bytes))
    return loads


def find_dense(groups: Sequence[RowGroup], row_bytes: int) -> list[int]:
    """The `_entity_hash`es that may have half a bucket of the rows of row groups: if an entity is busy, its own is among them."""
    begins = np.zeros(HASHES + 1)
    for one in groups:
        each = one.rows / (one.greatest - one.least + 1)
        begins[one.least] += each
        begins[one.greatest + 1] -= each
    dense: list[int] = np.flatnonzero(np.cumsum(begins)[:-1] * row_bytes > BUCKET_BYTES / 2).tolist()
    return dense


def plan_deal(sides: Sequence[Timed], loads: Sequence[Load], *, parallelism: int) -> Deal:
    """How the moments and the views of one entity are dealt.

    Args:
        sides: the moments first, then the views.
        loads: of each side.
        parallelism: how many tasks are welcome.
    """
    # What tasks read themselves they hold one view at a time.
    sizes = [load.rows * load.row_bytes for load in loads]
    read = [size for side, size in zip(sides, sizes, strict=True) if side.rows is not None]
    total = sum(sizes) - sum(read) + max(read, default=0)
    by_entity: dict[int, float] = {}
    for load in loads:
        for entity, rows in load.frequent.items():
            by_entity[entity] = by_entity.get(entity, 0.0) + rows * load.row_bytes
    large = {entity: size for entity, size in by_entity.items() if size > BUCKET_BYTES}
    rows = sum(load.rows for load in loads)
    shared = max(ceil((total - sum(large.values())) / BUCKET_BYTES), min(parallelism, ceil(rows / _SMALL_ROWS)), 1)
    shared = min(shared, HASHES)
    if not large:
        return Deal(shared)
    entities = _look_at_busy(sides, loads, large)
    firsts = accumulate((sum(fans) for *_, fans in entities), initial=shared)
    return Deal(
        shared, tuple(Busy(*hashes, first, *rest) for first, (hashes, *rest) in zip(firsts, entities, strict=False))
    )


def cut_time(
    moments: Sequence[int], rows: Sequence[int], *, moments_size: float, rows_size: float
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cut the time of a busy entity so that no slice has much more than `SLICE_BYTES` of either side.

    Args:
        moments: quantiles of the moments' instants, evenly spaced, sorted.
        rows: the same of the rows' instants.
        moments_size: of all its moments, in slices of that size.
        rows_size: of all its rows, in slices of that size.

    Returns:
        The cuts; and into how many buckets the moments of each slice are dealt, more than one where they are at one instant.
    """
    wanted = [_cut_evenly(moments, moments_size), _cut_evenly(rows, rows_size)]
    cuts = np.unique(np.concatenate(wanted)).astype(np.int64)
    slices = np.searchsorted(cuts, np.asarray(moments, dtype=np.int64), side="right")
    shares = np.bincount(slices, minlength=len(cuts) + 1) / max(len(moments), 1)
    fans = np.maximum(np.ceil(shares * moments_size - _ROUNDED), 1).astype(int)
    return tuple(cuts.tolist()), tuple(fans.tolist())


def _cut_evenly(instants: Sequence[int], size: float) -> list[int]:
    slices = ceil(size - _ROUNDED)
    return [instants[number * len(instants) // slices] for number in range(1, slices)] if instants else []


def _look_at_busy(
    sides: Sequence[Timed], loads: Sequence[Load], large: Mapping[int, float]
) -> list[tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]]:
    """The hashes, cuts and fans of the entities that are too large for a bucket."""
    looked_at = [_find_quantiles(side, large, is_moment=number == 0) for number, side in enumerate(sides)]
    table: pa.Table = reduce(lambda one, other: one.union(other), looked_at).toArrow()
    hashes = hash_rows([table[f"key_{number}"] for number in range(len(sides[0].entity))]).tolist()
    quantiles: dict[int, list[list[int]]] = {}
    in_spark: dict[int, int] = {}
    for hash_, row in zip(hashes, table.select(["hash", "is_moment", "instants"]).to_pylist(), strict=True):
        in_spark[hash_] = row["hash"]
        quantiles.setdefault(hash_, [[], []])[0 if row["is_moment"] else 1] += (
            row["instants"] or []
        )  # no moment has a time
    found = []
    for hash_, (moments, rows) in sorted(quantiles.items()):
        sizes = [load.frequent.get(in_spark[hash_], 0.0) * load.row_bytes / SLICE_BYTES for load in loads]
        cuts, fans = cut_time(sorted(moments), sorted(rows), moments_size=sizes[0], rows_size=sum(sizes[1:]))
        found.append(((hash_, narrow_hash(in_spark[hash_])), cuts, fans))
    return found


def _find_quantiles(side: Timed, large: Iterable[int], *, is_moment: bool) -> "DataFrame":
    steps = ", ".join(f"{number / _STEPS}D" for number in range(1, _STEPS))
    columns = side.sample.schema
    keys = [F.expr(tell_key(columns, name)).alias(f"key_{number}") for number, name in enumerate(side.entity)]
    names = [f"key_{number}" for number in range(len(keys))]
    instants = F.expr(f"percentile_approx(at, array({steps}), {_STEPS * 10})").alias("instants")
    timed = side.sample.select(side.hash().alias("hash"), *keys, "at")
    busy = timed.filter(F.col("hash").isin([*large])).groupBy("hash", *names).agg(instants)
    return busy.select("hash", F.lit(is_moment).alias("is_moment"), *names, "instants")


def _take_frequent(hashes: "Column | str") -> "Column":
    return F.call_function("approx_top_k", hashes, F.lit(_FREQUENT), F.lit(_TRACKED))


def _to_counts(frequent: Iterable[Any] | None) -> dict[int, float]:
    return {row["item"]: row["count"] / SHARE for row in frequent or () if row["item"] is not None}


def _estimate_value(kind: DataType) -> int:
    """Texts and nested values are guessed: a guess decides how the work is cut, and nothing else."""
    if isinstance(kind, BooleanType):
        return 1
    return 8 if isinstance(kind, NumericType | DatetimeType) else 32
