"""Training rows -> a parquet folder of encoded features, which trials read without Spark.

Rows never travel in a task's closure. Spark encodes them once; each machine that runs trials makes one file of them, which all its
processes map into memory.
"""

import fcntl
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from sparkml_ops.models import FeatureEncoder
from sparkml_ops.models.segments import SegmentKind, find_segment_kind, read_texts
from sparkml_ops.training.mapped_files import (
    BESIDE,
    IS_VALID,
    LABEL,
    MAPPED,
    TIE,
    TIME,
    WEIGHT,
    WEIGHTS,
    locate_mapped,
    make_mapped,
    open_files,
    remove_old,
)
from sparkml_ops.training.mapped_segments import PREFIX, MappedSegments, load_segments

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


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
        segments: Which rows are of which segment, where models per segment are asked for.
    """

    rows: Part
    fitted: int
    segments: MappedSegments | None = None

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
        rows: Rows of a training set; columns named as `with_segments` names them go along as texts.
        encoder: Fitted on the training rows.
        folder: Where to write; what is there is replaced.
        timestamp: The column with the moment, by which rows are ordered when they are read. What it leaves open a hash of
            identity and features decides: the same rows are always in the same order, and the same seed always gives the
            same model. Sorting is left to the reader, because Spark would read all rows twice to sort them.
        identity: Columns that name a row.
        weight: How much a row counts; None where each counts once.
    """
    features = [F.col(f"`{name}`") for name in encoder.feature_columns]
    segments = {name: find_segment_kind(rows.schema[name].dataType) for name in rows.columns if name.startswith(PREFIX)}
    needed = rows.where(F.col("split").isin("train", "valid")).select(
        *features,
        encoder.encode_label(F.col("label")).alias(LABEL),
        (F.col("split") == "valid").alias(IS_VALID),
        F.unix_micros(F.col(f"`{timestamp}`").cast("timestamp")).alias(TIME),
        F.xxhash64(*(F.col(f"`{name}`") for name in identity), *features).alias(TIE),
        *([] if weight is None else [weight.cast("double").alias(WEIGHT)]),
        *segments,
    )
    names = [f"x{position}" for position in range(len(encoder.encoded_columns))]
    encoded = StructType([StructField(name, DoubleType()) for name in names])

    def encode(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for batch in batches:
            yield _encode_batch(batch, encoder, names, segments)

    kept = StructType([needed.schema[name] for name in BESIDE if name in needed.columns])
    kept = StructType([*kept, *(StructField(name, StringType()) for name in segments)])
    needed.mapInArrow(encode, StructType([*encoded, *kept])).write.mode("overwrite").parquet(folder)


def map_matrix(folder: str) -> Matrix:
    """What `write_matrix` wrote, in its order, as files of this machine that are mapped into memory; needs no Spark.

    The first process of a machine that asks makes the files; all others map the same ones, so that a machine holds the rows once however
    many trials it runs. They lie in the folder for passing files and go with `unmap_matrix`; what was left there is removed after a day.

    Raises:
        OSError: There is no room for the files.
    """
    files = open_files(folder)
    place = locate_mapped(files.files)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            remove_old(place.parent)
            make_mapped(files, place)
    features, labels, fitted = (np.load(place / f"{name}.npy", mmap_mode="r") for name in MAPPED)
    weighed = place / WEIGHTS
    rows = Part(features, labels, np.load(weighed, mmap_mode="r") if weighed.exists() else None)
    return Matrix(rows, int(fitted), load_segments(place))


def unmap_matrix(folder: str) -> None:
    """Remove the files that `map_matrix` made on this machine; processes that have them mapped keep what they see.

    Nothing happens where no rows were written: what kept them from it is told, and not that they are missing.
    """
    try:
        place = locate_mapped(open_files(folder).files)
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


def _encode_batch(
    batch: "pa.RecordBatch",
    encoder: FeatureEncoder,
    names: list[str],
    segments: Mapping[str, SegmentKind | None],
) -> "pa.RecordBatch":
    import pyarrow as pa

    matrix = np.asfortranarray(encoder.encode_batch(batch))
    arrays = [pa.array(matrix[:, position]) for position in range(len(names))]
    beside = [name for name in BESIDE if name in batch.schema.names]
    arrays += [batch.column(name) for name in beside]
    arrays += [read_texts(batch.column(name), kind or "text") for name, kind in segments.items()]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, *beside, *segments])
