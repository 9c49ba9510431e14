"""Moments and rows of views dealt to buckets, so that all that belongs to an entity meets in one, and no bucket is too large.

A bucket has the entities of a range of `_entity_hash`. An entity with so many rows that they would fill a bucket has buckets of its own:
its time is cut into slices. A slice needs, beside its own rows, the one row that counts where it begins; which one that is
nobody knows before all rows were seen, so each table that is dealt adds the greatest that it has. Where many moments of such an
entity are at the same instant, its slice has several buckets: each of them has all rows of the slice, and a part of its moments.

Nothing here depends on how rows came: a task that runs again deals every row to the same bucket.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from sparkml_ops.features.entities import find_whole, hash_rows, is_hashable
from sparkml_ops.features.entity_hash import HASHES
from sparkml_ops.features.newest import Rows, find_greatest
from sparkml_ops.features.window_sums import Positions

DEALT_SCHEMA = pa.schema([("bucket", pa.int32()), ("side", pa.int32()), ("rows", pa.binary())])
DEALT_COLUMNS = "bucket int, side int, rows binary"
_PIECE_BYTES, _MOST_BYTES = 2**18, 48 * 2**20
"""How much is gathered before it is dealt: so much for each bucket, since many small pieces cost more than few large ones."""


@dataclass(frozen=True)
class Busy:
    """An entity with buckets of its own.

    Attributes:
        hash: its hash, of 64 bits as `entities.py` has it.
        small_hash: its `_entity_hash`.
        first: its first bucket.
        cuts: the instants at which its second, third, … slice begins.
        fans: into how many buckets the moments of each slice are dealt.
    """

    hash: int
    small_hash: int
    first: int
    cuts: tuple[int, ...]
    fans: tuple[int, ...]

    def buckets(self) -> Positions:
        """The first bucket of each slice, and the one after the last."""
        return self.first + np.concatenate([[0], np.cumsum(self.fans)])


@dataclass(frozen=True)
class Deal:
    """How many buckets there are for the many, and which entities have some of their own."""

    shared: int
    busy: tuple[Busy, ...] = ()

    def buckets(self) -> int:
        """How many there are in all."""
        return self.shared + sum(sum(entity.fans) for entity in self.busy)

    def share(self, small_hashes: Positions) -> Positions:
        """The bucket of each entity that has none of its own."""
        return small_hashes.astype(np.int64) * self.shared // HASHES

    def hashes_of(self, bucket: int) -> range:
        """The `_entity_hash`es of a shared bucket."""
        return range(-(-bucket * HASHES // self.shared), -(-(bucket + 1) * HASHES // self.shared))

    def find_busy(self, columns: Sequence[pa.ChunkedArray]) -> Iterator[tuple[Busy, Positions]]:
        """The busy entities of some rows, by the entity's columns, and where they are."""
        if self.busy:
            hashes = hash_rows(columns)
            for busy in self.busy:
                places = np.flatnonzero(hashes == np.uint64(busy.hash))
                if len(places):
                    yield busy, places


def deal_moments(
    table: pa.Table, deal: Deal, *, entity: Sequence[str], small_hash: Positions, moment: Positions
) -> Positions:
    """The bucket of each moment; of one without an entity by a hash of all it has, so that these do not all meet."""
    columns = [table[name] for name in entity]
    buckets = deal.share(small_hash)
    plain = [table[name] for name in table.column_names if is_hashable(table[name].type)]
    lost = np.flatnonzero(~find_whole(columns))
    if len(lost):
        taken = [column.take(pa.array(lost)) for column in plain]
        buckets[lost] = (hash_rows(taken) % np.uint64(deal.shared)).astype(np.int64)
    for busy, places in deal.find_busy(columns):
        slices = np.searchsorted(busy.cuts, moment[places], side="right")
        fans = np.asarray(busy.fans)[slices].astype(np.uint64)
        if fans.max(initial=0) > 1:
            among = (hash_rows([column.take(pa.array(places)) for column in plain]) % fans).astype(np.int64)
        else:
            among = np.zeros(len(places), dtype=np.int64)
        buckets[places] = busy.buckets()[slices] + among
    return buckets


def deal_rows(
    rows: Rows, deal: Deal, busy: Iterable[tuple[Busy, Positions]], *, small_hash: Positions | None
) -> tuple[Positions | None, Positions]:
    """Positions of rows, None for all in their order, and the bucket of each.

    A row of a busy entity may be in several buckets, and is in none where it never counts.

    Args:
        rows: the rows.
        deal: where they go.
        busy: the busy entities among them, and where they are.
        small_hash: of each row; None where only those of the busy are dealt.
    """
    kept = np.full(len(rows.entity), small_hash is not None)
    positions, targets = [], []
    for one, places in busy:
        kept[places] = False
        for entity in np.unique(rows.entity[places]):
            mine = places[rows.entity[places] == entity]
            for slice_, at in enumerate(_slice_rows(rows.take(mine), one)):
                first, end = one.buckets()[slice_ : slice_ + 2]
                for bucket in range(first, end):
                    positions.append(mine[at])
                    targets.append(np.full(len(at), bucket))
    shared = np.zeros(0, dtype=np.int64) if small_hash is None else deal.share(small_hash)
    if kept.all():
        return None, shared
    others = np.flatnonzero(kept)
    return np.concatenate([others, *positions]), np.concatenate([shared[others], *targets])


def pack_rows(
    table: pa.Table, buckets: Positions, *, side: int, positions: Positions | None = None
) -> Iterator[pa.RecordBatch]:
    """A row for each bucket that has some: its number, whose rows they are, and the rows in Arrow's format.

    Args:
        table: the rows.
        buckets: where each goes.
        side: whose they are.
        positions: which rows go there; by default all, in their order.
    """
    if not len(buckets):
        return
    # Numbers of two bytes are sorted by their digits, which takes a tenth of the time.
    order = np.argsort(buckets.astype(np.uint16) if buckets.max() < 2**16 else buckets, kind="stable")
    ordered = buckets[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(ordered))
    taken = pa.array(order if positions is None else positions[order])
    sorted_rows = table.combine_chunks().to_batches()[0].take(taken)
    packed = [
        sorted_rows.slice(start, end - start).serialize().to_pybytes()
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    numbers = pa.array(ordered[starts].astype(np.int32))
    yield pa.record_batch(
        [numbers, pa.array([side] * len(packed), pa.int32()), pa.array(packed, pa.binary())], DEALT_SCHEMA
    )


def unpack_rows(batches: Iterable[pa.RecordBatch], schemas: Sequence[pa.Schema]) -> tuple[int, list[pa.Table]]:
    """What `pack_rows` packed, of one bucket: its number, -1 where nothing came, and a table for each side, in the order of the schemas."""
    found: list[list[pa.RecordBatch]] = [[] for _ in schemas]
    bucket = -1
    for batch in batches:
        for number, side, rows in zip(
            batch["bucket"].to_pylist(), batch["side"].to_pylist(), batch["rows"], strict=True
        ):
            bucket = number
            found[side].append(pa.ipc.read_record_batch(rows.as_buffer(), schemas[side]))
    tables = [pa.Table.from_batches(parts, schema) for parts, schema in zip(found, schemas, strict=True)]
    return bucket, [table.combine_chunks() for table in tables]


def gather_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, deal: Deal) -> Iterator[pa.Table]:
    """Batches put together to tables worth dealing, of exactly these types."""
    enough = min(_PIECE_BYTES * deal.buckets(), _MOST_BYTES)
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= enough:
            yield pa.Table.from_batches(held).cast(schema).combine_chunks()
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held).cast(schema).combine_chunks()


def _slice_rows(rows: Rows, busy: Busy) -> Iterator[Positions]:
    """For each slice of an entity the positions of its rows that can count: its own, and the greatest of those before it."""
    order = np.argsort(rows.visible, kind="stable")
    greatest, visible = find_greatest(rows, order), rows.visible[order]
    # Of rows that are seen from the same instant on only the greatest counts.
    counts = np.append(visible[1:] != visible[:-1], True)
    bounds = np.concatenate([[0], np.searchsorted(visible, busy.cuts), [len(visible)]])
    for start, end in pairwise(bounds.tolist()):
        own = greatest[start:end][counts[start:end]]
        before = greatest[start - 1 : start] if start else greatest[:0]
        yield np.unique(np.concatenate([before, own]))
