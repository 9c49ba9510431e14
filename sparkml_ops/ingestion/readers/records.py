"""Rows that may have several lines, and texts in which a byte is no character: read as a stream, one task to a file.

Spark's own readers for such files take a whole file into memory and pass over what they cannot make sense of. Here Spark reads
bytes between line feeds, file by file and in order, and `splitters` put them together in Python.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import BLOCK, IS_ROW, POSITION, RAW
from sparkml_ops.ingestion.damage import READ_OPTIONS, Glance
from sparkml_ops.ingestion.files import literal_path
from sparkml_ops.ingestion.readers.splitters import (
    CsvSplitter,
    JsonSplitter,
    Piece,
    decode_lines,
    join_lines,
    split_lines,
)
from sparkml_ops.lake.session import sibling_session

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

_SCHEMA = f"{RAW} string, _fault string, _source_file string, {POSITION} bigint"
_BYTES_PER_TASK = 128 * 1024 * 1024
_ROWS_PER_BATCH = 5000
_CHARACTERS_PER_BATCH = 16_000_000


def read_records(spark: "SparkSession", source: "Source", files: Sequence[Glance]) -> "DataFrame":
    """All rows, as `read_lines` gives them."""
    # How Spark cuts files into tasks is a setting of the session that reads; one file must be one task's alone.
    whole = sibling_session(spark)
    sizes = [file.size_bytes for file in files]
    share = min(_BYTES_PER_TASK, sum(sizes) // spark.sparkContext.defaultParallelism)
    whole.conf.set("spark.sql.files.minPartitionNum", "1")
    whole.conf.set("spark.sql.files.openCostInBytes", "65536")
    whole.conf.set("spark.sql.files.maxPartitionBytes", str(max(*sizes, share, 1) + 1))
    lines = whole.read.options(**READ_OPTIONS, lineSep="\n").text([literal_path(file.path) for file in files])
    bytes_of_lines = lines.select(F.col("value").cast("binary"), F.col("_metadata.file_path"))
    form = source.format if source.multiline else "lines"
    split = partial(_split_batches, form=form, delimiter=source.delimiter, encoding=source.encoding)
    return bytes_of_lines.mapInArrow(split, _SCHEMA).select(
        RAW,
        "_fault",
        "_source_file",
        ((F.trim(RAW) != "") | F.col("_fault").isNotNull()).alias(IS_ROW),
        F.lit(0).cast("bigint").alias(BLOCK),
        POSITION,
    )


def _split_batches(
    batches: "Iterable[pa.RecordBatch]", *, form: str, delimiter: str, encoding: str
) -> "Iterator[pa.RecordBatch]":
    lines = (line for batch in batches for line in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    for path, of_file in groupby(lines, key=itemgetter(1)):
        texts = join_lines(decode_lines((value for value, _ in of_file), encoding))
        yield from _to_batches(path, _split(texts, form, delimiter))


def _split(texts: Iterable[str], form: str, delimiter: str) -> Iterator[Piece]:
    if form == "lines":
        return split_lines(texts)
    return CsvSplitter(delimiter).split(texts) if form == "csv" else JsonSplitter().split(texts)


def _to_batches(path: str, pieces: Iterator[Piece]) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    types: Any = [pa.string(), pa.string(), pa.string(), pa.int64()]
    while batch := list(_take(pieces)):
        columns = ([p.text for p in batch], [p.fault for p in batch], [path] * len(batch), [p.number for p in batch])
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=[RAW, "_fault", "_source_file", POSITION])


def _take(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """So many that a batch of them is neither small nor too large for memory."""
    characters = 0
    for piece in islice(pieces, _ROWS_PER_BATCH):
        yield piece
        characters += len(piece.text)
        if characters > _CHARACTERS_PER_BATCH:
            return
