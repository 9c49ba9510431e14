"""Rows of two tables held against each other by their key."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

EXAMPLES = 5
WITHHELD = "(personal data)"
ONLY_OLD, ONLY_NEW, CHANGED, SAME = "only_in_old", "only_in_new", "changed", "same"
_KIND, _OLD, _NEW = "__kind", "__old", "__new"


@dataclass(frozen=True)
class RowDifference:
    """Rows held against each other by their key.

    Attributes:
        key: columns that name a decision in both.
        counts: rows that are `only_in_old`, `only_in_new`, `changed` and `same`.
        changed_columns: of the changed rows, how many differ in a column, by column; most first.
        examples: at most five rows of each kind but `same`: the key, and old and new value by column where it changed.
    """

    key: list[str]
    counts: dict[str, int]
    changed_columns: dict[str, int]
    examples: dict[str, list[dict[str, Any]]]


def compare_rows(
    old: "DataFrame", new: "DataFrame", *, key: Sequence[str], withhold: Collection[str] = ()
) -> RowDifference:
    """Hold rows against each other by their key, in one shuffle of both.

    Args:
        old: rows, unique by the key.
        new: rows, unique by the key.
        key: columns of both.
        withhold: columns whose values are not among the examples.
    """
    kinds = {field.name: field.dataType for field in new.schema}
    shared = [f.name for f in old.schema if f.name not in key and kinds.get(f.name) == f.dataType]
    tagged = [_put_aside(old, key, shared, into=_OLD), _put_aside(new, key, shared, into=_NEW)]
    met = tagged[0].unionByName(tagged[1], allowMissingColumns=True).groupBy(*(f"`{name}`" for name in key))
    pairs = met.agg(*(F.first(side, ignorenulls=True).alias(side) for side in (_OLD, _NEW)))
    judged = pairs.withColumn(_KIND, _kind()).persist()
    try:
        counted = judged.groupBy(_KIND).agg(
            F.count("*").alias("rows"),
            *(F.count_if(_differs(name)).alias(f"c{number}") for number, name in enumerate(shared)),
        )
        found = {row[_KIND]: row.asDict() for row in counted.collect()}
        examples = {
            kind: [_show(row.asDict(recursive=True), key, shared, withhold) for row in _take(judged, kind, key)]
            for kind in (ONLY_OLD, ONLY_NEW, CHANGED)
            if kind in found
        }
    finally:
        judged.unpersist()
    columns = {name: found.get(CHANGED, {}).get(f"c{number}", 0) for number, name in enumerate(shared)}
    return RowDifference(
        key=list(key),
        counts={kind: found.get(kind, {}).get("rows", 0) for kind in (ONLY_OLD, ONLY_NEW, CHANGED, SAME)},
        changed_columns={name: rows for name, rows in sorted(columns.items(), key=lambda item: -item[1]) if rows},
        examples=examples,
    )


def _put_aside(rows: "DataFrame", key: Sequence[str], shared: Sequence[str], *, into: str) -> "DataFrame":
    """The key, and all other columns as one."""
    content = F.struct(F.lit(1).alias("__there"), *(F.col(f"`{name}`") for name in shared))
    return rows.select(*(F.col(f"`{name}`") for name in key), content.alias(into))


def _kind() -> "Column":
    return (
        F.when(F.col(_OLD).isNull(), ONLY_NEW)
        .when(F.col(_NEW).isNull(), ONLY_OLD)
        .when(~F.col(_OLD).eqNullSafe(F.col(_NEW)), CHANGED)
        .otherwise(SAME)
    )


def _differs(name: str) -> "Column":
    sides = [F.col(side).getField(name) for side in (_OLD, _NEW)]
    return (F.col(_KIND) == CHANGED) & ~sides[0].eqNullSafe(sides[1])


def _take(judged: "DataFrame", kind: str, key: Sequence[str]) -> list[Any]:
    return judged.filter(F.col(_KIND) == kind).orderBy(*(f"`{name}`" for name in key)).limit(EXAMPLES).collect()


def _show(
    row: Mapping[str, Any], key: Sequence[str], shared: Sequence[str], withhold: Collection[str]
) -> dict[str, Any]:
    """An example: the key as it is, a changed column as old and new value."""
    shown: dict[str, Any] = {name: WITHHELD if name in withhold else _plain(row[name]) for name in key}
    if row[_KIND] == CHANGED:
        sides = {name: {"old": _plain(row[_OLD][name]), "new": _plain(row[_NEW][name])} for name in shared}
        changed = {name: side for name, side in sides.items() if side["old"] != side["new"]}
        shown |= {name: WITHHELD if name in withhold else side for name, side in changed.items()}
    return shown


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity, and to Python NaN is not itself."""
    return str(value) if isinstance(value, float) and not isfinite(value) else value
