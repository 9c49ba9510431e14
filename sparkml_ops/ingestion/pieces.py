"""The rows of a batch's pieces, as raw as they came.

Some sources do not give the same rows twice: a database whose rows change, a function of the user's. Their rows are brought
into the lake first, once, as the table `landed_<source>`, and judged from there. So a batch that was cut off goes on with
exactly the rows that it began with, and no step of it can see others than the step before.
"""

from typing import TYPE_CHECKING

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import RAW
from sparkml_ops.ingestion.manifest import attempt_id
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.ingestion.readers.json import read_objects
from sparkml_ops.ingestion.readers.rows import to_lines
from sparkml_ops.lake import Lake, read_table, replace_table
from sparkml_ops.lake.statistics import hide_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source


def read_pieces(lake: Lake, source: "Source", batch: Batch) -> "DataFrame":
    """All rows of the batch, with the reader's columns."""
    kind = KINDS[source.format]
    paths = [piece.path for piece in batch.files]
    if kind.attempt is None:
        return kind.read(lake.spark, source, paths)
    table = f"landed_{batch.source}"
    landed = kind.attempt(
        source,
        batch.source,
        # Read anew at each try: rows of a try that failed are in no commit.
        lambda: replace_table(
            lake, table, hide_columns(kind.read(lake.spark, source, paths), [RAW]), write_id=attempt_id(batch)
        ),
    )
    return read_objects(to_lines(read_table(lake, table, version=landed.version)), source)
