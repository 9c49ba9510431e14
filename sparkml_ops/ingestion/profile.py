"""What a batch's columns hold: figures by column, for `metrics`.

Rows, nulls, bounds, means and lengths are of all rows that are taken in. What costs more (distinct values, quantiles, the most
frequent values) is of a sample that says its size; up to `SAMPLE_ROWS` rows it is all of them. Of a column with personal data
(`pii: true`) only nulls, distinct values and lengths are told.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import POSITION
from sparkml_ops.ingestion.counts import split_wide
from sparkml_ops.lake import Metric

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source
    from sparkml_ops.ingestion.batches import Batch

SAMPLE_ROWS = 100_000
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
_TOP_VALUES = 5
_QUANTILE_ACCURACY = 1000  # rank error of at most a thousandth of the rows
_LONGEST_VALUE = 100  # characters of a frequent value
_NUMBERS = ("int", "bigint", "double", "decimal")
_MOMENTS = ("date", "timestamp")
_SECONDS_OF_A_DAY = 86_400.0


def list_figures(rows: "DataFrame", source: "Source", *, taken: Column) -> dict[str, Column]:
    """Aggregates over the rows that are taken in, by `<column>.<figure>`; numbers as double, moments as seconds since 1970.

    Args:
        rows: with the columns of the contract.
        source: the contract.
        taken: true of rows that are taken in.
    """
    found: dict[str, Column] = {}
    personal = source.personal_columns()
    for name, kind in _list_columns(rows, source).items():
        found[f"{name}.nulls"] = F.count_if(taken & F.col(name).isNull())
        if kind == "string":
            length = F.when(taken, F.char_length(name))
            found |= {f"{name}.shortest": F.min(length), f"{name}.longest": F.max(length)}
        elif (each := _as_number(name, kind)) is not None and name not in personal:
            number = F.when(taken, each)
            found |= {f"{name}.min": F.min(number), f"{name}.mean": F.avg(number), f"{name}.max": F.max(number)}
    return found


def profile_rows(
    rows: "DataFrame", source: "Source", batch: "Batch", *, figures: Mapping[str, float | None], rows_taken: int
) -> list[Metric]:
    """The figures of each column.

    Args:
        rows: the batch's rows that are taken in, with `_source_file` and `_position`.
        source: the contract.
        batch: what they came in.
        figures: what `list_figures` came to.
        rows_taken: how many rows these are.
    """
    if not rows_taken:
        return []
    return [
        *_tell_all(figures, batch, rows_taken),
        *_tell_sample(rows, source, batch, one_in=-(-rows_taken // SAMPLE_ROWS)),
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


def _tell_sample(rows: "DataFrame", source: "Source", batch: "Batch", *, one_in: int) -> Iterator[Metric]:
    sample = rows if one_in == 1 else rows.where(F.pmod(F.xxhash64("_source_file", POSITION), F.lit(one_in)) == 0)
    columns, personal = _list_columns(rows, source), source.personal_columns()
    asked: list[Column] = []
    for name, kind in columns.items():
        asked.append(F.approx_count_distinct(name).alias(f"{name}.distinct"))
        if name in personal:
            continue
        number = _as_number(name, kind)
        if number is not None:
            shares = F.array(*map(F.lit, QUANTILES.values()))
            asked.append(F.percentile_approx(number, shares, _QUANTILE_ACCURACY).alias(f"{name}.quantiles"))
        else:
            text = F.substring(F.col(name).cast("string"), 1, _LONGEST_VALUE)
            asked.append(F.call_function("approx_top_k", text, F.lit(_TOP_VALUES)).alias(f"{name}.top"))
    told: dict[str, Any] = {}
    for part in split_wide(asked):
        told |= sample.agg(F.count(F.lit(1)).alias("rows"), *part).collect()[0].asDict(recursive=True)
    for name in columns:
        values = told.get(f"{name}.top")
        details = {"rows": told["rows"], "one_in": one_in}
        top = (
            {}
            if values is None
            else {"top": [[one["item"], one["count"]] for one in values if one["item"] is not None]}
        )
        subject, found = f"{batch.source}.{name}", {"distinct": told[f"{name}.distinct"]}
        found |= dict(zip(QUANTILES, told.get(f"{name}.quantiles") or (), strict=False))
        for figure, value in found.items():
            more = json.dumps(details | (top if figure == "distinct" else {}), ensure_ascii=False)
            yield Metric("profile", subject, figure, float(value), batch_id=batch.batch_id, details=more)


def _list_columns(rows: "DataFrame", source: "Source") -> dict[str, str]:
    """The contract's columns that have figures, with their kinds: no maps, lists or structs."""
    kinds = {name: kind.partition("(")[0] for name, kind in rows.dtypes}
    return {
        name: kinds[name]
        for name in source.column_names()
        if kinds[name] in {"string", "boolean", *_NUMBERS, *_MOMENTS}
    }


def _as_number(name: str, kind: str) -> Column | None:
    if kind in _NUMBERS:
        return F.col(name).cast("double")
    if kind == "date":
        return F.unix_date(name) * _SECONDS_OF_A_DAY  # a cast to an instant fails beyond the year 294247
    return F.unix_micros(name) / 1e6 if kind == "timestamp" else None
