"""How fast a model answers and how much memory that takes, measured while Spark's workers score real rows."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.bulk import make_scorer, ship_model
from sparkml_ops.models.package import PackagedModel, dump_package

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 1_000_000  # of more a share is drawn: a rate of a million rows is known well enough
SEED = 20130101
_TOLD = "rows long, seconds double, peak_mb double"


@dataclass(frozen=True)
class ScoringSpeed:
    """What scoring some rows took, with what every bulk scoring does: read the package, encode, ask the estimator.

    Attributes:
        rows: Rows that were scored.
        seconds: From the start of the job to its end.
        rows_per_second: Rows by these seconds: all cores together, with Spark's own work.
        rows_per_second_per_core: Rows by the sum of the seconds that tasks spent in Python.
        peak_mb: Most memory that one Python worker had at any time since it started; in MB of 1,000,000 bytes.
        package_bytes: Size of the packaged model.
        cores: Tasks that can run at a time.
        machine: Kind of machine that Spark's driver runs on.
    """

    rows: int
    seconds: float
    rows_per_second: float | None
    rows_per_second_per_core: float | None
    peak_mb: float | None
    package_bytes: int
    cores: int
    machine: str


def measure_scoring(rows: DataFrame, model: PackagedModel) -> ScoringSpeed:
    """Score at most about a million of the rows as `predict_rows` does, and tell what it took.

    Args:
        rows: Rows with the model's feature columns.
        model: The model.
    """
    needed = rows.select(*(f"`{name}`" for name in model.needed_columns))
    known = needed.count()
    drawn = needed.sample(MOST_ROWS / known, SEED) if known > MOST_ROWS else needed
    score = make_scorer(ship_model(rows.sparkSession, model), 0)

    def measure(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        started = time.perf_counter()
        scored = sum(batch.num_rows for batch in score(batches))
        told = [[scored], [time.perf_counter() - started], [_find_peak_mb()]]
        yield pa.RecordBatch.from_arrays([pa.array(one) for one in told], names=["rows", "seconds", "peak_mb"])

    started = time.perf_counter()
    found = drawn.mapInArrow(measure, _TOLD).agg(F.sum("rows"), F.sum("seconds"), F.max("peak_mb")).collect()[0]
    seconds, scored = time.perf_counter() - started, int(found[0] or 0)
    return ScoringSpeed(
        rows=scored,
        seconds=round(seconds, 3),
        rows_per_second=round(scored / seconds, 1) if scored else None,
        rows_per_second_per_core=round(scored / found[1], 1) if scored else None,
        peak_mb=None if found[2] is None else round(found[2], 1),
        package_bytes=sum(map(len, dump_package(model).values())),
        cores=rows.sparkSession.sparkContext.defaultParallelism,
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )


def _find_peak_mb() -> float:
    """Of this process; Linux tells kilobytes of 1,024 bytes, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
