"""The files of a machine that hold the rows of a matrix folder, for all its processes to map: made once, in little memory."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.training.mapped_segments import PREFIX, save_segments

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyarrow.dataset import Dataset

LABEL, IS_VALID, TIME, TIE, WEIGHT = "_label", "_is_valid", "_time", "_tie", "_weight"
BESIDE = (LABEL, IS_VALID, TIME, TIE, WEIGHT)
"""Columns beside the features, named as no feature is; the last is there only where rows have weights."""
SAMPLE = "_sample"
"""The folder within, which Spark passes over, with the rows that are mapped where not all are (`sampled.py`)."""
MAPPED = ("features", "labels", "fitted")
WEIGHTS = "weights.npy"  # only where rows have weights
_KEPT_SECONDS = 86_400
_ROWS_AT_ONCE, _BUFFER_BYTES = 16_384, 262_144  # that are read at once; bytes are of each column


def open_files(folder: str) -> "Dataset":
    """The Parquet files of a matrix folder; those of its sample alone, where it has one."""
    import pyarrow.dataset as ds

    filesystem, path = _find_files(folder)
    sample = filesystem.get_file_info(f"{path}/{SAMPLE}")
    if sample.type.name == "Directory":
        path = sample.path
    return ds.dataset(path, format="parquet", filesystem=filesystem)


def locate_mapped(files: Sequence[str]) -> Path:
    """Where this machine keeps the rows of these files. Spark gives each file that it writes a name of its own: other rows in the same folder have another place."""
    name = hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"sparkml_ops_rows_{os.getuid()}" / name


def make_mapped(files: "Dataset", place: Path) -> None:
    """Write the rows of the files into a folder of this machine, in their order, a few at a time.

    Raises:
        OSError: There is no room for them.
    """
    import pyarrow as pa

    making = place.with_name(f"{place.name}.{os.getpid()}")
    making.mkdir()
    try:
        position = _write_beside(files, making)
        names = [name for name in files.schema.names if name not in BESIDE and not name.startswith(PREFIX)]
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
    beside = {name: files.to_table([name]).column(0).to_numpy() for name in BESIDE if name in files.schema.names}
    order = np.lexsort((beside[TIE], beside[TIME], beside[IS_VALID]))
    np.save(folder / "labels.npy", beside[LABEL][order])
    if WEIGHT in beside:
        np.save(folder / WEIGHTS, beside[WEIGHT][order])
    fitted = int((~beside[IS_VALID]).sum())
    np.save(folder / "fitted.npy", np.int64(fitted))
    save_segments(files, order, beside[TIME], place=folder, fitted=fitted)
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


def remove_old(folder: Path) -> None:
    """Remove what trainings that were killed have left a day ago."""
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
