"""The point-in-time lookup: what was known about an entity at a moment.

* A row of a view can be seen at a moment when it was true and known by then: `timestamp <= moment` and `_known_at <= moment`.
* Of the rows that can be seen, the one with the greatest `timestamp` counts; of equal ones the one with the greatest
  `_known_at`, which is the latest correction; of these the one with the greatest content, compared column by column in the
  order of their names, null below every value.
* If it is older than the view's time to live, `timestamp < moment - ttl`, there is no row: older is missing, not stale.
* Without a row the view's columns are null. Counts are the exception: no row means that nothing happened, so they are 0.
* A moment with a null entity column, or without a time, gets null in every column of the view, counts included.
* Moments are never dropped and never doubled, and keep their columns and the order of those.
* Restated as it was known at an instant (`as_known_at`), a row can be seen when `timestamp <= moment` and `_known_at <= as_known_at`.

Moments and rows are dealt to buckets by a hash of the entity (`dealing.py`), where arrays find the rows (`newest.py`). Views of the
same entity share one shuffle, of which each row is a whole piece of a table in Arrow's format. A view's table whose files are on this
machine is not shuffled: each file is sorted by that hash, and a task reads the row groups that have its entities itself. A busy entity
is dealt by slices of time, so that no task holds it whole (`sizing.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, IntegralType, MapType, StructField, StructType, VariantType

from sparkml_ops.config.features import feature_name
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.dealing import (
    DEALT_COLUMNS,
    Deal,
    deal_moments,
    deal_rows,
    gather_batches,
    pack_rows,
    unpack_rows,
)
from sparkml_ops.features.entities import number_entities
from sparkml_ops.features.entity_hash import ENTITY_HASH, tell_hash
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP
from sparkml_ops.features.expressions import require_columns, require_instant
from sparkml_ops.features.newest import to_instants
from sparkml_ops.features.rounds import Batches, Round, Source, ViewRows, of_entity, plan_rounds, read_bucket, to_arrow
from sparkml_ops.features.sides import join_side
from sparkml_ops.lake import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NESTED = (ArrayType, MapType, StructType, VariantType)
_ROWS_PER_BATCH = 16_384  # that go back to the JVM at a time


def join_point_in_time(
    moments: "DataFrame", views: Sequence[ViewRows], *, timestamp: str, as_known_at: datetime | None = None
) -> "DataFrame":
    """Give each moment the features known at it.

    Runs two small jobs to see how large the work is (`sizing.py`): one counts the moments, one looks at a sample of the views.

    Args:
        moments: rows with the views' entity columns and a time.
        views: what to look up.
        timestamp: name of the column with the moment.
        as_known_at: restate the moments by what was known at this instant (with a zone); by default by what was known at each.

    Returns:
        The moments with a column `<view>__<column>` for every feature, in the order of the views.

    Raises:
        ConfigError: a column is missing, has another type than in the view, or is there already.
    """
    _check_moments(moments, views, timestamp)
    if not views:
        return moments
    rounds = plan_rounds(moments, views, timestamp, as_known_at)
    hashed = moments.select(
        "*",
        *(F.expr(tell_hash(moments.schema, one.entity)).alias(_name_hash(number)) for number, one in enumerate(rounds)),
    )
    columns = hashed.schema
    dealt = _deal_spine(hashed, rounds[0], timestamp)
    for number, one in enumerate(rounds):
        together = dealt
        for side, source in enumerate(one.sources, start=1):
            rows = _deal_view(source, one.deal, side)
            together = together if rows is None else together.union(rows)
        met = together.repartitionById(one.deal.buckets(), F.col("bucket"))
        schemas = (to_arrow(columns, "the moments"), *(source.side.schema for source in one.sources))
        columns = _add_features(columns, of_entity(views, one.entity))
        join = _joining(one, schemas, timestamp)
        if number + 1 < len(rounds):
            dealt = met.mapInArrow(_then_dealing(join, rounds[number + 1], number + 1, timestamp), DEALT_COLUMNS)
        else:
            joined = met.mapInArrow(_then_giving(join), columns)
    features = [feature_name(view.name, column) for view in views for column in view.columns]
    return joined.select(*(F.col(quote_identifier(name)) for name in [*moments.columns, *features]))


def _check_moments(moments: "DataFrame", views: Sequence[ViewRows], timestamp: str) -> None:
    require_instant(moments, timestamp, place="point-in-time lookup, the moment")
    for view in views:
        place = f"point-in-time lookup of {view.name}"
        require_columns(moments, view.entity, place=f"{place}, its entity in the moments")
        require_columns(view.rows, [*view.entity, TIMESTAMP, KNOWN_AT, *view.columns], place=f"{place}, its table")
        for column in view.entity:
            ours, theirs = moments.schema[column].dataType, view.rows.schema[column].dataType
            if isinstance(ours, _NESTED):
                raise ConfigError(
                    f"{place}: entity `{column}` is {ours.simpleString()}; an entity is named by texts, numbers, booleans, "
                    "dates or timestamps. Take a field or an element of it in the relation."
                )
            if ours != theirs and not (isinstance(ours, IntegralType) and isinstance(theirs, IntegralType)):
                raise ConfigError(
                    f"{place}: entity `{column}` is {ours.simpleString()} in the moments and {theirs.simpleString()} "
                    "in the view, so that no two values can be equal. Cast one of them in its relation."
                )
        added = {feature_name(view.name, column).lower() for column in view.columns}  # Spark's names have no case
        taken = sorted(name for name in moments.columns if name.lower() in added)
        if taken:
            raise ConfigError(f"{place}: the moments have a column `{taken[0]}` already. Rename it there.")


def _name_hash(number: int) -> str:
    return f"_sparkml_ops_hash_{number}"


def _add_features(columns: StructType, views: Iterable[ViewRows]) -> StructType:
    added = [
        StructField(feature_name(view.name, column), view.rows.schema[column].dataType)
        for view in views
        for column in view.columns
    ]
    return StructType([*columns.fields, *added])


def _deal_spine(moments: "DataFrame", first: Round, timestamp: str) -> "DataFrame":
    schema, deal = to_arrow(moments.schema, "the moments"), first.deal
    deal_table = _dealing(first, 0, timestamp)

    def run(batches: Batches) -> Batches:
        for table in gather_batches(batches, schema, deal):
            yield from deal_table(table)

    return moments.mapInArrow(run, DEALT_COLUMNS)


def _dealing(one: Round, number: int, timestamp: str) -> Callable[[pa.Table], Batches]:
    deal, entity = one.deal, one.entity

    def run(table: pa.Table) -> Batches:
        small_hash, moment = table[_name_hash(number)].to_numpy(), to_instants(table[timestamp])
        buckets = deal_moments(table, deal, entity=entity, small_hash=small_hash, moment=moment)
        yield from pack_rows(table, buckets, side=0)

    return run


def _deal_view(source: Source, deal: Deal, number: int) -> "DataFrame | None":
    """The rows of a view that are dealt; None where none is."""
    side, is_read = source.side, source.groups is not None

    def run(batches: Iterable[pa.RecordBatch]) -> Batches:
        for table in gather_batches(batches, side.schema, deal):
            seen = side.select_seen(table)
            keys = [seen[name] for name in side.entity]
            entity = number_entities([keys])[0] if deal.busy else np.zeros(len(seen), dtype=np.int64)
            small_hash = None if is_read else seen[ENTITY_HASH].to_numpy()
            rows = side.to_rows(seen, entity)
            positions, buckets = deal_rows(rows, deal, deal.find_busy(keys), small_hash=small_hash)
            yield from pack_rows(seen, buckets, side=number, positions=positions)

    return source.deal(deal, run)


def _joining(one: Round, schemas: Sequence[pa.Schema], timestamp: str) -> Callable[[Batches], pa.Table]:
    sides, groups, deal = [source.side for source in one.sources], [source.groups for source in one.sources], one.deal

    def join(batches: Batches) -> pa.Table:
        bucket, (moments, *rows) = unpack_rows(batches, schemas)
        is_shared = len(moments) > 0 and bucket < deal.shared
        for side, table, own in zip(sides, rows, groups, strict=True):
            there = read_bucket(side, own, deal, bucket) if is_shared and own is not None else table
            moments = join_side(moments, side, there, timestamp=timestamp)
        return moments

    return join


def _then_dealing(
    join: Callable[[Batches], pa.Table], following: Round, number: int, timestamp: str
) -> Callable[[Batches], Batches]:
    deal_table = _dealing(following, number, timestamp)

    def run(batches: Batches) -> Batches:
        yield from deal_table(join(batches))

    return run


def _then_giving(join: Callable[[Batches], pa.Table]) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        yield from join(batches).to_batches(_ROWS_PER_BATCH)

    return run
