"""Training rows -> a parquet folder of encoded features, which trials read without Spark.

Rows never travel in a task's closure. Spark encodes them once, workers read the files with pyarrow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from sparkml_ops.models import FeatureEncoder

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

LABEL, IS_VALID, TIME, TIE = "label", "is_valid", "time", "tie"
_BESIDE: dict[str, type] = {LABEL: np.float64, IS_VALID: np.bool_, TIME: np.int64, TIE: np.int64}
"""Columns beside the features, and their types."""


@dataclass(frozen=True)
class Part:
    """Some rows: features of shape (rows, encoded columns), labels of shape (rows,)."""

    features: "NDArray[np.float64]"
    labels: "NDArray[np.float64]"


@dataclass(frozen=True)
class Matrix:
    """The rows to fit on, and the rows to tune on; each in the order of time."""

    train: Part
    valid: Part

    def join(self) -> Part:
        """All rows, training rows first."""
        return Part(
            features=np.concatenate([self.train.features, self.valid.features]),
            labels=np.concatenate([self.train.labels, self.valid.labels]),
        )


def write_matrix(
    rows: DataFrame, encoder: FeatureEncoder, folder: str, *, timestamp: str, identity: Sequence[str] = ()
) -> None:
    """Encode the rows of the splits train and valid and write them as float64, with what their order is made from.

    Args:
        rows: Rows of a training set.
        encoder: Fitted on the training rows.
        folder: Where to write; what is there is replaced.
        timestamp: The column with the moment, by which rows are ordered when they are read. What it leaves open a hash of
            identity and features decides: the same rows are always in the same order, and the same seed always gives the
            same model. Sorting is left to the reader, because Spark would read all rows twice to sort them.
        identity: Columns that name a row.
    """
    features = [F.col(f"`{name}`") for name in encoder.feature_columns]
    needed = rows.where(F.col("split").isin("train", "valid")).select(
        *features,
        F.col("label").cast("double").alias(LABEL),
        (F.col("split") == "valid").alias(IS_VALID),
        F.unix_micros(F.col(f"`{timestamp}`").cast("timestamp")).alias(TIME),
        F.xxhash64(*(F.col(f"`{name}`") for name in identity), *features).alias(TIE),
    )
    names = [f"x{position}" for position in range(len(encoder.encoded_columns))]
    encoded = StructType([StructField(name, DoubleType()) for name in names])

    def encode(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for batch in batches:
            yield _encode_batch(batch, encoder, names)

    kept = StructType([needed.schema[name] for name in _BESIDE])
    needed.mapInArrow(encode, StructType([*encoded, *kept])).write.mode("overwrite").parquet(folder)


def read_matrix(folder: str) -> Matrix:
    """Read what `write_matrix` wrote, in its order; needs no Spark."""
    import pyarrow.dataset as ds

    filesystem, path = _find_files(folder)
    files = ds.dataset(path, format="parquet", filesystem=filesystem)
    names = [name for name in files.schema.names if name not in _BESIDE]
    rows = files.count_rows()
    features = np.empty((rows, len(names)))
    beside = {name: np.empty(rows, dtype=kind) for name, kind in _BESIDE.items()}
    at = 0
    for batch in files.to_batches():
        here = slice(at, at + batch.num_rows)
        for position, name in enumerate(names):
            features[here, position] = batch.column(name).to_numpy(zero_copy_only=False)
        for name, values in beside.items():
            values[here] = batch.column(name).to_numpy(zero_copy_only=False)
        at += batch.num_rows
    order = np.lexsort((beside[TIE], beside[TIME]))
    valid, train = (order[beside[IS_VALID][order] == wanted] for wanted in (True, False))
    return Matrix(
        train=Part(features[train], beside[LABEL][train]),
        valid=Part(features[valid], beside[LABEL][valid]),
    )


def remove_folder(spark: SparkSession, folder: str) -> None:
    """Remove a folder, wherever Spark can write; nothing happens when it is not there."""
    jvm: Any = spark._jvm  # noqa: SLF001  # pyspark has no other way to remove files in any storage
    path = jvm.org.apache.hadoop.fs.Path(folder)
    path.getFileSystem(spark._jsc.hadoopConfiguration()).delete(path, True)  # noqa: SLF001


def locate_scratch(root: str, name: str) -> str:
    """A folder for files of passing use, beside the tables; absolute, since workers may run elsewhere."""
    base = root if "://" in root or root.startswith("dbfs:") else str(Path(root.removeprefix("file:")).resolve())
    return f"{base}/_scratch/{name}"


def _encode_batch(batch: "pa.RecordBatch", encoder: FeatureEncoder, names: list[str]) -> "pa.RecordBatch":
    import pyarrow as pa

    matrix = np.asfortranarray(encoder.encode_batch(batch))
    arrays = [pa.array(matrix[:, position]) for position in range(len(names))]
    arrays += [batch.column(name) for name in _BESIDE]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, *_BESIDE])


def _find_files(folder: str) -> tuple[Any, str]:
    from pyarrow import fs

    if folder.startswith("dbfs:"):  # Databricks mounts it on every machine
        return fs.LocalFileSystem(), folder.replace("dbfs:", "/dbfs", 1)
    if "://" in folder or folder.startswith("file:"):
        filesystem, path = fs.FileSystem.from_uri(folder)
        return filesystem, path
    return fs.LocalFileSystem(), folder
