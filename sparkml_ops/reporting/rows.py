"""Small tables, or small parts of large ones, as plain values."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from sparkml_ops.lake import Lake, Metric, read_table, table_exists

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

SCOPES = ("ingestion", "evaluation", "slice", "drift", "performance", "freshness")
MAX_PER_SCOPE = 2000  # a look at a batch records a figure for each feature


@dataclass(frozen=True)
class RecordedMetric:
    """A row of `metrics`: the figure, and which run recorded it when."""

    metric: Metric
    run_id: str
    recorded_at: datetime


def collect_rows(
    lake: Lake, table: str, choose: "Callable[[DataFrame], DataFrame]", *, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` of the chosen rows, instants as UTC; none when the table is not there.

    Args:
        lake: where the table is.
        table: its name.
        choose: filters, orders and aggregates.
        limit: what the page can show, and so the most that is brought to the driver.
    """
    if not table_exists(lake, table):
        return []
    found = choose(read_table(lake, table)).limit(limit).collect()
    return [{name: _to_utc(value) for name, value in row.asDict(recursive=True).items()} for row in found]


def read_metrics(lake: Lake) -> list[RecordedMetric]:
    """The newest figures of each scope, newest first; all that the page needs of `metrics` in one query."""

    def choose(metrics: "DataFrame") -> "DataFrame":
        newest_first = Window.partitionBy("scope").orderBy(F.desc("recorded_at"), "subject", "name")
        ranked = metrics.where(F.col("scope").isin(*SCOPES)).withColumn("_rank", F.row_number().over(newest_first))
        return ranked.where(F.col("_rank") <= MAX_PER_SCOPE).drop("_rank")

    rows = collect_rows(lake, "metrics", choose, limit=MAX_PER_SCOPE * len(SCOPES))
    found = [RecordedMetric(_to_metric(row), row["run_id"], row["recorded_at"]) for row in rows]
    return sorted(found, key=lambda row: row.recorded_at, reverse=True)


def keep_newest(rows: Iterable[RecordedMetric], *key: str) -> list[Metric]:
    """Of the figures that are alike in `key` the newest, as they come."""
    newest: dict[Hashable, Metric] = {}
    for row in rows:
        newest.setdefault(tuple(getattr(row.metric, name) for name in key), row.metric)
    return list(newest.values())


def _to_metric(row: dict[str, Any]) -> Metric:
    return Metric(**{name: row[name] for name in Metric.__dataclass_fields__})


def _to_utc(value: Any) -> Any:
    """Spark gives instants as local wall time."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
