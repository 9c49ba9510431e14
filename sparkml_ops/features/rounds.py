"""The rounds of a look-up: the views of each entity, where their rows are, and how they and the moments are dealt."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.errors import PySparkTypeError
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.dealing import DEALT_COLUMNS, Deal
from sparkml_ops.features.entities import Mask
from sparkml_ops.features.entity_hash import ENTITY_HASH, has_hash, hash_column
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, instant_microseconds, to_microseconds
from sparkml_ops.features.sides import Side
from sparkml_ops.features.sizing import (
    SEED,
    SHARE,
    Load,
    Span,
    Timed,
    count_tasks,
    estimate_row,
    find_dense,
    measure_moments,
    measure_views,
    plan_deal,
)
from sparkml_ops.lake import RowGroup, bound_row_groups, list_paths, quote_identifier, read_row_groups

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Batches = Iterator[pa.RecordBatch]
_ROWS_PER_TASK = 500_000  # that are read to be dealt
_MOST_READ = 4  # times as many rows as there are: where tasks would read more, it is cheaper to deal them


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
class Source:
    """Where the tasks get the rows of a view that some moment may see.

    Attributes:
        side: what they know of it.
        rows: the rows in Spark.
        groups: the row groups that they read themselves, each task those with its entities; None where rows are dealt to them.
    """

    side: Side
    rows: "DataFrame"
    groups: Sequence[RowGroup] | None

    def deal(self, deal: Deal, take: Callable[[Iterable[pa.RecordBatch]], Batches]) -> "DataFrame | None":
        """What is made of the rows that are dealt, taken as Arrow batches; None where none is.

        All are, or where tasks read themselves those of busy entities and perhaps a few more.
        """
        if self.groups is None:
            return self.rows.mapInArrow(take, DEALT_COLUMNS)
        hashes = {entity.small_hash for entity in deal.busy}
        groups = [one for one in self.groups if any(one.least <= hash_ <= one.greatest for hash_ in hashes)]
        if not groups:
            return None
        side, tasks = self.side, -(-sum(one.rows for one in groups) // _ROWS_PER_TASK)

        def read_and_take(numbers: Batches) -> Batches:
            mine = [one for batch in numbers for number in batch["id"].to_pylist() for one in groups[number::tasks]]
            yield from take(_select(batch, hashes) for batch in read_row_groups(mine, side.schema))

        return self.rows.sparkSession.range(0, tasks, 1, tasks).mapInArrow(read_and_take, DEALT_COLUMNS)


@dataclass(frozen=True)
class Round:
    """The views of one entity, and how they and the moments are dealt."""

    entity: tuple[str, ...]
    sources: tuple[Source, ...]
    deal: Deal


def of_entity(views: Iterable[ViewRows], entity: tuple[str, ...]) -> list[ViewRows]:
    """The views that are looked up by these columns."""
    return [view for view in views if view.entity == entity]


def plan_rounds(
    moments: "DataFrame", views: Sequence[ViewRows], timestamp: str, as_known_at: datetime | None
) -> list[Round]:
    """A round for each entity; what adds few columns comes first, because the later rounds carry them on."""
    at = F.unix_micros(F.col(quote_identifier(timestamp)).cast("timestamp")).alias("at")
    by_width = {view.entity: sum(len(one.columns) for one in of_entity(views, view.entity)) for view in views}
    entities = sorted(by_width, key=lambda entity: by_width[entity])
    sampled, size = moments.sample(SHARE, SEED), estimate_row(moments.schema)
    spine = [
        Timed(sampled.select(*(F.col(quote_identifier(name)) for name in entity), at), entity, size)
        for entity in entities
    ]
    span, loads = measure_moments(moments, at, spine)
    sources = {
        entity: [_open_source(view, span, as_known_at) for view in of_entity(views, entity)] for entity in entities
    }
    timed = {entity: [_sample_source(source) for source in sources[entity]] for entity in entities}
    measured = iter(measure_views([one for entity in entities for one in timed[entity]]))
    rounds = []
    for entity, mine, load in zip(entities, spine, loads, strict=True):
        theirs = [next(measured) for _ in timed[entity]]
        rounds.append(_plan_round(sources[entity], [mine, *timed[entity]], [load, *theirs], count_tasks(moments)))
    return rounds


def _plan_round(sources: Sequence[Source], sides: Sequence[Timed], loads: Sequence[Load], parallelism: int) -> Round:
    deal = plan_deal(sides, loads, parallelism=parallelism)
    settled = tuple(_settle(source, deal) for source in sources)
    if any(one.groups is None and side.rows is not None for one, side in zip(settled, sides[1:], strict=True)):
        # What is dealt after all meets in its bucket at once: there have to be more of them.
        dealt = [
            replace(side, rows=None) if one.groups is None else side
            for one, side in zip(settled, sides[1:], strict=True)
        ]
        deal = plan_deal([sides[0], *dealt], loads, parallelism=parallelism)
    return Round(sides[0].entity, settled, deal)


def _settle(source: Source, deal: Deal) -> Source:
    """Deal rows after all, where files lie so that tasks would read much of them in vain."""
    if not source.groups:
        return source
    rows = sum(one.rows for one in source.groups)
    read = sum(one.rows * (_share(one.greatest, deal) - _share(one.least, deal) + 1) for one in source.groups)
    return replace(source, groups=None) if read > max(_MOST_READ * rows, _ROWS_PER_TASK) else source


def read_bucket(side: Side, groups: Iterable[RowGroup], deal: Deal, bucket: int) -> pa.Table:
    """The rows of the entities of a shared bucket, read from row groups by a task itself."""
    hashes = deal.hashes_of(bucket)
    found = [side.schema.empty_table()]
    mine = [one for one in groups if one.least < hashes.stop and one.greatest >= hashes.start]
    for batch in read_row_groups(mine, side.schema):
        table = pa.Table.from_batches([batch])
        small = table[ENTITY_HASH].to_numpy()
        seen = side.select_seen(_filter(table, (small >= hashes.start) & (small < hashes.stop)))
        is_other = np.ones(len(seen), dtype=bool)
        for _, places in deal.find_busy([seen[name] for name in side.entity]):
            is_other[places] = False
        found.append(_filter(seen, is_other))
    return pa.concat_tables(found).combine_chunks()


def _share(small_hash: int, deal: Deal) -> int:
    return int(deal.share(np.asarray(small_hash)))


def _select(batch: pa.RecordBatch, hashes: Collection[int]) -> pa.RecordBatch:
    return batch.filter(pa.array(np.isin(batch[ENTITY_HASH].to_numpy(), [*hashes])))


def _filter(table: pa.Table, kept: Mask) -> pa.Table:
    """Some rows; those that lie side by side are not copied."""
    if kept.all():
        return table
    places = np.flatnonzero(kept)
    if len(places) and places[-1] - places[0] + 1 == len(places):
        return table.slice(places[0], len(places))
    return table.filter(pa.array(kept))


def _open_source(view: ViewRows, span: Span, as_known_at: datetime | None) -> Source:
    columns = [*view.entity, TIMESTAMP, KNOWN_AT, *view.columns]
    is_sorted = has_hash(view.rows.schema, view.entity)
    hash_ = F.col(ENTITY_HASH) if is_sorted else hash_column(view.rows.schema, view.entity)
    wanted = view.rows.select(*(F.col(quote_identifier(name)) for name in columns), hash_)
    ttl = None if view.ttl is None else to_microseconds(view.ttl)
    side = Side(
        name=view.name,
        entity=view.entity,
        columns=view.columns,
        schema=to_arrow(wanted.schema, f"the table of {view.name}"),
        ttl=ttl,
        counts=view.counts,
        first=None if ttl is None else span.first - ttl,
        last=span.last,
        as_known_at=None if as_known_at is None else instant_microseconds(as_known_at),
    )
    timestamp, known_at = F.unix_micros(F.col(TIMESTAMP)), F.unix_micros(F.col(KNOWN_AT))
    is_seen = (timestamp <= F.lit(side.last)) & (known_at <= F.lit(side.known_until()))
    if side.first is not None:
        is_seen &= timestamp >= F.lit(side.first)
    rows = wanted.filter(is_seen)
    is_read = view.has_plain_files and is_sorted
    return Source(side, rows, bound_row_groups(list_paths(rows), ENTITY_HASH) if is_read else None)


def _sample_source(source: Source) -> Timed:
    side, row_bytes = source.side, estimate_row(source.rows.schema)
    at = F.greatest(F.unix_micros(F.col(TIMESTAMP)), F.unix_micros(F.col(KNOWN_AT))).alias("at")
    keys = [F.col(quote_identifier(name)) for name in side.entity]
    if source.groups is None:
        return Timed(source.rows.sample(SHARE, SEED).select(*keys, at), side.entity, row_bytes)
    rows, dense = sum(one.rows for one in source.groups), find_dense(source.groups, row_bytes)
    # Row groups without any of these hashes are passed over.
    sample = source.rows.filter(F.col(ENTITY_HASH).isin(dense)).sample(SHARE, SEED).select(*keys, at)
    return Timed(sample, side.entity, row_bytes, rows, is_even=not dense)


def to_arrow(columns: StructType, place: str) -> pa.Schema:
    """Columns as Arrow has them.

    Raises:
        ConfigError: one has a type that Arrow has not.
    """
    try:
        return to_arrow_schema(columns, timezone="UTC")
    except PySparkTypeError as error:
        raise ConfigError(
            f"point-in-time lookup: {place} have a column that cannot be carried: {error}. Cast it, or leave it out."
        ) from error
