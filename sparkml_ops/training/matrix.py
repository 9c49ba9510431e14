"""Training rows -> a parquet folder of encoded features, which trials read without Spark.

Rows never travel in a task's closure. Spark encodes and sorts them once, workers read the files with pyarrow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DoubleType, StructField, StructType

from sparkml_ops.models import FeatureEncoder

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

LABEL = "label"
IS_VALID = "is_valid"


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


def write_matrix(rows: DataFrame, encoder: FeatureEncoder, folder: str, *, order: Sequence[str]) -> None:
    """Encode the rows of the splits train and valid and write them, sorted, as float64.

    Args:
        rows: Rows of a training set.
        encoder: Fitted on the training rows.
        folder: Where to write; what is there is replaced.
        order: Columns that give rows their order. What they leave open a hash of the features decides, so that the same
            rows are always in the same order, and the same seed always gives the same model.
    """
    tie = F.xxhash64(*(F.col(f"`{name}`") for name in encoder.feature_columns))
    ordered = rows.where(F.col("split").isin("train", "valid")).orderBy(*(F.col(f"`{name}`") for name in order), tie)
    needed = ordered.select(
        *(F.col(f"`{name}`") for name in encoder.feature_columns),
        F.col("label").cast("double").alias(LABEL),
        (F.col("split") == "valid").alias(IS_VALID),
    )
    names = [f"x{position}" for position in range(len(encoder.encoded_columns))]
    fields = [StructField(name, DoubleType()) for name in (*names, LABEL)]

    def encode(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for batch in batches:
            yield _encode_batch(batch, encoder, names)

    encoded = needed.mapInArrow(encode, StructType([*fields, StructField(IS_VALID, BooleanType())]))
    encoded.write.mode("overwrite").parquet(folder)


def read_matrix(folder: str) -> Matrix:
    """Read what `write_matrix` wrote; needs no Spark."""
    import pyarrow.dataset as ds

    filesystem, path = _find_files(folder)
    files = ds.dataset(path, format="parquet", filesystem=filesystem)
    names = [name for name in files.schema.names if name not in (LABEL, IS_VALID)]
    rows = files.count_rows()
    features, labels = np.empty((rows, len(names))), np.empty(rows)
    is_valid = np.empty(rows, dtype=bool)
    at = 0
    for batch in files.to_batches():  # files in the order of their names, which is the order of the rows
        here = slice(at, at + batch.num_rows)
        for position, name in enumerate(names):
            features[here, position] = batch.column(name).to_numpy(zero_copy_only=False)
        labels[here] = batch.column(LABEL).to_numpy(zero_copy_only=False)
        is_valid[here] = batch.column(IS_VALID).to_numpy(zero_copy_only=False)
        at += batch.num_rows
    return Matrix(
        train=Part(features[~is_valid], labels[~is_valid]),
        valid=Part(features[is_valid], labels[is_valid]),
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
    arrays += [batch.column(LABEL), batch.column(IS_VALID)]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, LABEL, IS_VALID])


def _find_files(folder: str) -> tuple[Any, str]:
    from pyarrow import fs

    if folder.startswith("dbfs:"):  # Databricks mounts it on every machine
        return fs.LocalFileSystem(), folder.replace("dbfs:", "/dbfs", 1)
    if "://" in folder or folder.startswith("file:"):
        filesystem, path = fs.FileSystem.from_uri(folder)
        return filesystem, path
    return fs.LocalFileSystem(), folder
