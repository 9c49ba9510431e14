"""Rules of a column that Arrow can hold values against as Spark does; the others are left to Spark.

A row that does not surely keep them is not refused here: it goes the long way, which says whether and why.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING

from sparkml_ops.ingestion.contract import PANDAS_YEARS
from sparkml_ops.ingestion.readers.plain import plain_type

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_ops.config.sources import Column as Rule

_MOST = {"int": 2**31, "long": 2**53, "double": 2**53}
"""Bounds below these are the same number to Arrow and to Spark."""
_SECOND = 1_000_000  # microseconds
_INSTANTS = (
    int(datetime(PANDAS_YEARS[0], 1, 1, tzinfo=UTC).timestamp()) * _SECOND,
    int(datetime(PANDAS_YEARS[1] + 1, 1, 1, tzinfo=UTC).timestamp()) * _SECOND - 1,
)


@dataclass(frozen=True)
class PlainRule:
    """What Arrow looks at.

    Attributes:
        kind: the column's type.
        nullable: whether a value may be null.
        between: lowest and highest value; None for any.
        allowed: the values; None for any.
        length: fewest and most characters; None for any.
    """

    kind: str
    nullable: bool = True
    between: tuple[float, float] | None = None
    allowed: tuple[str | float, ...] | None = None
    length: tuple[int, int] | None = None


def share_rule(rule: "Rule", *, is_key: bool) -> "tuple[PlainRule, Rule | None]":
    """What Arrow looks at, and what is left to Spark; None where nothing is."""
    kind = plain_type(rule)
    if kind != rule.type or rule.format is not None:
        return PlainRule(kind), rule
    asked, allowed, length = rule.between, rule.allowed, rule.length
    between = _find_limits(kind, *asked) if asked else None
    alike = kind == "string" and all(isinstance(one, str) for one in allowed or ())
    listed = tuple(allowed) if allowed and alike else None
    shared = PlainRule(kind, rule.nullable and not is_key, between, listed, length if kind == "string" else None)
    left = rule.model_copy(
        update={
            "between": asked if between is None else None,
            "allowed": allowed if listed is None else None,
            "length": length if shared.length is None else None,
        }
    )
    is_settled = left.between is None and left.allowed is None and left.length is None and left.matches is None
    return shared, None if is_settled else left


def _find_limits(kind: str, low: float, high: float) -> tuple[float, float] | None:
    """The same bounds among the numbers of a type; None where Arrow and Spark might take them for others."""
    if kind not in _MOST or not all(abs(bound) < _MOST[kind] for bound in (low, high)):
        return None
    return (low, high) if kind == "double" else (math.ceil(low), math.floor(high))


def flag_kept(values: "pa.Array", rule: PlainRule) -> "pa.Array | None":
    """Which values keep the rule; None where all do."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = []
    if not rule.nullable and values.null_count:
        found.append(pc.is_valid(values))
    for numbers, (low, high) in _list_bounds(values, rule):
        bounds = pc.min_max(numbers).as_py()
        if bounds["min"] is not None and (bounds["min"] < low or bounds["max"] > high):
            is_within = pc.and_(pc.greater_equal(numbers, low), pc.less_equal(numbers, high))
            found.append(pc.fill_null(is_within, True))
    if rule.allowed is not None:
        found.append(pc.or_(pc.is_in(values, pa.array(rule.allowed, values.type)), pc.is_null(values)))
    return reduce(pc.and_, found) if found else None


def _list_bounds(values: "pa.Array", rule: PlainRule) -> "list[tuple[pa.Array, tuple[float, float]]]":
    import pyarrow as pa
    import pyarrow.compute as pc

    found: list[tuple[pa.Array, tuple[float, float]]] = []
    if rule.between is not None:
        found.append((values, rule.between))
    if rule.length is not None:
        found.append((pc.utf8_length(values), rule.length))
    if rule.kind == "timestamp":
        found.append((values.cast(pa.int64()), _INSTANTS))
    return found
