"""How many rows of a batch keep the contract, and which do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import VIOLATIONS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.sources import Severity, Source

Figure = TypeVar("Figure")
_REFUSED = "_refused"
_FIGURES_AT_A_TIME = 200


@dataclass(frozen=True)
class BatchCounts:
    """Rows of a batch.

    Attributes:
        rows_in: rows read.
        rows_bad: rows that break any rule.
        rows_refused: rows that have no place in the table.
        by_rule: rows by the rule that they break.
        newest: the newest moment, in rows that are not refused, of the column that freshness looks at; None when there is none.
        figures: the figures asked for.
    """

    rows_in: int
    rows_bad: int
    rows_refused: int
    by_rule: Mapping[str, int]
    newest: datetime | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)


def flag_refused(severities: Mapping[str, "Severity"]) -> "Column":
    """Rows that go to quarantine: those that break more than rules that only warn."""
    warnings = [F.lit(reason) for reason, severity in severities.items() if severity == "warn"]
    return F.size(F.array_except(VIOLATIONS, F.array(*warnings)) if warnings else F.col(VIOLATIONS)) > 0


def count_rows(
    judged: "DataFrame", source: "Source", refused: "Column", *, figures: Mapping[str, "Column"] | None = None
) -> BatchCounts:
    """Count the rows; where any is bad, look at the bad ones again for their rules.

    Args:
        judged: rows with `_violations`.
        source: the contract.
        refused: true of rows that have no place in the table.
        figures: aggregates over all rows to compute on the way, by name.
    """
    marked = judged.withColumn(_REFUSED, refused)
    moment = F.col(source.freshness.of).cast("timestamp") if source.freshness else F.lit(None).cast("timestamp")
    first, *others = split_wide([*(figures or {}).items()]) or [[]]
    totals = marked.agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(F.size(VIOLATIONS) > 0).alias("bad"),
        F.count_if(_REFUSED).alias("refused"),
        F.max(F.when(~F.col(_REFUSED), moment)).alias("newest"),
        F.struct(*[column.alias(name) for name, column in first] or [F.lit(1)]).alias("figures"),
    ).collect()[0]
    newest = totals["newest"].astimezone() if totals["newest"] is not None else None
    by_rule = _count_rules(marked) if totals["bad"] else {}
    found = {name: totals["figures"][name] for name, _ in first}
    for part in others:
        found |= marked.agg(*[column.alias(name) for name, column in part]).collect()[0].asDict()
    return BatchCounts(totals["rows"], totals["bad"], totals["refused"], by_rule, newest, found)


def split_wide(figures: Sequence[Figure]) -> list[Sequence[Figure]]:
    """Figures in parts of as many as one job should compute: the time to plan a job grows faster than what it is asked for.

    Rows at hand are in columns, so a part reads those that it is about and no more.
    """
    return [figures[at : at + _FIGURES_AT_A_TIME] for at in range(0, len(figures), _FIGURES_AT_A_TIME)]


def _count_rules(judged: "DataFrame") -> dict[str, int]:
    rules = judged.where(F.size(VIOLATIONS) > 0).select(F.explode(VIOLATIONS).alias("rule"))
    return {row["rule"]: int(row["rows"]) for row in rules.groupBy("rule").agg(F.count("*").alias("rows")).collect()}


def find_most_frequent(rows: "DataFrame", column: str) -> tuple[str, int] | None:
    """The value that most rows have, as text, and how many have it; None where all are null."""
    counted = rows.where(F.col(column).isNotNull()).groupBy(F.col(column).cast("string").alias("value"))
    first = counted.agg(F.count("*").alias("rows")).orderBy(F.desc("rows"), "value").first()
    return None if first is None else (str(first["value"]), int(first["rows"]))
