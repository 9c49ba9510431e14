"""Of rows that the whole cluster learns from, a sample that one machine can map: for the baselines, the threshold and the diagnosis."""

import logging

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.training.mapped_files import SAMPLE, TIE

log = logging.getLogger(__name__)

MAPPED_VALUES = 100_000_000  # rows times columns: 800 MB of disk on the driver
LEAST_ROWS = 100_000  # however many columns there are


def keep_sample(
    spark: SparkSession, folder: str, *, most_values: int = MAPPED_VALUES, least_rows: int = LEAST_ROWS
) -> None:
    """Write beside the rows of a matrix folder those that `map_matrix` is to map; nothing where it may map all.

    A hash of the row chooses: always the same ones, of each part and each time alike.

    Args:
        spark: Where the rows are read.
        folder: As `write_matrix` has written it.
        most_values: How many values may be mapped.
        least_rows: How many rows are mapped whatever their width.
    """
    rows = spark.read.parquet(folder)
    count, most = rows.count(), max(most_values // max(len(rows.columns), 1), least_rows)
    every = -(-count // most)
    if every <= 1:
        return
    log.info("of %d rows every %dth is mapped on the driver, for the baselines and the diagnosis", count, every)
    rows.where(F.pmod(F.col(TIE), F.lit(every)) == 0).write.parquet(f"{folder}/{SAMPLE}")
