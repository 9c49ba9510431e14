"""A model that was made again beside the registered one: their predictions row by row, and their figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models import PREDICTION, FeatureEncoder, PackagedModel, predict_rows

TOLERANCE = 1e-9
"""What a sum over rows may differ by when Spark adds them up in another order; predictions have no such excuse."""
RECORDED, AGAIN = "_recorded", "_again"
_EXAMPLES = 5

Figures = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""Figures by model and metric: value, lower, upper."""


@dataclass(frozen=True)
class RowComparison:
    """Predictions of both models on the same rows.

    Attributes:
        rows: How many rows there are, of all parts.
        equal: Rows with the very same prediction.
        above: Rows whose predictions differ by more than `TOLERANCE`.
        largest: Largest difference.
    """

    rows: int
    equal: int
    above: int
    largest: float


@dataclass(frozen=True)
class FigureComparison:
    """One figure of the part test, as it was recorded and as it is now; None where it is not defined.

    Attributes:
        model: candidate, linear or trivial.
        metric: Its name.
        part: value, lower or upper.
        recorded: As it was recorded.
        again: As the model that was made again has it.
    """

    model: str
    metric: str
    part: str
    recorded: float | None
    again: float | None

    @property
    def is_same(self) -> bool:
        """Whether both are the same, up to `TOLERANCE`."""
        if self.recorded is None or self.again is None:
            return self.recorded is self.again
        return abs(self.recorded - self.again) <= TOLERANCE


def compare_predictions(rows: DataFrame, recorded: PackagedModel, again: PackagedModel) -> RowComparison:
    """Ask both models for each row, in one job of Spark."""
    scored = predict_rows(rows, recorded).withColumnRenamed(PREDICTION, RECORDED)
    scored = predict_rows(scored, again).withColumnRenamed(PREDICTION, AGAIN)
    difference = _measure_difference(
        F.col(AGAIN), F.col(RECORDED), is_of_classes=bool(recorded.classes and again.classes)
    )
    found = scored.agg(
        F.count("*").alias("rows"),
        F.count_if(difference == 0).alias("equal"),
        F.count_if(difference > TOLERANCE).alias("above"),
        F.coalesce(F.max(difference), F.lit(0.0)).alias("largest"),
    ).collect()[0]
    return RowComparison(**found.asDict())


def _measure_difference(again: Column, recorded: Column, *, is_of_classes: bool) -> Column:
    """Between two numbers, or the largest between the probabilities of one class; a class that one of them lacks has the probability 0."""
    if not is_of_classes:
        return F.abs(again - recorded)
    both = F.map_zip_with(
        again, recorded, lambda _, one, other: F.abs(F.coalesce(one, F.lit(0.0)) - F.coalesce(other, F.lit(0.0)))
    )
    return F.array_max(F.map_values(both))


def compare_figures(recorded: Figures, again: Figures) -> tuple[FigureComparison, ...]:
    """All figures that either has, in the order of the recorded ones."""
    flat = [
        {(m, n, p): v for m, ns in one.items() for n, ps in ns.items() for p, v in ps.items()}
        for one in (recorded, again)
    ]
    return tuple(
        FigureComparison(*key, flat[0].get(key), flat[1].get(key)) for key in dict.fromkeys([*flat[0], *flat[1]])
    )


def list_segment_changes(recorded: PackagedModel, again: PackagedModel) -> list[str]:
    """Segments that have a model of their own in one of the two, in words."""
    old, new = (one.family.names if one.family else () for one in (recorded, again))
    told = {
        "segments without a model of their own now": [name for name in old if name not in set(new)],
        "segments with a model of their own that had none": [name for name in new if name not in set(old)],
    }
    return [_tell_some(what, names) for what, names in told.items() if names]


def _tell_some(what: str, names: list[Any]) -> str:
    return f"{what}: {', '.join(names[:_EXAMPLES])}{' …' * (len(names) > _EXAMPLES)}"


def list_encoder_changes(recorded: FeatureEncoder, again: FeatureEncoder) -> list[str]:
    """Which columns become other numbers than they did, in words."""
    old, new = ({column.name: column for column in encoder.columns} for encoder in (recorded, again))
    told: dict[str, list[Any]] = {
        "columns that are not learned from any more": [name for name in old if name not in new],
        "columns that were not learned from": [name for name in new if name not in old],
        "columns with other levels or fills": [name for name in old if name in new and old[name] != new[name]],
    }
    return [_tell_some(what, names) for what, names in told.items() if names]
