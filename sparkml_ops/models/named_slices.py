"""Slices that are asked for by name: how many judged rows each has, also where it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.slices import list_slices


@dataclass(frozen=True)
class NamedSlice:
    """Rows of a slice, beside all that are judged.

    Attributes:
        column: The column that slices.
        value: Its value as text, as `SliceResult` has it; None for null.
        rows: Rows with a label.
        of: Rows with a label in all.
    """

    column: str
    value: str | None
    rows: int
    of: int


def count_named_slices(
    scored: DataFrame, must_have: Mapping[str, Sequence[str | float]], *, label: str
) -> list[NamedSlice]:
    """Count the rows of named slices in one pass, in the order in which they are named.

    A value is read as one of its column's type, so that 5 is found in a column of doubles; what is no such value is in no row.

    Args:
        scored: Rows with a label (those where it is null are left out).
        must_have: Values by column.
        label: The label's column.
    """
    named = [(column, str(value)) for column, values in must_have.items() for value in values]
    if not named:
        return []
    counts = [
        F.count_if(F.coalesce(F.col(f"`{column}`") == _read(scored, column, value), F.lit(False))).alias(f"rows_{at}")
        for at, (column, value) in enumerate(named)
    ]
    texts = [
        _read(scored, column, value).cast("string").alias(f"text_{at}") for at, (column, value) in enumerate(named)
    ]
    found = (
        scored.where(F.col(label).isNotNull()).agg(F.count("*").alias("rows"), *counts).select("*", *texts).collect()[0]
    )
    return [
        NamedSlice(column, value if found[f"text_{at}"] is None else found[f"text_{at}"], found[f"rows_{at}"], found["rows"])
        for at, (column, value) in enumerate(named)
    ]  # fmt: skip


def find_largest_slice(scored: DataFrame, by: Sequence[str], *, label: str) -> NamedSlice | None:
    """The slice with the most rows, of several the first by name; None where no row has a label.

    Args:
        scored: Rows with a label (those where it is null are left out).
        by: Columns that slice.
        label: The label's column.
    """
    labelled = scored.where(F.col(label).isNotNull())
    slices = labelled.select(F.explode(list_slices(by)).alias("slice")).groupBy("slice.column", "slice.value").count()
    largest = slices.orderBy(F.desc("count"), "column", "value").first()
    if largest is None:
        return None
    return NamedSlice(largest["column"], largest["value"], largest["count"], labelled.count())


def _read(scored: DataFrame, column: str, value: str) -> Column:
    return F.lit(value).try_cast(scored.schema[column].dataType)
