"""What `metrics` says of the columns of feature views: for each version that a build made, newest first."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.features import STATISTICS_SCOPE
from sparkml_ops.lake import METRICS, read_table, table_exists

if TYPE_CHECKING:
    from sparkml_ops.lake import Lake

VERSIONS = 12  # of a view: what a small plot can show


@dataclass(frozen=True)
class ColumnStatistics:
    """The figures of one version.

    Attributes:
        version: of the view's table.
        measured_at: when; UTC.
        rows: how many rows were measured: all, or a sample.
        figures: `nulls` (a share), `mean`, `p05` … `p95`, `distinct`; `rows` of all where it is of a view.
        top: the most frequent values of a text, and how often each comes.
    """

    version: int
    measured_at: datetime
    rows: int
    figures: Mapping[str, float]
    top: tuple[tuple[Any, int], ...] = field(default=())


def read_statistics(lake: "Lake", views: Sequence[str]) -> dict[str, tuple[ColumnStatistics, ...]]:
    """The last versions' figures by `<view>` and `<view>.<column>`, newest first; in one query.

    Args:
        lake: where `metrics` is.
        views: names of views.
    """
    if not table_exists(lake, METRICS) or not views:
        return {}
    mine = read_table(lake, METRICS).where(F.col("scope") == STATISTICS_SCOPE)
    mine = mine.where(F.substring_index("subject", ".", 1).isin(*views))
    newest_first = Window.partitionBy("subject", "name").orderBy(F.desc("recorded_at"))
    rows = mine.withColumn("_rank", F.row_number().over(newest_first)).where(F.col("_rank") <= VERSIONS)
    found: dict[tuple[str, datetime], dict[str, Any]] = {}
    for row in rows.select("subject", "name", "value", "details", "recorded_at").collect():
        told = found.setdefault((row["subject"], row["recorded_at"].astimezone(UTC)), {"figures": {}})
        told["figures"][row["name"]] = row["value"]
        told |= json.loads(row["details"])
    ordered = sorted(found.items(), key=lambda item: item[0][1], reverse=True)
    subjects = dict.fromkeys(subject for (subject, _), _ in ordered)
    return {
        subject: tuple(
            ColumnStatistics(
                told["version"], at, told["rows"], told["figures"], tuple((v, n) for v, n in told.get("top", ()))
            )
            for (of, at), told in ordered
            if of == subject
        )
        for subject in subjects
    }
