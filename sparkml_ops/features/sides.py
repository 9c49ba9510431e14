"""A view as a task of the look-up knows it: which of its rows can be seen, and its columns beside the moments'."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml_ops.config.features import feature_name
from sparkml_ops.features.entities import Mask, find_whole, number_entities
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP
from sparkml_ops.features.newest import Rows, find_newest, to_instants
from sparkml_ops.features.window_sums import Positions


@dataclass(frozen=True)
class Side:
    """What a task needs to know of a view.

    Attributes:
        name: its name.
        entity: its entity columns.
        columns: its feature columns.
        schema: types of its entity columns, timestamp, _known_at, feature columns and _entity_hash.
        ttl: age in microseconds past which a row says nothing; None for never.
        counts: the columns that are 0 where there is no row.
        first: rows older than this, in microseconds since 1970, are seen by nobody; None where there is no such age.
        last: the last moment.
        as_known_at: the instant whose knowledge counts, whatever the moment; None for that of each moment.
    """

    name: str
    entity: tuple[str, ...]
    columns: tuple[str, ...]
    schema: pa.Schema
    ttl: int | None
    counts: frozenset[str]
    first: int | None
    last: int
    as_known_at: int | None

    def known_until(self) -> int:
        """The last instant at which a row may become known and still be seen."""
        return self.last if self.as_known_at is None else self.as_known_at

    def select_seen(self, table: pa.Table) -> pa.Table:
        """The rows that some moment may see."""
        timestamp, known_at = to_instants(table[TIMESTAMP]), to_instants(table[KNOWN_AT])
        seen = find_whole([table[name] for name in (*self.entity, TIMESTAMP, KNOWN_AT)])
        seen &= (timestamp <= self.last) & (known_at <= self.known_until())
        if self.first is not None:
            seen &= timestamp >= self.first
        return table if seen.all() else table.filter(pa.array(seen))

    def to_rows(self, table: pa.Table, entity: Positions) -> Rows:
        """The rows as arrays, with the number of each row's entity."""
        timestamp, known_at = to_instants(table[TIMESTAMP]), to_instants(table[KNOWN_AT])
        visible = np.maximum(timestamp, known_at) if self.as_known_at is None else timestamp
        return Rows(entity, visible, timestamp, known_at, table.select(self.columns))


def join_side(moments: pa.Table, side: Side, table: pa.Table, *, timestamp: str) -> pa.Table:
    """Put the columns of a view beside the moments; all of its rows of the moments' entities must be there."""
    whole = find_whole([moments[name] for name in (*side.entity, timestamp)])
    ours, theirs = number_entities([[rows[name] for name in side.entity] for rows in (moments, table)])
    position, found = find_newest(ours, to_instants(moments[timestamp]), side.to_rows(table, theirs), ttl=side.ttl)
    return _append_columns(moments, side, table, position, found=found & whole, whole=whole)


def _append_columns(  # arrays of one length
    moments: pa.Table, side: Side, table: pa.Table, position: Positions, *, found: Mask, whole: Mask
) -> pa.Table:
    taken = pa.array(position, mask=~found)
    for name in side.columns:
        column = table[name].take(taken) if len(table) else pa.nulls(len(moments), side.schema.field(name).type)
        if name in side.counts:
            column = pc.if_else(pc.and_(pa.array(whole), pc.is_null(column)), pa.scalar(0, column.type), column)
        moments = moments.append_column(feature_name(side.name, name), column)
    return moments
