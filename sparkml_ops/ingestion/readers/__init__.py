"""One file per kind of raw data: files in, columns of raw text out.

Each reader gives every column of the files as it stands there, and `_source_file`, `_raw` (the row as text), `_header` (the
line that names the values of a text row, else null), `_malformed` (why the row could not be taken apart, else null), `_is_row`
(false for a header or a blank line), `_block` and `_position` (where it stands: positions count up in a block of a file). No
row is dropped, and no part of one.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sparkml_ops.ingestion.readers.csv import read_csv, split_again
from sparkml_ops.ingestion.readers.json import read_json, read_objects
from sparkml_ops.ingestion.readers.parquet import read_parquet

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

Reader = Callable[["SparkSession", "Source", Sequence[str]], "DataFrame"]
READERS: dict[str, Reader] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}

Rereader = Callable[["DataFrame", "Source"], "DataFrame"]
REREADERS: dict[str, Rereader] = {"csv": split_again, "json": read_objects, "parquet": read_objects}
"""How rows that were kept as text are read once more; a row of Parquet was kept as JSON."""
