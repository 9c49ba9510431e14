"""Which row of a view counts at a moment: the arithmetic of the point-in-time lookup, over arrays.

All times are microseconds since 1970 in UTC. A row can be seen from `visible = max(timestamp, known_at)` on. At the moment m counts, of
the rows with visible <= m, the one with the greatest (timestamp, known_at); of equal ones the one with the greatest content. If
it is older than the time to live, nothing counts.

Rows are sorted by entity and visible. Where timestamps grow with it, which is nearly everywhere, the last row before a moment is the
one; where a correction or a late row came in between, the greatest so far is carried on.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml_ops.features.entities import Mask
from sparkml_ops.features.window_sums import Positions

_FITS = 2**62


@dataclass(frozen=True)
class Rows:
    """Rows of a view, column by column.

    Attributes:
        entity: the number of each row's entity.
        visible: from when on it can be seen.
        timestamp: when it was true.
        known_at: when it was known.
        content: the columns by which equal ones are told apart.
    """

    entity: Positions
    visible: Positions
    timestamp: Positions
    known_at: Positions
    content: pa.Table

    def take(self, positions: Positions) -> "Rows":
        """Some of the rows."""
        return Rows(
            self.entity[positions],
            self.visible[positions],
            self.timestamp[positions],
            self.known_at[positions],
            self.content.take(pa.array(positions)),
        )


def find_newest(entity: Positions, moment: Positions, rows: Rows, *, ttl: int | None) -> tuple[Positions, Mask]:
    """For each moment of an entity the row that counts.

    Args:
        entity: the number of each moment's entity.
        moment: the moments.
        rows: rows of the view, in any order.
        ttl: age past which a row says nothing, None for never.

    Returns:
        The position of the row, and whether there is one; where there is none the position means nothing.
    """
    if not len(rows.entity):
        return np.zeros(len(moment), dtype=np.int64), np.zeros(len(moment), dtype=bool)
    seen, asked = _to_one_number(rows, entity, moment)
    order = np.argsort(seen, kind="stable")
    greatest = find_greatest(rows, order)
    last = np.searchsorted(seen[order], asked, side="right") - 1
    at = np.maximum(last, 0)
    found = (last >= 0) & (rows.entity[order[at]] == entity)
    position = greatest[at]
    if ttl is not None:
        found &= rows.timestamp[position] >= moment - ttl
    return position, found


def find_greatest(rows: Rows, order: Positions) -> Positions:
    """At each place of an order by (entity, visible) the row of the entity that is the greatest so far.

    Args:
        rows: the rows.
        order: their positions, sorted by entity and visible.
    """
    entity, visible, timestamp = rows.entity[order], rows.visible[order], rows.timestamp[order]
    is_same = entity[1:] == entity[:-1]
    falls = timestamp[1:] < timestamp[:-1]
    is_tied = (timestamp[1:] == timestamp[:-1]) & (visible[1:] == visible[:-1])
    unsure = np.unique(entity[1:][is_same & (falls | is_tied)])
    if not len(unsure):
        return order
    places = np.flatnonzero(np.isin(entity, unsure))
    doubtful = order[places]
    rank = rank_rows(rows.take(doubtful))
    by_rank = np.empty(len(doubtful), dtype=np.int64)
    by_rank[rank] = doubtful
    greatest = order.copy()
    # Ranks of one entity are all above those of the entity before: the running maximum starts anew with each.
    greatest[places] = by_rank[np.maximum.accumulate(rank)]
    return greatest


def rank_rows(rows: Rows) -> Positions:
    """The rank of each row, from 0, by (entity, timestamp, known_at, content)."""
    order = np.lexsort((rows.known_at, rows.timestamp, rows.entity))
    keys = (rows.entity, rows.timestamp, rows.known_at)
    is_tied = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    if is_tied.any():
        tied = np.flatnonzero(np.append(is_tied, False) | np.append(False, is_tied))
        among = rows.take(order[tied])
        contents = _rank_content(among.content)
        order[tied] = order[tied][np.lexsort((*contents, among.known_at, among.timestamp, among.entity))]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _rank_content(content: pa.Table) -> list[Positions]:
    """Ranks of the values of each column, the last name first, as `lexsort` wants them; null is below every value, NaN above."""
    return [_rank_values(content[name].combine_chunks()) for name in sorted(content.column_names, reverse=True)]


def _rank_values(values: pa.Array) -> Positions:
    if pa.types.is_nested(values.type):
        values = pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        is_null = pc.is_null(values).to_numpy(zero_copy_only=False)
        _, rank = np.unique(numbers, return_inverse=True)  # NaN comes last
        return np.where(is_null, -1, rank)
    ranked: Positions = pc.rank(values, "ascending", null_placement="at_start", tiebreaker="dense").to_numpy()
    return ranked.astype(np.int64)


def _to_one_number(rows: Rows, entity: Positions, moment: Positions) -> tuple[Positions, Positions]:
    """Entity and time as one sortable number, of rows and of moments."""
    first = min(int(rows.visible.min()), int(moment.min(initial=_FITS)))
    width = max(int(rows.visible.max()), int(moment.max(initial=-_FITS))) - first + 1
    entities = max(int(rows.entity.max()), int(entity.max(initial=0))) + 1
    if width * entities < _FITS:
        return rows.entity * width + (rows.visible - first), entity * width + (moment - first)
    instants = np.unique(np.concatenate([rows.visible, moment]))
    seen, asked = np.searchsorted(instants, rows.visible), np.searchsorted(instants, moment)
    return rows.entity * len(instants) + seen, entity * len(instants) + asked


def to_instants(column: pa.ChunkedArray) -> Positions:
    """Instants or dates as microseconds; null as 0."""
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    instants = column.cast(pa.timestamp("us", zone), safe=False)
    numbers: Positions = instants.cast(pa.int64()).fill_null(0).to_numpy()
    return numbers
