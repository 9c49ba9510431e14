"""What a model looks at, over many rows: how much each feature column moves the answer, and which way at which values.

Contributions are those of `find_contributions`: for trees exact Shapley values (Lundberg et al. 2020, "From local explanations to
global understanding with explainable AI for trees", where the mean of their sizes is called global importance). Of a linear model
the contribution is the coefficient times (prepared value - its mean), which is its exact Shapley value where columns are taken
as independent (Štrumbelj and Kononenko 2014). Both are on the scale of the log odds, or of a regression in the unit of the label. Of several classes the importance is the mean over
the classes of the mean size of what a column adds to the class's score; only LightGBM's trees tell it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.bulk import ship_model
from sparkml_ops.models.encoder import FeatureEncoder
from sparkml_ops.models.kinds import find_estimator_kind, lightgbm
from sparkml_ops.models.package import PackagedModel
from sparkml_ops.models.reference import ColumnReference, Reference, find_bins

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MAX_TASKS = 8  # more tasks would spend the time on loading the model
DIGITS = 6  # that are kept: sums of partitions come in any order, and differ behind them
SHAP, LINEAR = "shap", "linear"
_SUMS = ("value", "contribution", "size")
_PARTIAL = "at int, bin int, rows bigint, value double, contribution double, size double"


@dataclass(frozen=True)
class DependenceGroup:
    """Rows whose values of a column are alike: a tenth of its values, a level, all other levels, or missing.

    Attributes:
        kind: `range`, `level`, `others` or `missing`.
        lower: Values of a range are above it; None for the first.
        upper: Values of a range are at most this; None for the last.
        level: The level.
        rows: How many rows.
        mean_value: The mean of a range's values.
        mean_contribution: What the column adds to the log odds, or to the number, here on average.
    """

    kind: str
    rows: int
    mean_contribution: float
    lower: float | None = None
    upper: float | None = None
    level: str | None = None
    mean_value: float | None = None


@dataclass(frozen=True)
class ColumnExplanation:
    """One feature column: the mean size of its contributions to the log odds or the number, and its groups; none where they are withheld."""

    name: str
    importance: float
    groups: tuple[DependenceGroup, ...]


@dataclass(frozen=True)
class Explanation:
    """Feature columns, most important first.

    Attributes:
        method: `shap` or `linear`.
        rows: Rows that were looked at.
        features: All feature columns of the model.
    """

    method: str
    rows: int
    features: tuple[ColumnExplanation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what a group does not have is left out."""
        features = [
            {
                "name": column.name,
                "importance": column.importance,
                "groups": [{k: v for k, v in asdict(group).items() if v is not None} for group in column.groups],
            }
            for column in self.features
        ]
        return {"method": self.method, "rows": self.rows, "features": features}


def explain_model(
    rows: DataFrame, model: PackagedModel, reference: Reference, *, withhold: Collection[str] = ()
) -> Explanation | None:
    """Compute contributions on Spark's workers, and bring only sums by group to the driver.

    Args:
        rows: Some rows with the model's feature columns, such as `draw_rows` takes of the test part.
        model: The model.
        reference: Bins of its feature columns, from the training rows: tenths of numbers, the most frequent levels of texts.
        withhold: Columns with personal data, of whose values nothing is told.

    Returns:
        None when this kind of estimator does not say what its columns add, or there are no rows.
    """
    kind = find_estimator_kind(model.kind)
    if not kind.has_contributions(model.estimator):
        return None
    mine = {column.name: column for column in reference.columns}
    columns = [mine[name] for name in model.feature_columns]
    tasks = min(rows.sparkSession.sparkContext.defaultParallelism, MAX_TASKS)
    spread = rows.select(*(F.col(f"`{name}`") for name in model.feature_columns)).repartition(tasks)
    is_linear = model.kind != "lightgbm"  # its contributions are not around their mean yet
    centre = np.zeros(len(columns))
    if is_linear:
        sums = _sum_groups(spread, model, columns, centre=centre)
        centre = np.array([part[:, 2].sum() / max(part[:, 0].sum(), 1) for part in sums])
    sums = _sum_groups(spread, model, columns, centre=centre)
    counted = int(sums[0][:, 0].sum())
    if not counted:
        return None
    told = (_tell_column(column, part, counted) for column, part in zip(columns, sums, strict=True))
    # What a column adds to one class it takes from others: of several classes there is no way that it moves "the" answer.
    hidden = model.feature_columns if model.classes else withhold
    features = [replace(column, groups=()) if column.name in hidden else column for column in told]
    ordered = tuple(sorted(features, key=lambda column: (-column.importance, column.name)))
    return Explanation(LINEAR if is_linear else SHAP, counted, ordered)


def add_up_flags(contributions: "NDArray[np.float64]", encoder: FeatureEncoder) -> "NDArray[np.float64]":
    """Contributions of encoded columns -> of feature columns: the flag of missing values belongs to its column."""
    width = len(encoder.columns)
    summed = contributions[:, :width].copy()
    flagged = [position for position, column in enumerate(encoder.columns) if column.flag]
    summed[:, flagged] += contributions[:, width:]
    return summed


def _sum_groups(
    rows: DataFrame, model: PackagedModel, columns: Sequence[ColumnReference], *, centre: "NDArray[np.float64]"
) -> "list[NDArray[np.float64]]":
    """By column, sums of shape (bins, 4): rows, values, contributions, sizes of contributions."""
    load = ship_model(rows.sparkSession, model)
    partial = rows.mapInArrow(_make_summer(load, tuple(columns), centre), _PARTIAL)
    totals = [np.zeros((column.bins, 4)) for column in columns]
    summed = partial.groupBy("at", "bin").agg(*(F.sum(name).alias(name) for name in ("rows", *_SUMS)))
    for row in summed.collect():
        totals[row["at"]][row["bin"]] = [row["rows"], *(row[name] for name in _SUMS)]
    return totals


def _make_summer(
    load: Callable[[], PackagedModel], columns: tuple[ColumnReference, ...], centre: "NDArray[np.float64]"
) -> Callable[[Iterable["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    def add_up(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        model = load()
        for batch in batches:
            if batch.num_rows:
                yield _sum_batch(batch, model, columns, centre)

    return add_up


def _sum_batch(
    batch: "pa.RecordBatch", model: PackagedModel, columns: Sequence[ColumnReference], centre: "NDArray[np.float64]"
) -> "pa.RecordBatch":
    import pyarrow as pa

    contributions, sizes = _find_contributions(model, model.encoder.encode_batch(batch), centre)
    parts = []
    for at, column in enumerate(columns):
        bins, values = _place_values(column, batch.column(column.name))
        weights = (np.ones(len(bins)), values, contributions[:, at], sizes[:, at])
        sums = np.stack([np.bincount(bins, weights=w, minlength=column.bins) for w in weights], axis=1)
        there = np.flatnonzero(sums[:, 0])
        parts.append(np.column_stack([np.full(len(there), at), there, sums[there]]))
    table = np.concatenate(parts)
    whole = [
        pa.array(table[:, part].astype(np.int64)).cast(t) for part, t in enumerate((pa.int32(), pa.int32(), pa.int64()))
    ]
    return pa.RecordBatch.from_arrays(
        [*whole, *(pa.array(table[:, part]) for part in (3, 4, 5))], names=["at", "bin", "rows", *_SUMS]
    )


def _find_contributions(
    model: PackagedModel, matrix: "NDArray[np.float64]", centre: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Contributions of feature columns and their sizes, of several classes means over these; both of shape (rows, feature columns)."""
    if not model.classes:
        encoded = find_estimator_kind(model.kind).find_contributions(model.estimator, matrix)
        contributions = add_up_flags(encoded, model.encoder) - centre
        return contributions, np.abs(contributions)
    of_classes = lightgbm.find_class_contributions(model.estimator, matrix)[:, :, :-1]
    each = np.stack([add_up_flags(of_classes[:, at], model.encoder) for at in range(of_classes.shape[1])])
    sizes: NDArray[np.float64] = np.abs(each).mean(axis=0)
    return each.mean(axis=0), sizes


def _place_values(column: ColumnReference, array: "pa.Array") -> tuple["NDArray[np.int64]", "NDArray[np.float64]"]:
    """The bin of each value, and the value of a number; infinity is missing, as it is for the model."""
    import pyarrow as pa

    bins = np.asarray(find_bins(column, array), dtype=np.int64)
    if column.levels is not None:
        return bins, np.zeros(len(bins))
    numbers = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    known = np.isfinite(numbers)
    return np.where(known, bins, column.bins - 1), np.where(known, numbers, 0.0)


def _tell_column(column: ColumnReference, sums: "NDArray[np.float64]", rows: int) -> ColumnExplanation:
    groups = tuple(_tell_group(column, at, part) for at, part in enumerate(sums) if part[0])
    return ColumnExplanation(column.name, _round(sums[:, 3].sum() / rows), groups)


def _tell_group(column: ColumnReference, at: int, sums: "NDArray[np.float64]") -> DependenceGroup:
    rows, contribution = int(sums[0]), _round(sums[2] / sums[0])
    if at == column.bins - 1:
        return DependenceGroup("missing", rows, contribution)
    if column.levels is not None:
        if at == len(column.levels):
            return DependenceGroup("others", rows, contribution)
        return DependenceGroup("level", rows, contribution, level=column.levels[at])
    edges = column.edges or ()
    return DependenceGroup(
        "range",
        rows,
        contribution,
        lower=edges[at - 1] if at else None,
        upper=edges[at] if at < len(edges) else None,
        mean_value=_round(sums[1] / sums[0]),
    )


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
