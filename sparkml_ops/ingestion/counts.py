"""How many rows of a batch keep the contract, and which do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.contract import VIOLATIONS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.sources import Severity, Source


@dataclass(frozen=True)
class BatchCounts:
    """Rows of a batch.

    Attributes:
        rows_in: rows read.
        rows_bad: rows that break any rule.
        rows_refused: rows that have no place in the table.
        by_rule: rows by the rule that they break.
        newest: the newest moment, in rows that are not refused, of the column that freshness looks at; None when there is none.
    """

    rows_in: int
    rows_bad: int
    rows_refused: int
    by_rule: Mapping[str, int]
    newest: datetime | None = None


def flag_refused(severities: Mapping[str, "Severity"]) -> "Column":
    """Rows that go to quarantine: those that break more than rules that only warn."""
    warnings = [F.lit(reason) for reason, severity in severities.items() if severity == "warn"]
    return F.size(F.array_except(VIOLATIONS, F.array(*warnings)) if warnings else F.col(VIOLATIONS)) > 0


def count_rows(judged: "DataFrame", source: "Source", refused: "Column") -> BatchCounts:
    """Rows in, bad rows, refused rows, rows by rule, and the newest moment: one pass."""
    rules = F.when(F.size(VIOLATIONS) > 0, F.col(VIOLATIONS)).otherwise(F.array(F.lit("")))
    moment = F.col(source.freshness.of).cast("timestamp") if source.freshness else F.lit(None).cast("timestamp")
    per_rule = judged.select(
        F.posexplode(rules).alias("place", "rule"), refused.alias("refused"), moment.alias("moment")
    )
    is_first = F.col("place") == 0
    rows = (
        per_rule.groupBy("rule")
        .agg(
            F.count("rule").alias("rows"),
            F.count_if(is_first).alias("firsts"),
            F.count_if(is_first & F.col("refused")).alias("refused"),
            F.max(F.when(~F.col("refused"), F.col("moment"))).alias("newest"),
        )
        .collect()
    )
    by_rule = {row["rule"]: int(row["rows"]) for row in rows if row["rule"]}
    total, good = sum(int(row["firsts"]) for row in rows), sum(int(row["rows"]) for row in rows if not row["rule"])
    newest = max((row["newest"].astimezone() for row in rows if row["newest"] is not None), default=None)
    return BatchCounts(total, total - good, sum(int(row["refused"]) for row in rows), by_rule, newest)
