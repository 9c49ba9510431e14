"""Small tables, or small parts of large ones, as plain values."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.lake import Lake, Metric, read_table, table_exists

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

METRIC_FIELDS = (
    "scope", "subject", "name", "value", "lower", "upper", "threshold", "verdict", "batch_id", "model_version", "details",
)  # fmt: skip


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


def to_metric(row: dict[str, Any]) -> Metric:
    """A row of `metrics`."""
    return Metric(**{name: row[name] for name in METRIC_FIELDS})


def _to_utc(value: Any) -> Any:
    """Spark gives instants as local wall time."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
