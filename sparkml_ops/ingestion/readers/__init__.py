"""One file per kind of source: how its pieces are listed, and how they are read.

A piece is what a source has ready under a name: a file, a range of a database's table, versions of a Delta table, whatever a
Python reader lists. A batch is made of pieces, and the manifest has them before any row is written. A new kind (a stream, a
REST interface, another table format) is a file here and a line in `KINDS`:

- `list_pieces(spark, source, name=…, taken=…)` lists the pieces that there are now, cheaply, because `plan` asks too. `taken` are
  the pieces whose rows are in the table, oldest first. A kind that cuts its pieces itself gives those back as they are, and what
  came after as a new one; with nothing taken, all there is.
- `read(spark, source, paths)` gives the rows of pieces by name. Each row has every column of the source as it stands there, and
  `_source_file` (the piece), `_raw` (the row as text), `_header` (the line that names the values of a text row, else null),
  `_malformed` (why the row could not be taken apart, else null), `_is_row` (false for a header or a blank line), `_block` and
  `_position` (where it stands: positions count up in a block of a piece). No row is dropped, and no part of one. A kind with
  `attempt` gives `_source_file` and `_raw` alone, as a JSON object.
- `reread(lines, source)` reads rows that were kept as text, in quarantine, once more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.ingestion.files import LandedFile, list_files, require_unchanged
from sparkml_ops.ingestion.readers.csv import read_csv, split_again
from sparkml_ops.ingestion.readers.delta import list_versions, read_versions
from sparkml_ops.ingestion.readers.jdbc import list_ranges, read_ranges
from sparkml_ops.ingestion.readers.jdbc_errors import attempt_query
from sparkml_ops.ingestion.readers.json import read_json, read_objects
from sparkml_ops.ingestion.readers.parquet import read_parquet
from sparkml_ops.ingestion.readers.python import call_once, list_named, read_named

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source
    from sparkml_ops.lake import Commit

Lister = Callable[..., list[LandedFile]]
Reader = Callable[["SparkSession", "Source", Sequence[str]], "DataFrame"]
Rereader = Callable[["DataFrame", "Source"], "DataFrame"]
Recheck = Callable[..., None]
Attempt = Callable[["Source", str, Callable[[], "Commit"]], "Commit"]


def _cannot_change(_spark: "SparkSession", _source: "Source", _pieces: Sequence[LandedFile], *, name: str) -> None:
    """Pieces of a kind whose names stand for the same rows for ever."""


@dataclass(frozen=True)
class Kind:
    """A kind of source.

    Attributes:
        list_pieces: the pieces that there are now.
        read: the rows of some of them.
        reread: rows that were kept as text, once more.
        noun: what a piece is called in a message.
        cuts: pieces are cut by the kind itself, so that nothing but the source has to be there for starting over.
        require_unchanged: holds pieces that were read against those that were listed; there are kinds whose pieces cannot change.
        attempt: for a source that does not give the same rows twice. Its rows are brought into the lake before they are judged;
            this runs the reading, tries again what may pass, and tells what does not as an error of the user's.
    """

    list_pieces: Lister
    read: Reader
    reread: Rereader
    noun: str = "file"
    cuts: bool = False
    require_unchanged: Recheck = _cannot_change
    attempt: Attempt | None = None


KINDS: dict[str, Kind] = {
    "csv": Kind(list_files, read_csv, split_again, require_unchanged=require_unchanged),
    "json": Kind(list_files, read_json, read_objects, require_unchanged=require_unchanged),
    "parquet": Kind(list_files, read_parquet, read_objects, require_unchanged=require_unchanged),
    "jdbc": Kind(list_ranges, read_ranges, read_objects, noun="range", cuts=True, attempt=attempt_query),
    "delta": Kind(list_versions, read_versions, read_objects, noun="version", cuts=True),
    "python": Kind(list_named, read_named, read_objects, noun="piece", attempt=call_once),
}
