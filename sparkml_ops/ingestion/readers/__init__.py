"""One file per kind of raw data: files in, columns of raw text out.

Each reader gives every column of the files as it stands there, and `_source_file`, `_raw` (the row as text), `_header` (the
line that names the values of a text row, else null) and `_malformed` (why the row could not be taken apart, else null). No row
is dropped, and no part of one.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sparkml_ops.ingestion.readers.csv import read_csv
from sparkml_ops.ingestion.readers.json import read_json
from sparkml_ops.ingestion.readers.parquet import read_parquet

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

Reader = Callable[["SparkSession", "Source", Sequence[str]], "DataFrame"]
READERS: dict[str, Reader] = {"csv": read_csv, "json": read_json, "parquet": read_parquet}
