"""What the rows looked like that a model learned from, to hold later rows against."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.encoder import find_kinds
from sparkml_ops.models.levels import find_levels

if TYPE_CHECKING:
    import pyarrow as pa

QUANTILE_BINS = 10  # deciles, as is usual for the stability index
TOP_LEVELS = 20
QUANTILE_ACCURACY = 1_000  # edges are at most 1/1,000 of the rows away from the exact decile
EPSILON = 1e-4  # share that an empty bin counts as: a logarithm of zero would say infinity for one missing row


@dataclass(frozen=True)
class ColumnReference:
    """One column's bins and how many rows each holds.

    A number's bins are `(-inf, edges[0]], (edges[0], edges[1]], … (edges[-1], inf)`. The first and the last hold values
    below and above all that was seen, so that a change of unit shows. A text's bins are its levels, then all others.
    The last bin is always that of missing values (null, NaN).
    """

    name: str
    edges: tuple[float, ...] | None
    levels: tuple[str, ...] | None
    counts: tuple[int, ...]

    @property
    def bins(self) -> int:
        """How many bins there are, that of missing values included."""
        return len(self.edges or self.levels or ()) + 2


@dataclass(frozen=True)
class Reference:
    """References by column."""

    columns: tuple[ColumnReference, ...]

    @property
    def counts(self) -> dict[str, list[int]]:
        """The counts, by column."""
        return {column.name: list(column.counts) for column in self.columns}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, by column."""
        return {c.name: {"edges": c.edges, "levels": c.levels, "counts": c.counts} for c in self.columns}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Mapping[str, Any]]) -> "Reference":
        """Read what `to_dict` wrote, or some columns of it."""
        return cls(columns=tuple(_read_column(name, **part) for name, part in plain.items()))


def fit_reference(rows: DataFrame, columns: Sequence[str]) -> Reference:
    """Cut each column into bins, at its deciles or by its most frequent levels, and count the rows.

    Raises:
        ModelError: A column is neither number, boolean nor text.
    """
    kinds = find_kinds(rows, columns)
    edges = _find_edges(rows, [name for name in columns if kinds[name] == "numeric"])
    levels = find_levels(rows, [name for name in columns if kinds[name] == "categorical"], most=TOP_LEVELS)
    bins = Reference(tuple(ColumnReference(n, edges.get(n), levels.get(n), ()) for n in columns))
    counts = count_bins(rows, bins)
    return Reference(tuple(ColumnReference(c.name, c.edges, c.levels, tuple(counts[c.name])) for c in bins.columns))


def count_bins(rows: DataFrame, reference: Reference) -> dict[str, list[int]]:
    """Count rows in the reference's bins, all columns in one pass; counts by column, in the order of its bins."""
    if not reference.columns:
        return {}
    names = [column.name for column in reference.columns]

    def count(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        yield _count_batches(batches, reference)

    partial = rows.select(*(F.col(f"`{name}`") for name in names)).mapInArrow(count, "at int, bin int, rows bigint")
    totals = {name: [0] * column.bins for name, column in zip(names, reference.columns, strict=True)}
    for row in partial.groupBy("at", "bin").agg(F.sum("rows").alias("rows")).collect():
        totals[names[row["at"]]][row["bin"]] = int(row["rows"])
    return totals


def population_stability_index(expected: Sequence[int], actual: Sequence[int]) -> float | None:
    """How far two distributions over the same bins are apart; None when one of them has no rows.

    `sum((a_i - e_i) ln(a_i / e_i))` over the shares of the bins (Siddiqi 2006, "Credit risk scorecards"; it is the
    symmetrised Kullback-Leibler divergence of Jeffreys). Usual reading: below 0.1 stable, above 0.25 changed. A share
    is taken as at least `EPSILON`.
    """
    if sum(expected) <= 0 or sum(actual) <= 0:
        return None
    e, a = (np.maximum(np.asarray(counts, dtype=np.float64) / sum(counts), EPSILON) for counts in (expected, actual))
    e, a = e / e.sum(), a / a.sum()
    return float(np.sum((a - e) * np.log(a / e)))


def _find_edges(rows: DataFrame, columns: Sequence[str]) -> dict[str, tuple[float, ...]]:
    if not columns:
        return {}
    shares = [step / QUANTILE_BINS for step in range(1, QUANTILE_BINS)]
    aggregates = []
    for name in columns:
        number = F.col(f"`{name}`").cast("double")
        known = F.when(~F.isnan(number), number)
        quantiles = F.percentile_approx(known, shares, QUANTILE_ACCURACY)
        aggregates.append(
            F.struct(quantiles.alias("inner"), F.min(known).alias("low"), F.max(known).alias("high")).alias(name)
        )
    found = rows.agg(*aggregates).first()
    return {name: _place_edges(found[name]) for name in columns}  # type: ignore[index]  # an aggregate has one row


def _place_edges(found: Any) -> tuple[float, ...]:
    if found["inner"] is None:
        return ()
    below_all = math.nextafter(found["low"], -math.inf)
    edges = {below_all, *found["inner"], found["high"]}
    return tuple(sorted(edge for edge in edges if math.isfinite(edge)))


def _count_batches(batches: Iterable["pa.RecordBatch"], reference: Reference) -> "pa.RecordBatch":
    import pyarrow as pa

    totals = [np.zeros(column.bins, dtype=np.int64) for column in reference.columns]
    for batch in batches:
        for at, column in enumerate(reference.columns):
            totals[at] += np.bincount(find_bins(column, batch.column(at)), minlength=column.bins)
    rows = [(at, index, int(count)) for at, counts in enumerate(totals) for index, count in enumerate(counts) if count]
    types = (pa.int32(), pa.int32(), pa.int64())
    arrays = [pa.array([row[part] for row in rows], type=kind) for part, kind in enumerate(types)]
    return pa.RecordBatch.from_arrays(arrays, names=["at", "bin", "rows"])


def find_bins(column: ColumnReference, values: "pa.Array") -> Any:
    """The bin of each value of an Arrow array, shape (rows,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = column.bins - 1
    if column.levels is not None:
        codes = pc.index_in(values.cast(pa.string()), value_set=pa.array(column.levels, type=pa.string()))
        known = np.asarray(pc.fill_null(codes, len(column.levels)).to_numpy(zero_copy_only=False))
        return np.where(np.asarray(values.is_null().to_numpy(zero_copy_only=False)), missing, known)
    numbers = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return np.where(np.isnan(numbers), missing, np.searchsorted(np.asarray(column.edges), numbers, side="left"))


def _read_column(name: str, *, edges: Any, levels: Any, counts: Sequence[int]) -> ColumnReference:
    return ColumnReference(
        name=name,
        edges=None if edges is None else tuple(edges),
        levels=None if levels is None else tuple(levels),
        counts=tuple(counts),
    )
