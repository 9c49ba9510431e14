"""What a batch's columns hold: figures by column, for `metrics`.

Rows, nulls, bounds, means and lengths are of all rows that are taken in (of a batch that took the express lane, means and lengths are
of the sample). What costs more (distinct values, quantiles, the most
frequent values) is of a sample that says its size; up to `SAMPLE_ROWS` rows it is all of them. Of a column with personal data
(`pii: true`) only nulls, distinct values and lengths are told.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import POSITION
from sparkml_ops.ingestion.counts import split_wide
from sparkml_ops.lake import Metric
from sparkml_ops.lake.column_figures import MOMENTS, NUMBERS, as_number, ask_spread, has_spread, tell_spread, tell_top

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source
    from sparkml_ops.ingestion.batches import Batch

SAMPLE_ROWS = 100_000


@dataclass(frozen=True)
class Sample:
    """Some rows of a batch.

    Attributes:
        rows: the rows.
        one_in: how many rows of the batch one of them stands for.
    """

    rows: "DataFrame"
    one_in: int


def choose_sample(rows: "DataFrame", rows_taken: int) -> Sample:
    """All rows, or about `SAMPLE_ROWS` of them, the same ones each time.

    Args:
        rows: the batch's rows that are taken in, with `_source_file` and `_position`.
        rows_taken: how many rows these are.
    """
    one_in = -(-rows_taken // SAMPLE_ROWS)
    is_in = F.pmod(F.xxhash64("_source_file", POSITION), F.lit(one_in)) == 0
    return Sample(rows if one_in <= 1 else rows.where(is_in), one_in)


def list_bounds(rows: "DataFrame", source: "Source", *, taken: Column) -> dict[str, Column]:
    """Of the figures that `list_figures` has, nulls and bounds alone."""
    figures = list_figures(rows, source, taken=taken)
    return {name: figure for name, figure in figures.items() if name.rpartition(".")[2] in {"nulls", "min", "max"}}


def list_figures(rows: "DataFrame", source: "Source", *, taken: Column) -> dict[str, Column]:
    """Aggregates over the rows that are taken in, by `<column>.<figure>`; numbers as double, moments as seconds since 1970.

    Args:
        rows: with the columns of the contract.
        source: the contract.
        taken: true of rows that are taken in.
    """
    found: dict[str, Column] = {}
    for name, kind in list_kinds(rows, source).items():
        found[f"{name}.nulls"] = F.count_if(taken & F.col(name).isNull())
        if kind == "string":
            length = F.when(taken, F.char_length(name))
            found |= {f"{name}.shortest": F.min(length), f"{name}.longest": F.max(length)}
        elif has_bounds(name, kind, source) and (each := as_number(name, kind)) is not None:
            number = F.when(taken, each)
            found |= {f"{name}.min": F.min(number), f"{name}.mean": F.avg(number), f"{name}.max": F.max(number)}
    return found


def profile_rows(
    sample: Sample, source: "Source", batch: "Batch", *, figures: Mapping[str, float | None], rows_taken: int
) -> list[Metric]:
    """The figures of each column.

    Args:
        sample: some of the batch's rows that are taken in.
        source: the contract.
        batch: what they came in.
        figures: of all rows that are taken in, what `list_figures` or `list_bounds` came to; what is lacking is told of the sample.
        rows_taken: how many rows these are.
    """
    if not rows_taken:
        return []
    return [
        *_tell_all(figures, batch, rows_taken),
        *_tell_sample(sample, source, batch, known=figures),
    ]


def _tell_all(figures: Mapping[str, float | None], batch: "Batch", rows_taken: int) -> Iterator[Metric]:
    for place, figure in figures.items():
        column, _, name = place.rpartition(".")
        value = None if figure is None else float(figure)
        details = json.dumps({"rows": rows_taken})
        yield Metric(
            "profile", f"{batch.source}.{column}", name, value, batch_id=batch.batch_id, details=details,
            verdict="info" if value is not None else "no_data",
        )  # fmt: skip


def _tell_sample(
    sample: Sample, source: "Source", batch: "Batch", *, known: Mapping[str, float | None]
) -> Iterator[Metric]:
    columns, personal = list_kinds(sample.rows, source), source.personal_columns()
    lacking = {
        name: figure
        for name, figure in list_figures(sample.rows, source, taken=F.lit(True)).items()
        if name not in known
    }
    asked = [figure.alias(name) for name, figure in lacking.items()]
    for name, kind in columns.items():
        asked += ask_spread(name, kind, is_personal=name in personal)
    told: dict[str, Any] = {}
    for part in split_wide(asked):
        told |= sample.rows.agg(F.count(F.lit(1)).alias("rows"), *part).collect()[0].asDict(recursive=True)
    for name in columns:
        details = {"rows": told["rows"], "one_in": sample.one_in}
        top = tell_top(name, told)
        subject, found = f"{batch.source}.{name}", tell_spread(name, told)
        found |= {
            figure.rpartition(".")[2]: told[figure]
            for figure in lacking
            if figure.rpartition(".")[0] == name and told[figure] is not None
        }
        for figure, value in found.items():
            more = json.dumps(details | (top if figure == "distinct" else {}), ensure_ascii=False)
            yield Metric("profile", subject, figure, float(value), batch_id=batch.batch_id, details=more)


def list_kinds(rows: "DataFrame", source: "Source") -> dict[str, str]:
    """The contract's columns that have figures, with their kinds: no maps, lists or structs."""
    kinds = {name: kind.partition("(")[0] for name, kind in rows.dtypes}
    return {name: kinds[name] for name in source.column_names() if has_spread(kinds[name])}


def has_bounds(name: str, kind: str, source: "Source") -> bool:
    """Whether the least and greatest value of a column are told: of numbers and moments that are not personal."""
    return kind in {*NUMBERS, *MOMENTS} and name not in source.personal_columns()
