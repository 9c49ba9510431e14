"""Entities in Arrow columns: equal numbers for equal entities, and hashes that are the same in every process.

Entities are equal as they are in a join of Spark: whole numbers of every size by their value, NaN with NaN, 0.0 with -0.0, and null
with nothing.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkml_ops.features.window_sums import Positions

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_NULL = np.uint64(0x9E3779B97F4A7C15)


def find_whole(columns: Sequence[pa.ChunkedArray]) -> Mask:
    """Per row, whether none of the columns is null."""
    whole = np.ones(len(columns[0]) if columns else 0, dtype=bool)
    for column in columns:
        if column.null_count:
            whole &= pc.is_valid(column).to_numpy(zero_copy_only=False)
    return whole


def number_entities(sides: Sequence[Sequence[pa.ChunkedArray]]) -> list[Positions]:
    """A number from 0 for each row of several tables, the same for the same entity in all of them.

    Args:
        sides: of each table the entity's columns, in the same order. A null counts as a value of its own here.

    Returns:
        Per table an array as long as it.
    """
    lengths = [len(columns[0]) for columns in sides]
    numbers = np.zeros(sum(lengths), dtype=np.int64)
    for at in range(len(sides[0])):
        together = pa.concat_arrays([_to_plain(columns[at]) for columns in sides])
        encoded = together.dictionary_encode("encode")
        indices = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        numbers = indices if at == 0 else _renumber(numbers * max(len(encoded.dictionary), 1) + indices)
    return np.split(numbers, np.cumsum(lengths)[:-1])


def hash_rows(columns: Sequence[pa.ChunkedArray]) -> Hashes:
    """A hash of each row, by splitmix64 (Steele, Lea and Flood, 2014), and of texts by SipHash of their bytes."""
    hashes = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        hashes = _mix(hashes * np.uint64(31) + _hash_values(_to_plain(column)))
    return hashes


def is_hashable(kind: pa.DataType) -> bool:
    """Whether values of a type can be told apart here: those of arrays, maps and structs cannot."""
    return not pa.types.is_nested(kind) and not pa.types.is_null(kind)


def _to_plain(column: pa.ChunkedArray) -> pa.Array:
    """Values of one type where Spark has several for what is equal."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_floating(kind):
        column = pc.add(column.cast(pa.float64()), 0.0)
    elif pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_large_binary(kind):
        column = column.cast(pa.binary())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _hash_values(values: pa.Array) -> Hashes:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind):
        hashes = _mix(_to_long(values).view(np.uint64))
    elif pa.types.is_floating(kind):
        hashes = _mix(np.where(np.isnan(numbers := _to_floats(values)), np.nan, numbers).view(np.uint64))
    else:
        encoded = values.dictionary_encode()
        texts = encoded.dictionary if pa.types.is_binary(kind) else encoded.dictionary.cast(pa.string())
        of_texts = pd.util.hash_array(texts.to_numpy(zero_copy_only=False).astype(object), categorize=False)
        if len(of_texts) == 0:
            return np.full(len(values), _NULL)
        hashes = of_texts[encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    if values.null_count:
        hashes = np.where(pc.is_valid(values).to_numpy(zero_copy_only=False), hashes, _NULL)
    return hashes


def _to_long(values: pa.Array) -> Positions:
    if pa.types.is_date32(values.type) or pa.types.is_time32(values.type):
        values = values.cast(pa.int32())
    numbers: Positions = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return numbers


def _to_floats(values: pa.Array) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = values.fill_null(0.0).to_numpy(zero_copy_only=False)
    return numbers


def _mix(numbers: Hashes) -> Hashes:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _renumber(numbers: Positions) -> Positions:
    """Numbers from 0 on without gaps, so that they can be combined with the next column's and not overflow."""
    again: Positions = pa.array(numbers).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return again
