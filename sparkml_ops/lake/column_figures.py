"""How the values of a column are spread, as aggregates of one pass: for `metrics`, whatever the rows are."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
MOMENTS = ("date", "timestamp")
_TOP_VALUES = 5
_QUANTILE_ACCURACY = 1000  # rank error of at most a thousandth of the rows
_LONGEST_VALUE = 100  # characters of a frequent value
_SECONDS_OF_A_DAY = 86_400.0


def has_spread(kind: str) -> bool:
    """Whether a column of this kind has figures: no maps, lists or structs."""
    return kind in {"string", "boolean", *NUMBERS, *MOMENTS}


def as_number(name: str, kind: str) -> Column | None:
    """A column's values as doubles, moments as seconds since 1970; None where they are no numbers."""
    if kind in NUMBERS:
        return F.col(name).cast("double")
    if kind == "date":
        return F.unix_date(name) * _SECONDS_OF_A_DAY  # a cast to an instant fails beyond the year 294247
    return F.unix_micros(name) / 1e6 if kind == "timestamp" else None


def ask_spread(name: str, kind: str, *, is_personal: bool) -> Iterator[Column]:
    """Distinct values, and quantiles or the most frequent values; of personal data, distinct values alone."""
    yield F.approx_count_distinct(name).alias(f"{name}.distinct")
    if is_personal:
        return
    number = as_number(name, kind)
    if number is not None:
        shares = F.array(*map(F.lit, QUANTILES.values()))
        yield F.percentile_approx(number, shares, _QUANTILE_ACCURACY).alias(f"{name}.quantiles")
    else:
        text = F.substring(F.col(name).cast("string"), 1, _LONGEST_VALUE)
        yield F.call_function("approx_top_k", text, F.lit(_TOP_VALUES)).alias(f"{name}.top")


def tell_spread(name: str, told: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a column, from what `ask_spread` came to."""
    quantiles: Iterable[float] = told.get(f"{name}.quantiles") or ()
    return {"distinct": told[f"{name}.distinct"], **dict(zip(QUANTILES, quantiles, strict=False))}


def tell_top(name: str, told: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """The most frequent values and how often each comes, as details; nothing where they were not asked for."""
    values = told.get(f"{name}.top")
    if values is None:
        return {}
    return {"top": [[one["item"], one["count"]] for one in values if one["item"] is not None]}
