"""What Parquet files tell of themselves: rows, and nulls and bounds of each column, without reading a value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sparkml_ops.lake.arrow_files import read_ascending


@dataclass(frozen=True)
class Bounds:
    """Of a column's values in a file, or in several.

    Attributes:
        nulls: how many are null.
        least: the least of the others; None where there is none, or the file does not tell.
        greatest: the greatest of them.
    """

    nulls: int
    least: Any = None
    greatest: Any = None


@dataclass(frozen=True)
class Footer:
    """What a file tells.

    Attributes:
        file: where it is.
        rows: how many rows it has.
        columns: bounds by column; columns of columns are not among them.
        ascends_by: a column of which each value is greater than the one before, if the file notes one.
    """

    file: Path
    rows: int
    columns: Mapping[str, Bounds]
    ascends_by: str | None = None


def read_footers(files: Iterable[Path]) -> list[Footer]:
    """Read the footer of each file on this machine.

    Raises:
        OverflowError: a date or an instant is past the year 9999, where Python's end.
    """
    import pyarrow.parquet as pq

    found = []
    for file in files:
        told = pq.read_metadata(file)
        groups = [told.row_group(at) for at in range(told.num_row_groups)]
        chunks = [[group.column(at) for group in groups] for at in range(told.num_columns)]
        told_of = {parts[0].path_in_schema: _read_bounds(parts) for parts in chunks if parts}
        columns = {name: bounds for name, bounds in told_of.items() if bounds is not None}
        found.append(Footer(file, told.num_rows, columns, read_ascending(told)))
    return found


def ascend_apart(footers: Sequence[Footer], column: str) -> bool:
    """Whether the files' notes and bounds say that no value of a column is there twice; False where they do not say so."""
    bounds = [one.columns.get(column, Bounds(0)) for one in footers if one.ascends_by == column]
    if len(bounds) < len(footers) or any(one.nulls or one.least is None or one.greatest is None for one in bounds):
        return False
    ordered = sorted(bounds, key=lambda one: one.least)
    return all(one.greatest < next_.least for one, next_ in pairwise(ordered))


def join_bounds(footers: Sequence[Footer], column: str) -> Bounds:
    """The bounds of a column over several files."""
    parts = [footer.columns[column] for footer in footers if column in footer.columns]
    return Bounds(
        sum(part.nulls for part in parts),
        min((part.least for part in parts if part.least is not None), default=None),
        max((part.greatest for part in parts if part.greatest is not None), default=None),
    )


def _read_bounds(chunks: Sequence[Any]) -> Bounds | None:
    """Of a column's parts in a file; None where one of them tells nothing at all.

    Of long texts writers tell no bounds. What one part does not tell is not known of the whole: a bound of the others alone would make
    readers pass over rows.
    """
    told = [chunk.statistics for chunk in chunks]
    if any(one is None or not one.has_null_count for one in told):
        return None
    nulls = sum(one.null_count for one in told)
    filled = [one for one in told if one.num_values]
    if not filled or not all(one.has_min_max for one in filled):
        return Bounds(nulls)
    return Bounds(nulls, min(one.min for one in filled), max(one.max for one in filled))
