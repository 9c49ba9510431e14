"""A shop whose features are served: what is asked, what is published, and a clock that stands still."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, replace_table
from sparkml_ops.serving.service import FeatureService
from sparkml_ops.serving.stores import FeatureStore

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
TOKEN = "a token of some length"
SPENDING_SCHEMA = (
    "customer string, timestamp timestamp, _known_at timestamp, amount_sum_1h double, amount_count_1h long"
)
PROFILE_SCHEMA = "customer string, timestamp timestamp, _known_at timestamp, town string"

both_stores = pytest.mark.parametrize("use_case", ["sqlite", "redis"], indirect=True)

SPENDING = [
    ("ann", -10, -10, 20.0, 1),
    ("ann", 50, 50, None, 0),
    ("ann", 200, 200, 5.0, 1),
    ("bob", -300, -300, None, 0),
]
PROFILE = [("ann", -100, -100, "Bonn"), ("ann", 30, 60, "Köln"), ("bob", -1500, -1500, None), ("cem", -20, 5, "Ulm")]


def minutes(number: float) -> datetime:
    """The instant so many minutes after noon."""
    return NOON + timedelta(minutes=number)


def shop_config(root: Path, **serving: Any) -> dict[str, Any]:
    source = {"path": "/nowhere/*.csv", "format": "csv", "key": ["order_id"], "columns": {"order_id": {"type": "long"}}}
    return {
        "name": "shop",
        "environment": {"lake": {"root": str(root / "lake")}, "mlflow": {"tracking_uri": "sqlite://"}},
        "sources": {"orders": source},
        "features": {
            "spending": {
                "entity": ["customer"],
                "timestamp": "paid_at",
                "from": "orders",
                "aggregate": [{"of": "amount", "ops": ["sum", "count"], "windows": ["1h"]}],
            },
            "profile": {
                "entity": ["customer"],
                "timestamp": "moved_at",
                "from": "orders",
                "select": {"town": "town"},
                "ttl": "1d",
                "description": "Where a customer lives",
            },
        },
        "dataset": {
            "from": "orders",
            "entity": ["order_id", "customer"],
            "timestamp": "ordered_at",
            "label": "amount > 50",
            "features": ["spending", "profile"],
            "split": {"by": "hash", "of": ["customer"]},
        },
        "model": {"task": "binary"},
        "scoring": {"from": "orders", "as_of": "ordered_at"},
        "serving": {"store": {"kind": "sqlite", "path": str(root / "online.sqlite")}, "horizon": "2h"} | serving,
    }


def make_use_case(root: Path, **serving: Any) -> UseCase:
    return UseCase.model_validate(shop_config(root, **serving))


def write_view(lake: Lake, view: str, rows: DataFrame, *, write_id: str) -> None:
    replace_table(lake, f"features_{view}", rows.coalesce(1), write_id=write_id)


def make_rows(spark: SparkSession, schema: str, values: list[tuple[Any, ...]]) -> DataFrame:
    """Rows from tuples; the second and third value are minutes after noon."""
    dated = [(row[0], minutes(row[1]), minutes(row[2]), *row[3:]) for row in values]
    return spark.createDataFrame(dated, schema)


@dataclass
class Asked:
    """Asks a service at a moment of the test's choice."""

    use_case: UseCase
    store: FeatureStore
    now: datetime = NOON
    service: FeatureService = field(init=False)

    def __post_init__(self) -> None:
        self.service = FeatureService(self.use_case, self.store, lambda: self.now)

    def one(self, view: str, at: float = 0, **entity: str) -> dict[str, Any]:
        self.now = minutes(at)
        return self.service.look_up_one(view, list(entity.items()))

    def brief(self, view: str, at: float = 0, **entity: str) -> tuple[Any, ...]:
        """Status and features."""
        told = self.one(view, at, **entity)
        return (told["status"], *told["features"].values())
