"""Records: what a store holds of an entity, so that it answers rightly as time goes by, without another publishing.

A row of a feature table is *visible* from the later of `timestamp` and `_known_at` on. At an instant m the row that counts is, among
the visible ones, that with the greatest (`timestamp`, `_known_at`). Rows become visible while nobody publishes: a row that was not
known yet, and in `aggregate` views the change points at which events leave their windows. So a record holds

* the row that counts at the instant of publishing, if there is one;
* the rows that become visible after it, up to the horizon;
* the instant from which on it may be wrong: the first at which a row that was left out becomes visible.

A reader takes the row that counts at the moment of its request, and gives nothing from that instant on; what it takes is then
exactly what the table at the published version says of the moment. A record's size is the number of an entity's changes within the
horizon; one busy entity's record is made by one task.

The text of a record: the first line is that instant, in microseconds, or `-`; each other line is a row, `timestamp _known_at {…}`, in
the order of (`timestamp`, `_known_at`). Values go by the numbers of their columns.
"""

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from sparkml_ops.serving.keys import key_column
from sparkml_ops.serving.publication import Publication
from sparkml_ops.serving.values import storable_value

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TIMESTAMP, KNOWN_AT = "timestamp", "_known_at"
KEY, CONTENT = "__key", "__content"
NEVER = "-"
UNTIL, _LINE, _RANK = "__until", "__line", "__rank"


def make_records(
    rows: "DataFrame", publication: Publication, *, at: int, through: int, only: "DataFrame | None" = None
) -> "DataFrame":
    """One record for each entity of a feature table: its entity columns, `__key` and `__content`.

    Args:
        rows: rows of the table.
        publication: which columns are the entity's, and which are features.
        at: the instant as of which the records are made, in microseconds.
        through: rows that become visible later are left out.
        only: the entities to make records of; all by default.
    """
    from pyspark.sql import functions as F

    entity, until = _entity_of(publication), F.col(UNTIL)
    text = F.to_json(F.struct(*_storable_values(rows, publication)), {"ignoreNullFields": "false"})
    line = F.struct(F.unix_micros(TIMESTAMP).alias("t"), F.unix_micros(KNOWN_AT).alias("k"), text.alias("text"))
    counting = list_counting(rows, publication, at=at, through=through)
    if only is not None:
        counting = counting.join(only, on=only.columns, how="left_semi")
    lines = counting.select(*entity, UNTIL, F.when(until.isNull(), line).alias(_LINE))
    in_order = F.array_sort(F.collect_list(_LINE))
    texts = F.transform(in_order, lambda row: F.concat_ws(" ", row["t"], row["k"], row["text"]))
    first = F.coalesce(F.min(UNTIL).cast("string"), F.lit(NEVER))
    grouped = lines.groupBy(*entity).agg(F.concat_ws("\n", F.array(first), texts).alias(CONTENT))
    return grouped.select(*entity, key_column(publication.entity).alias(KEY), CONTENT)


def list_counting(rows: "DataFrame", publication: Publication, *, at: int, through: int) -> "DataFrame":
    """The rows that records are made of, with `__until`: null, or when a row becomes visible that is left out for the horizon.

    Of the rows that are visible already only one of each entity goes on from where it is read, so that a long history costs little;
    of the others, files without any are not read at all.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.window import Window

    entity = _entity_of(publication)
    whole = reduce(and_, [column.isNotNull() for column in [*entity, F.col(TIMESTAMP), F.col(KNOWN_AT)]])
    now = F.timestamp_micros(F.lit(at))
    is_past = (F.col(TIMESTAMP) <= now) & (F.col(KNOWN_AT) <= now)
    newest = Window.partitionBy(*entity).orderBy(F.desc(TIMESTAMP), F.desc(KNOWN_AT))
    counting = rows.filter(whole & is_past).withColumn(_RANK, F.row_number().over(newest)).filter(F.col(_RANK) == 1)
    coming = rows.filter(whole & ((F.col(TIMESTAMP) > now) | (F.col(KNOWN_AT) > now)))
    visible = F.greatest(F.unix_micros(TIMESTAMP), F.unix_micros(KNOWN_AT))
    both = counting.drop(_RANK).unionByName(coming)
    return both.withColumn(UNTIL, F.when(visible > F.lit(through), visible))


def digest_row(rows: "DataFrame", publication: Publication, *, seed: int) -> "Column":
    """64 bits of what a row adds to a record; another seed gives other bits.

    Spark's hash passes over nulls and takes both zeros for the same. So nulls and zeros are told beside the values, and nested values
    are hashed as the texts that they are stored as.
    """
    from pyspark.sql import functions as F

    parts: list[Column] = []
    for column, value in zip(publication.columns, _storable_values(rows, publication), strict=True):
        is_nested = isinstance(column.type, dict)
        parts.append(F.to_json(F.struct(value), {"ignoreNullFields": "false"}) if is_nested else value)
        if column.type in ("float", "double"):
            parts.append(F.when(value == 0, value.cast("string")).otherwise(""))
        parts.append(value.isNull())
    return F.xxhash64(F.lit(seed), F.unix_micros(TIMESTAMP), F.unix_micros(KNOWN_AT), *parts)


def _storable_values(rows: "DataFrame", publication: Publication) -> "list[Column]":
    """Feature values as they are stored, named by their numbers."""
    from pyspark.sql import functions as F

    return [
        storable_value(F.col(f"`{column.name}`"), rows.schema[column.name].dataType).alias(str(number))
        for number, column in enumerate(publication.columns)
    ]


def _entity_of(publication: Publication) -> "list[Column]":
    from pyspark.sql import functions as F

    return [F.col(f"`{column.name}`") for column in publication.entity]


def visible_between(first: int, last: int) -> "Column":
    """Whether a row of a feature table becomes visible after the one instant, and not after the other."""
    from pyspark.sql import functions as F

    after, until = (F.timestamp_micros(F.lit(instant)) for instant in (first, last))
    times = [F.col(name).cast("timestamp") for name in (TIMESTAMP, KNOWN_AT)]
    # Said so, files whose rows are all older, or all younger, are not read.
    return ((times[0] > after) | (times[1] > after)) & (times[0] <= until) & (times[1] <= until)


def holds_until(record: bytes) -> int | None:
    """The instant from which on a record may be wrong; None for never."""
    first, _, _ = record.partition(b"\n")
    return None if first == NEVER.encode() else int(first)


def find_row(record: bytes, moment: int) -> tuple[int, int, bytes] | None:
    """The row that counts at a moment: its timestamp, `_known_at`, and values as JSON; None when none is visible yet."""
    for line in reversed(record.split(b"\n")[1:]):
        timestamp, known_at, values = line.split(b" ", 2)
        if int(timestamp) <= moment and int(known_at) <= moment:
            return int(timestamp), int(known_at), values
    return None


def move_record(record: bytes, moment: int) -> bytes:
    """A record as one that is made at a later moment would be: without the rows that no longer count."""
    until, *lines = record.split(b"\n")
    instants = [max(int(part) for part in line.split(b" ", 2)[:2]) for line in lines]
    counting = max((at for at, instant in enumerate(instants) if instant <= moment), default=None)
    kept = [line for at, line in enumerate(lines) if instants[at] > moment or at == counting]
    return b"\n".join([until, *kept])
