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
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.errors import PySparkTypeError
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, IntegralType, LongType, MapType, StructField, StructType, VariantType

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
from sparkml_ops.features.sides import Side, join_sides, sample_rows
from sparkml_ops.features.sizing import (
    SEED,
    SHARE,
    Span,
    Timed,
    estimate_row,
    measure_moments,
    measure_views,
    plan_deal,
)
from sparkml_ops.lake import FilePart, quote_identifier, read_parts, split_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_Batches = Iterator[pa.RecordBatch]
_NESTED = (ArrayType, MapType, StructType, VariantType)
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
class _Source:
    """Where the tasks get the rows of a view that some moment may see.

    Attributes:
        side: what they know of it.
        rows: the rows in Spark.
        parts: the files that they read instead; None where they cannot.
    """

    side: Side
    rows: "DataFrame"
    parts: list[list[FilePart]] | None

    def read(self, take: Callable[[Iterable[pa.RecordBatch]], _Batches], columns: StructType | str) -> "DataFrame":
        """What tasks make of the rows, taken as Arrow batches of the side's columns."""
        side, parts = self.side, self.parts
        if parts is None:
            return self.rows.mapInArrow(take, columns)

        def read_and_take(numbers: _Batches) -> _Batches:
            mine = [part for batch in numbers for number in batch["id"].to_pylist() for part in parts[number]]
            yield from take(read_parts(mine, side.schema))

        return self.rows.sparkSession.range(0, len(parts), 1, max(len(parts), 1)).mapInArrow(read_and_take, columns)


@dataclass(frozen=True)
class _Round:
    """The views of one entity, and how they and the moments are dealt."""

    entity: tuple[str, ...]
    sources: tuple["_Source", ...]
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
        for side, source in enumerate(one.sources, start=1):
            together = together.union(_deal_view(source, one.deal, side))
        met = together.repartitionById(one.deal.buckets(), F.col("bucket"))
        schemas = (_to_arrow(columns, "the moments"), *(source.side.schema for source in one.sources))
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
        taken = sorted({feature_name(view.name, column) for column in view.columns} & set(moments.columns))
        if taken:
            raise ConfigError(f"{place}: the moments have a column `{taken[0]}` already. Rename it there.")


def _of_entity(views: Iterable[ViewRows], entity: tuple[str, ...]) -> list[ViewRows]:
    return [view for view in views if view.entity == entity]


def _plan_rounds(
    moments: "DataFrame", views: Sequence[ViewRows], timestamp: str, as_known_at: datetime | None
) -> list[_Round]:
    """A round for each entity; what adds few columns comes first, because the later rounds carry them on."""
    at = F.unix_micros(F.col(quote_identifier(timestamp)).cast("timestamp")).alias("at")
    by_width = {view.entity: sum(len(one.columns) for one in _of_entity(views, view.entity)) for view in views}
    entities = sorted(by_width, key=lambda entity: by_width[entity])
    sampled, size = moments.sample(SHARE, SEED), estimate_row(moments.schema)
    spine = [
        Timed(sampled.select(*(F.col(quote_identifier(name)) for name in entity), at), entity, size)
        for entity in entities
    ]
    span, loads = measure_moments(moments, at, spine)
    sources = {
        entity: [_open_source(view, span, as_known_at) for view in _of_entity(views, entity)] for entity in entities
    }
    timed = {entity: [_sample_source(source) for source in sources[entity]] for entity in entities}
    measured = iter(measure_views([one for entity in entities for one in timed[entity]]))
    rounds = []
    for entity, mine, load in zip(entities, spine, loads, strict=True):
        theirs = [next(measured) for _ in timed[entity]]
        deal = plan_deal([mine, *timed[entity]], [load, *theirs], parallelism=_parallelism(moments))
        rounds.append(_Round(entity, tuple(sources[entity]), deal))
    return rounds


def _open_source(view: ViewRows, span: Span, as_known_at: datetime | None) -> _Source:
    columns = [*view.entity, TIMESTAMP, KNOWN_AT, *view.columns]
    wanted = view.rows.select(*(F.col(quote_identifier(name)) for name in columns))
    ttl = None if view.ttl is None else to_microseconds(view.ttl)
    side = Side(
        name=view.name,
        entity=view.entity,
        columns=view.columns,
        schema=_to_arrow(wanted.schema, f"the table of {view.name}"),
        ttl=ttl,
        counts=view.counts,
        first=None if ttl is None else span.first - ttl,
        last=span.last,
        as_known_at=None if as_known_at is None else _to_micros(as_known_at),
    )
    timestamp, known_at = F.unix_micros(F.col(TIMESTAMP)), F.unix_micros(F.col(KNOWN_AT))
    is_seen = (timestamp <= F.lit(side.last)) & (known_at <= F.lit(side.known_until()))
    if side.first is not None:
        is_seen &= timestamp >= F.lit(side.first)
    rows = wanted.filter(is_seen)
    return _Source(side, rows, split_files(rows) if view.has_plain_files else None)


def _sample_source(source: _Source) -> Timed:
    side = source.side
    names = [F.col(quote_identifier(name)) for name in side.entity]
    if source.parts is None:
        at = F.greatest(F.unix_micros(F.col(TIMESTAMP)), F.unix_micros(F.col(KNOWN_AT))).alias("at")
        return Timed(source.rows.sample(SHARE, SEED).select(*names, at), side.entity, estimate_row(source.rows.schema))
    bare = side.without_columns()
    columns = StructType([*(source.rows.schema[name] for name in side.entity), StructField("at", LongType())])

    def draw(batches: Iterable[pa.RecordBatch]) -> _Batches:
        yield from sample_rows(batches, bare)

    sample, row_bytes = replace(source, side=bare).read(draw, columns), estimate_row(source.rows.schema)
    return Timed(sample, side.entity, row_bytes, sum(part.file_bytes for parts in source.parts for part in parts))


def _to_micros(instant: datetime) -> int:
    return to_microseconds(instant - datetime(1970, 1, 1, tzinfo=UTC))


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
        for table in gather_batches(batches, schema, deal):
            buckets = deal_moments(table, deal, entity=entity, moment=to_instants(table[timestamp]))
            yield from pack_rows(table, buckets, side=0)

    return moments.mapInArrow(run, DEALT_COLUMNS)


def _deal_view(source: _Source, deal: Deal, number: int) -> "DataFrame":
    side = source.side

    def run(batches: Iterable[pa.RecordBatch]) -> _Batches:
        for table in gather_batches(batches, side.schema, deal):
            seen = side.select_seen(table)
            keys = [seen[name] for name in side.entity]
            entity = number_entities([keys])[0] if deal.busy else np.zeros(0, dtype=np.int64)
            positions, buckets = deal_rows(side.to_rows(seen, entity), deal, hash_rows(keys))
            yield from pack_rows(seen, buckets, side=number, positions=positions)

    return source.read(run, DEALT_COLUMNS)


def _joining(one: _Round, schemas: Sequence[pa.Schema], timestamp: str) -> Callable[[_Batches], pa.Table]:
    sides = [source.side for source in one.sources]

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
