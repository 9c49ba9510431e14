"""Rows that took the express lane and rows that went the long way, counted and measured as one batch."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import BLOCK, POSITION, VIOLATIONS
from sparkml_ops.ingestion.counts import BatchCounts, count_rows
from sparkml_ops.ingestion.express import Express
from sparkml_ops.ingestion.profile import has_bounds, list_bounds, list_kinds
from sparkml_ops.lake.footers import join_bounds

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.sources import Source


def join_counts(late: BatchCounts, express: Express, lines: "DataFrame", source: "Source") -> BatchCounts:
    """The counts of all rows of a batch.

    Args:
        late: of those that went the long way.
        express: what came of the first reading.
        lines: all lines that went the long way, the first and last of each block among them: how many there are of the others
            follows from where these stand, and not from the files that were written.
        source: the contract.
    """
    blocks = lines.groupBy("_source_file", BLOCK).agg((lines_in_block() - F.count("*")).alias("sure"))
    sure = int(blocks.agg(F.sum("sure")).collect()[0][0] or 0)
    measured, newest = _measure_sure(express, source)
    figures = dict(late.figures)
    for name, figure in measured.items():
        figures[name] = _JOINED[name.rpartition(".")[2]](figure, figures.get(name))
    newest = max((one for one in (newest, late.newest) if one is not None), default=None)
    return replace(late, rows_in=late.rows_in + sure, newest=newest, figures=figures)


def lines_in_block() -> "Column":
    """Aggregate over the lines that went the long way: how many lines their block has, for its last is one of them."""
    return F.max(POSITION) + 1


def _to_utc(moment: Any) -> datetime | None:
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None


def _measure_sure(express: Express, source: "Source") -> tuple[Mapping[str, float | None], datetime | None]:
    """Nulls and bounds by the names that `list_figures` has for them, and the newest moment; of files, what their footers tell."""
    if not express.are_the_tables:
        figures = list_bounds(express.sure, source, taken=F.lit(True))
        sound = express.sure.withColumn(VIOLATIONS, F.array().cast("array<string>"))
        counted = count_rows(sound, source, F.lit(False), figures=figures)
        return counted.figures, counted.newest
    found: dict[str, float | None] = {}
    for name, kind in list_kinds(express.sure, source).items():
        bounds = join_bounds(express.footers, name)
        found[f"{name}.nulls"] = bounds.nulls
        if has_bounds(name, kind, source):
            found |= {f"{name}.min": _as_number(bounds.least), f"{name}.max": _as_number(bounds.greatest)}
    return found, _to_utc(join_bounds(express.footers, source.freshness.of).greatest) if source.freshness else None


def _least(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _greatest(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _sum(one: float | None, other: float | None) -> float | None:
    return (one or 0) + (other or 0)


_JOINED = {"nulls": _sum, "min": _least, "max": _greatest}


def _as_number(value: Any) -> float | None:
    """A bound as a profile tells it; None for what is no number and no moment."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).timestamp()
    if isinstance(value, date):
        return float((value - date(1970, 1, 1)).days * 86_400)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return float(value) + 0.0 if is_number else None  # a file's least zero is -0.0, whatever the rows have
