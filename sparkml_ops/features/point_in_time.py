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
same entity share one shuffle, of which each row is a whole piece of a table in Arrow's format. Of a table whose files are on this machine,
tasks read these themselves. A busy entity is dealt by slices of time, so that no task holds it whole (`sizing.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import PySparkTypeError
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import IntegralType, StructField, StructType

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
from sparkml_ops.features.entities import hash_rows, number_entities
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, to_microseconds
from sparkml_ops.features.expressions import require_columns, require_instant
from sparkml_ops.features.newest import to_instants
from sparkml_ops.features.sides import Side, join_sides
from sparkml_ops.features.sizing import Span, Timed, estimate_row, measure_moments, measure_views, plan_deal
from sparkml_ops.lake import quote_identifier, read_parts, split_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_Batches = Iterator[pa.RecordBatch]
_ROWS_PER_BATCH = 16_384  # that go back to the JVM at a time


@dataclass(frozen=True)
class ViewRows:
    """A feature view, ready to be looked up.

    Attributes:
        name: its name.
        entity: its entity columns.
        columns: its feature columns.
        rows: entity columns, timestamp, _known_at and the feature columns.
        ttl: age past which a row says nothing; None for never.
        counts: the columns that are 0 where there is no row.
        has_plain_files: whether tasks may read the files of `rows` themselves.
    """

    name: str
    entity: tuple[str, ...]
    columns: tuple[str, ...]
    rows: "DataFrame"
    ttl: timedelta | None = None
    counts: frozenset[str] = frozenset()
    has_plain_files: bool = False


@dataclass(frozen=True)
class _Round:
    """The views of one entity, and how they and the moments are dealt."""

    entity: tuple[str, ...]
    sides: tuple[Side, ...]
    rows: tuple["DataFrame", ...]
    deal: Deal


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
    rounds = _plan_rounds(moments, views, timestamp, as_known_at)
    columns = moments.schema
    dealt = _deal_spine(moments, rounds[0], timestamp)
    for number, one in enumerate(rounds):
        together = dealt
        for side, rows, view in zip(one.sides, one.rows, _of_entity(views, one.entity), strict=True):
            together = together.union(_deal_view(side, rows, one, view))
        met = together.repartitionById(one.deal.buckets(), F.col("bucket"))
        schemas = (_to_arrow(columns, "the moments"), *(side.schema for side in one.sides))
        columns = _add_features(columns, _of_entity(views, one.entity))
        join = _joining(one, schemas, timestamp)
        if number + 1 < len(rounds):
            dealt = met.mapInArrow(_then_dealing(join, rounds[number + 1], timestamp), DEALT_COLUMNS)
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
            if ours != theirs and not (isinstance(ours, IntegralType) and isinstance(theirs, IntegralType)):
                raise ConfigError(
                    f"{place}: entity `{column}` is {ours.simpleString()} in the moments and {theirs.simpleString()} "
                    "in the view, so that no two values can be equal. Cast one of them in its relation."
                )
        taken = sorted({feature_name(view.name, column) for column in view.columns} & set(moments.columns))
        if taken:
            raise ConfigError(f"{place}: the moments have a column `{taken[0]}` already. Rename it there.")


def _of_entity(views: Iterable[ViewRows], entity: tuple[str, ...]) -> list[ViewRows]:
    return [view for view in views if view.entity == entity]


def _plan_rounds(
    moments: "DataFrame", views: Sequence[ViewRows], timestamp: str, as_known_at: datetime | None
) -> list[_Round]:
    """A round for each entity; what adds few columns comes first, because the later rounds carry them on."""
    at = F.unix_micros(F.col(quote_identifier(timestamp)).cast("timestamp"))
    by_width = {view.entity: sum(len(one.columns) for one in _of_entity(views, view.entity)) for view in views}
    entities = sorted(by_width, key=lambda entity: by_width[entity])
    spine = [Timed(moments, entity, at, estimate_row(moments.schema)) for entity in entities]
    span, loads = measure_moments(spine, at)
    seen = {entity: [_open_side(view, span, as_known_at) for view in _of_entity(views, entity)] for entity in entities}
    measured = iter(measure_views([timed for entity in entities for _, timed in seen[entity]]))
    parallelism = _parallelism(moments)
    rounds = []
    for entity, mine, load in zip(entities, spine, loads, strict=True):
        sides = [timed for _, timed in seen[entity]]
        deal = plan_deal([mine, *sides], [load, *(next(measured) for _ in sides)], parallelism=parallelism)
        rounds.append(_Round(entity, tuple(side for side, _ in seen[entity]), tuple(side.rows for side in sides), deal))
    return rounds


def _open_side(view: ViewRows, span: Span, as_known_at: datetime | None) -> tuple[Side, Timed]:
    """What tasks know of a view, and those of its rows that some moment may see."""
    wanted = view.rows.select(
        *(F.col(quote_identifier(name)) for name in (*view.entity, TIMESTAMP, KNOWN_AT, *view.columns))
    )
    ttl = None if view.ttl is None else to_microseconds(view.ttl)
    first = None if ttl is None else span.first - ttl
    known_until = (
        None if as_known_at is None else to_microseconds(as_known_at - datetime.fromtimestamp(0, tz=as_known_at.tzinfo))
    )
    schema = _to_arrow(wanted.schema, f"the table of {view.name}")
    side = Side(view.name, view.entity, view.columns, schema, ttl, view.counts, first, span.last, known_until)
    timestamp, known_at = F.unix_micros(F.col(TIMESTAMP)), F.unix_micros(F.col(KNOWN_AT))
    is_seen = (timestamp <= F.lit(span.last)) & (known_at <= F.lit(span.last if known_until is None else known_until))
    if first is not None:
        is_seen &= timestamp >= F.lit(first)
    return side, Timed(
        wanted.filter(is_seen), view.entity, F.greatest(timestamp, known_at), estimate_row(wanted.schema)
    )


def _parallelism(rows: "DataFrame") -> int:
    """How many tasks a shuffle has by default; some platforms say `auto`."""
    setting = rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or ""
    return int(setting) if setting.isdigit() else 200


def _to_arrow(columns: StructType, place: str) -> pa.Schema:
    try:
        return to_arrow_schema(columns, timezone="UTC")
    except PySparkTypeError as error:
        raise ConfigError(
            f"point-in-time lookup: {place} have a column that cannot be carried: {error}. Cast it, or leave it out."
        ) from error


def _add_features(columns: StructType, views: Iterable[ViewRows]) -> StructType:
    added = [
        StructField(feature_name(view.name, column), view.rows.schema[column].dataType)
        for view in views
        for column in view.columns
    ]
    return StructType([*columns.fields, *added])


def _deal_spine(moments: "DataFrame", first: _Round, timestamp: str) -> "DataFrame":
    schema, deal, entity = _to_arrow(moments.schema, "the moments"), first.deal, first.entity

    def run(batches: _Batches) -> _Batches:
        for table in gather_batches(batches, schema):
            buckets = deal_moments(table, deal, entity=entity, moment=to_instants(table[timestamp]))
            yield from pack_rows(table, buckets, side=0)

    return moments.mapInArrow(run, DEALT_COLUMNS)


def _deal_view(side: Side, rows: "DataFrame", one: _Round, view: ViewRows) -> "DataFrame":
    number, deal = one.sides.index(side) + 1, one.deal

    def deal_batches(batches: Iterable[pa.RecordBatch]) -> _Batches:
        for table in gather_batches(batches, side.schema):
            seen = side.select_seen(table)
            if len(seen):
                keys = [seen[name] for name in side.entity]
                positions, buckets = deal_rows(side.to_rows(seen, number_entities([keys])[0]), deal, hash_rows(keys))
                yield from pack_rows(seen.take(pa.array(positions)), buckets, side=number)

    if not view.has_plain_files:
        return rows.mapInArrow(deal_batches, DEALT_COLUMNS)
    parts = split_files(rows)

    def read_and_deal(numbers: _Batches) -> _Batches:
        mine = [part for batch in numbers for number in batch["id"].to_pylist() for part in parts[number]]
        yield from deal_batches(read_parts(mine, side.schema))

    count = max(len(parts), 1)
    return rows.sparkSession.range(0, len(parts), 1, count).mapInArrow(read_and_deal, DEALT_COLUMNS)


def _joining(one: _Round, schemas: Sequence[pa.Schema], timestamp: str) -> Callable[[_Batches], pa.Table]:
    sides = one.sides

    def join(batches: _Batches) -> pa.Table:
        moments, *rows = unpack_rows(batches, schemas)
        return join_sides(moments, list(zip(sides, rows, strict=True)), timestamp=timestamp)

    return join


def _then_dealing(
    join: Callable[[_Batches], pa.Table], following: _Round, timestamp: str
) -> Callable[[_Batches], _Batches]:
    deal, entity = following.deal, following.entity

    def run(batches: _Batches) -> _Batches:
        table = join(batches)
        buckets = deal_moments(table, deal, entity=entity, moment=to_instants(table[timestamp]))
        yield from pack_rows(table, buckets, side=0)

    return run


def _then_giving(join: Callable[[_Batches], pa.Table]) -> Callable[[_Batches], _Batches]:
    def run(batches: _Batches) -> _Batches:
        yield from join(batches).to_batches(_ROWS_PER_BATCH)

    return run
