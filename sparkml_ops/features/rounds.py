"""The rounds of a look-up: the views of each entity, where their rows are, and how they and the moments are dealt."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import PySparkTypeError
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StructField, StructType

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.dealing import Deal
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, instant_microseconds, to_microseconds
from sparkml_ops.features.sides import Side, sample_rows
from sparkml_ops.features.sizing import (
    SEED,
    SHARE,
    Span,
    Timed,
    count_tasks,
    estimate_row,
    measure_moments,
    measure_views,
    plan_deal,
)
from sparkml_ops.lake import FilePart, quote_identifier, read_parts, split_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Batches = Iterator[pa.RecordBatch]


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
        parts: the files that they read instead; None where they cannot.
    """

    side: Side
    rows: "DataFrame"
    parts: list[list[FilePart]] | None

    def read(self, take: Callable[[Iterable[pa.RecordBatch]], Batches], columns: StructType | str) -> "DataFrame":
        """What tasks make of the rows, taken as Arrow batches of the side's columns."""
        side, parts = self.side, self.parts
        if parts is None:
            return self.rows.mapInArrow(take, columns)

        def read_and_take(numbers: Batches) -> Batches:
            mine = [part for batch in numbers for number in batch["id"].to_pylist() for part in parts[number]]
            yield from take(read_parts(mine, side.schema))

        return self.rows.sparkSession.range(0, len(parts), 1, max(len(parts), 1)).mapInArrow(read_and_take, columns)


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
        deal = plan_deal([mine, *timed[entity]], [load, *theirs], parallelism=count_tasks(moments))
        rounds.append(Round(entity, tuple(sources[entity]), deal))
    return rounds


def _open_source(view: ViewRows, span: Span, as_known_at: datetime | None) -> Source:
    columns = [*view.entity, TIMESTAMP, KNOWN_AT, *view.columns]
    wanted = view.rows.select(*(F.col(quote_identifier(name)) for name in columns))
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
    return Source(side, rows, split_files(rows) if view.has_plain_files else None)


def _sample_source(source: Source) -> Timed:
    side = source.side
    names = [F.col(quote_identifier(name)) for name in side.entity]
    if source.parts is None:
        at = F.greatest(F.unix_micros(F.col(TIMESTAMP)), F.unix_micros(F.col(KNOWN_AT))).alias("at")
        return Timed(source.rows.sample(SHARE, SEED).select(*names, at), side.entity, estimate_row(source.rows.schema))
    bare = side.without_columns()
    columns = StructType([*(source.rows.schema[name] for name in side.entity), StructField("at", LongType())])

    def draw(batches: Iterable[pa.RecordBatch]) -> Batches:
        yield from sample_rows(batches, bare)

    sample, row_bytes = replace(source, side=bare).read(draw, columns), estimate_row(source.rows.schema)
    return Timed(sample, side.entity, row_bytes, sum(part.file_bytes for parts in source.parts for part in parts))


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
