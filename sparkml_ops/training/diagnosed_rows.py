"""What is measured of the rows of a training, on Spark."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.models import ANSWERS, Reference, count_bins, population_stability_index
from sparkml_ops.training.diagnosis_figures import DataFigures, Shift

ROWS_PER_BIN = 10  # with fewer, a bin that is empty by chance decides the whole index
UPPER_END = 1.645  # of a normal distribution: one in twenty is above


@dataclass(frozen=True)
class Subject:
    """The training that is looked at.

    Attributes:
        use_case: The use case.
        training_set: Its version: rows and positives by part.
        rows: The rows, all parts.
        reference: Bins of the training rows, by feature column.
        left_out: Why columns are left out.
    """

    use_case: UseCase
    training_set: TrainingSet
    rows: DataFrame
    reference: Reference
    left_out: Mapping[str, str]


def measure_data(subject: Subject) -> DataFigures:
    """Days, repeated rows and missing values; one pass over the rows."""
    timestamp, features = subject.use_case.dataset.timestamp, [column.name for column in subject.reference.columns]
    features = [name for name in features if name not in ANSWERS]
    alike = F.xxhash64(*(F.col(f"`{name}`") for name in (timestamp, "label", *features)))
    day = F.to_date(F.col(f"`{timestamp}`"))
    groups = subject.rows.groupBy("split", alike.alias("alike")).agg(F.count("*").alias("n"), F.min(day).alias("day"))
    summed = groups.groupBy("split").agg(F.sum(F.col("n") - 1).alias("repeated"), F.countDistinct("day").alias("days"))
    found = {row["split"]: row for row in summed.collect()}
    counts = {name: counts for name, counts in subject.reference.counts.items() if name in features}
    return DataFigures(
        rows=dict(subject.training_set.rows),
        positives=dict(subject.training_set.positives),
        days={part: int(row["days"]) for part, row in found.items()},
        repeated=int(found["train"]["repeated"]) if "train" in found else 0,
        columns=len(features),
        left_out=subject.left_out,
        missing={name: held[-1] / max(sum(held), 1) for name, held in counts.items()},
    )


def measure_shifts(subject: Subject) -> list[Shift]:
    """PSI of every column of valid and test against train; of parts with too few rows none.

    Of two samples of one distribution over B bins, PSI is about (1/n + 1/m) times a chi-square of B - 1 degrees of freedom
    (Yurdakul 2018, "Statistical properties of population stability index"); its upper 95 % end is what chance explains.
    """
    features = Reference(tuple(column for column in subject.reference.columns if column.name not in ANSWERS))
    shifts = []
    for part in ("valid", "test"):
        counted = count_bins(subject.rows.where(F.col("split") == part), features)
        for column in features.columns:
            counts = counted[column.name]
            rows = (sum(column.counts), sum(counts))
            psi = population_stability_index(column.counts, counts)
            if psi is not None and min(rows) >= ROWS_PER_BIN * column.bins:
                free = column.bins - 1
                chance = (free + UPPER_END * math.sqrt(2 * free)) * (1 / rows[0] + 1 / rows[1])
                shifts.append(Shift(column.name, part, psi, chance))
    return shifts
