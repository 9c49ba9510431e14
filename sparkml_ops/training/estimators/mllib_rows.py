"""Encoded rows -> the vectors that Spark MLlib learns from, by the same NumPy that prepares rows when the model is asked."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from sparkml_ops.models.kinds.filled import Filling
from sparkml_ops.training.estimators.stored import ROW_WEIGHT, StoredRows
from sparkml_ops.training.mapped_files import LABEL, TIE

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

FEATURES = "features"
MEDIAN_ROWS = 200_000
"""At least so many, chosen by a hash of the row, say what stands in for a missing number: it is then within half a percent of the ranks."""
_DENSE, _SPARSE = 1, 0  # of VectorUDT's `type`


def learn_filling(rows: StoredRows, categorical: Sequence[int]) -> Filling:
    """The median of each column of numbers, 0 where none has a value; how many levels each column of codes has."""
    every = max(1, int(rows.counts.sum()) // MEDIAN_ROWS)
    is_drawn = F.pmod(F.col(TIE), F.lit(every)) == 0
    known = {name: F.when(~F.isnan(name), F.col(name)) for name in rows.names}
    codes = set(categorical)
    asked = [
        F.max(known[name]) if position in codes else F.median(F.when(is_drawn, known[name]))
        for position, name in enumerate(rows.names)
    ]
    found = list(rows.rows.agg(*asked).collect()[0])
    fills = [
        0.0 if value is None or at in codes or not math.isfinite(value) else value for at, value in enumerate(found)
    ]
    levels = [-1 if at not in codes else 0 if value is None else int(value) + 1 for at, value in enumerate(found)]
    return Filling(np.array(fills, dtype=np.float64), np.array(levels, dtype=np.int64))


def make_codes(rows: StoredRows, filling: Filling) -> DataFrame:
    """`features`, label and weight of each row: dense vectors with codes of levels, which the metadata tell the trees of."""
    nominal = [
        {"type": "nominal", "idx": int(at), "num_vals": max(2, int(filling.levels[at]) + 1)}
        for at in np.flatnonzero(filling.levels >= 0)
    ]
    numeric = [{"type": "numeric", "idx": int(at)} for at in np.flatnonzero(filling.levels < 0)]
    attributes = {"num_attrs": rows.width, "attrs": {"nominal": nominal, "numeric": numeric}}
    return _make_vectors(rows, lambda matrix: _pack_dense(filling.fill(matrix))).withMetadata(
        FEATURES, {"ml_attr": attributes}
    )


def make_spread(rows: StoredRows, filling: Filling) -> DataFrame:
    """`features`, label and weight of each row: sparse vectors with a column for each level."""
    size = int(filling.widths.sum())
    return _make_vectors(rows, lambda matrix: _pack_sparse(*filling.spread(matrix), size))


def _make_vectors(rows: StoredRows, pack: "Callable[[NDArray[np.float64]], pa.Array]") -> DataFrame:
    from pyspark.ml.linalg import VectorUDT

    beside = [name for name in (LABEL, ROW_WEIGHT) if name in rows.rows.columns]
    names = rows.names

    def make(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            matrix = np.column_stack([batch.column(name).to_numpy(zero_copy_only=False) for name in names])
            arrays = [pack(matrix), *(batch.column(name) for name in beside)]
            yield pa.RecordBatch.from_arrays(arrays, names=[FEATURES, *beside])

    made = [StructField(FEATURES, VectorUDT()), *(StructField(name, DoubleType()) for name in beside)]
    vectors = rows.deal(rows.count_partitions()).mapInArrow(make, StructType(made))
    if not rows.classes:
        return vectors
    # MLlib would count the classes by the highest label, and a sample may have no row of the last one.
    return vectors.withMetadata(LABEL, {"ml_attr": {"type": "nominal", "num_vals": rows.classes}})


def _pack_dense(matrix: "NDArray[np.float64]") -> "pa.Array":
    import pyarrow as pa

    rows = len(matrix)
    return _pack(_DENSE, pa.nulls(rows, pa.int32()), pa.nulls(rows, pa.list_(pa.int32())), _list_rows(matrix))


def _pack_sparse(positions: "NDArray[np.int64]", values: "NDArray[np.float64]", size: int) -> "pa.Array":
    import pyarrow as pa

    sizes = pa.array(np.full(len(values), size, dtype=np.int32))
    return _pack(_SPARSE, sizes, _list_rows(positions.astype(np.int32)), _list_rows(values))


def _pack(kind: int, sizes: "pa.Array", indices: "pa.Array", values: "pa.Array") -> "pa.Array":
    """Vectors as Spark stores them (`VectorUDT.sqlType`)."""
    import pyarrow as pa

    kinds = pa.array(np.full(len(values), kind, dtype=np.int8))
    return pa.StructArray.from_arrays([kinds, sizes, indices, values], names=["type", "size", "indices", "values"])


def _list_rows(matrix: "NDArray[Any]") -> "pa.Array":
    import pyarrow as pa

    offsets = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), pa.array(np.ascontiguousarray(matrix).ravel()))
