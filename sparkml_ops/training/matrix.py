"""Training rows -> a parquet folder of encoded features, which trials read without Spark.

Rows never travel in a task's closure. Spark encodes them once; each machine that runs trials makes one file of them, which all its
processes map into memory.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from sparkml_ops.models import FeatureEncoder

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyarrow.dataset import Dataset

LABEL, IS_VALID, TIME, TIE, WEIGHT = "_label", "_is_valid", "_time", "_tie", "_weight"
_BESIDE = (LABEL, IS_VALID, TIME, TIE, WEIGHT)
"""Columns beside the features, named as no feature is; the last is there only where rows have weights."""
SAMPLE = "_sample"
"""The folder within, which Spark passes over, with the rows that are mapped where not all are (`sampled.py`)."""
_MAPPED = ("features", "labels", "fitted")
_WEIGHTS = "weights.npy"  # only where rows have weights
_KEPT_SECONDS = 86_400
_ROWS_AT_ONCE, _BUFFER_BYTES = 16_384, 262_144  # that are read at once; bytes are of each column


@dataclass(frozen=True)
class Part:
    """Some rows: features of shape (rows, encoded columns), labels and weights of shape (rows,); without weights each row counts once."""

    features: "NDArray[np.float64]"
    labels: "NDArray[np.float64]"
    weights: "NDArray[np.float64] | None" = None

    def take(self, which: "slice | NDArray[np.int64]") -> "Part":
        """Some of the rows; a slice is a view."""
        return Part(self.features[which], self.labels[which], None if self.weights is None else self.weights[which])


@dataclass(frozen=True)
class Matrix:
    """The rows to fit on, and behind them the rows to tune on; each in the order of time.

    Attributes:
        rows: All rows.
        fitted: How many of them are to fit on.
    """

    rows: Part
    fitted: int

    @property
    def train(self) -> Part:
        """The rows to fit on; a view of all rows."""
        return self.rows.take(slice(self.fitted))

    @property
    def valid(self) -> Part:
        """The rows to tune on; a view of all rows."""
        return self.rows.take(slice(self.fitted, None))


def write_matrix(
    rows: DataFrame,
    encoder: FeatureEncoder,
    folder: str,
    *,
    timestamp: str,
    identity: Sequence[str] = (),
    weight: Column | None = None,
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
        weight: How much a row counts; None where each counts once.
    """
    features = [F.col(f"`{name}`") for name in encoder.feature_columns]
    needed = rows.where(F.col("split").isin("train", "valid")).select(
        *features,
        F.col("label").cast("double").alias(LABEL),
        (F.col("split") == "valid").alias(IS_VALID),
        F.unix_micros(F.col(f"`{timestamp}`").cast("timestamp")).alias(TIME),
        F.xxhash64(*(F.col(f"`{name}`") for name in identity), *features).alias(TIE),
        *([] if weight is None else [weight.cast("double").alias(WEIGHT)]),
    )
    names = [f"x{position}" for position in range(len(encoder.encoded_columns))]
    encoded = StructType([StructField(name, DoubleType()) for name in names])

    def encode(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for batch in batches:
            yield _encode_batch(batch, encoder, names)

    kept = StructType([needed.schema[name] for name in _BESIDE if name in needed.columns])
    needed.mapInArrow(encode, StructType([*encoded, *kept])).write.mode("overwrite").parquet(folder)


def map_matrix(folder: str) -> Matrix:
    """What `write_matrix` wrote, in its order, as files of this machine that are mapped into memory; needs no Spark.

    The first process of a machine that asks makes the files; all others map the same ones, so that a machine holds the rows once however
    many trials it runs. They lie in the folder for passing files and go with `unmap_matrix`; what was left there is removed after a day.

    Raises:
        OSError: There is no room for the files.
    """
    files = _open_files(folder)
    place = _locate_mapped(files.files)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _remove_old(place.parent)
            _make_mapped(files, place)
    features, labels, fitted = (np.load(place / f"{name}.npy", mmap_mode="r") for name in _MAPPED)
    weighed = place / _WEIGHTS
    return Matrix(Part(features, labels, np.load(weighed, mmap_mode="r") if weighed.exists() else None), int(fitted))


def unmap_matrix(folder: str) -> None:
    """Remove the files that `map_matrix` made on this machine; processes that have them mapped keep what they see.

    Nothing happens where no rows were written: what kept them from it is told, and not that they are missing.
    """
    try:
        place = _locate_mapped(_open_files(folder).files)
    except FileNotFoundError:
        return
    shutil.rmtree(place, ignore_errors=True)
    place.with_name(f"{place.name}.lock").unlink(missing_ok=True)


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
    beside = [name for name in _BESIDE if name in batch.schema.names]
    arrays += [batch.column(name) for name in beside]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, *beside])


def _open_files(folder: str) -> "Dataset":
    import pyarrow.dataset as ds

    filesystem, path = _find_files(folder)
    sample = filesystem.get_file_info(f"{path}/{SAMPLE}")
    if sample.type.name == "Directory":
        path = sample.path
    return ds.dataset(path, format="parquet", filesystem=filesystem)


def _locate_mapped(files: Sequence[str]) -> Path:
    """Spark gives each file that it writes a name of its own: other rows in the same folder have another place."""
    name = hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"sparkml_ops_rows_{os.getuid()}" / name


def _make_mapped(files: "Dataset", place: Path) -> None:
    import pyarrow as pa

    making = place.with_name(f"{place.name}.{os.getpid()}")
    making.mkdir()
    try:
        position = _write_beside(files, making)
        names = [name for name in files.schema.names if name not in _BESIDE]
        features = np.lib.format.open_memmap(making / "features.npy", "w+", np.float64, (len(position), len(names)))
        at = 0
        for batch in _read_in_pieces(files, names):
            there = position[at : at + batch.num_rows]
            for column, name in enumerate(names):
                features[there, column] = batch.column(name).to_numpy(zero_copy_only=False)
            at += batch.num_rows
        features.flush()
        making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
        pa.default_memory_pool().release_unused()  # or this process would keep it for good


def _write_beside(files: "Dataset", folder: Path) -> "NDArray[np.int64]":
    """Write what is not the features; gives the place of each row of the files, in their order."""
    beside = {name: files.to_table([name]).column(0).to_numpy() for name in _BESIDE if name in files.schema.names}
    order = np.lexsort((beside[TIE], beside[TIME], beside[IS_VALID]))
    np.save(folder / "labels.npy", beside[LABEL][order])
    if WEIGHT in beside:
        np.save(folder / _WEIGHTS, beside[WEIGHT][order])
    np.save(folder / "fitted.npy", np.int64((~beside[IS_VALID]).sum()))
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    return position


def _read_in_pieces(files: "Dataset", columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
    """A few rows at a time, in the order of the files. Arrow's datasets hold whole row groups, and several of them ahead: a second copy."""
    import pyarrow.parquet as pq

    for path in files.files:
        with (
            files.filesystem.open_input_file(path) as file,
            pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False) as rows,
        ):
            yield from rows.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns, use_threads=False)


def _remove_old(folder: Path) -> None:
    for left in folder.iterdir():
        if time.time() - left.stat().st_mtime > _KEPT_SECONDS and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _find_files(folder: str) -> tuple[Any, str]:
    from pyarrow import fs

    if folder.startswith("dbfs:"):  # Databricks mounts it on every machine
        return fs.LocalFileSystem(), folder.replace("dbfs:", "/dbfs", 1)
    if "://" in folder or folder.startswith("file:"):
        filesystem, path = fs.FileSystem.from_uri(folder)
        return filesystem, path
    return fs.LocalFileSystem(), folder
