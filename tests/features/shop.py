"""A small shop: customers, the orders they place and pay."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.use_case import UseCase

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)


def view_of(**sections: Any) -> FeatureView:
    """A feature view as its YAML would make it."""
    return FeatureView.model_validate({"entity": ["customer"], "timestamp": "at", "from": "orders"} | sections)


def minutes_after_noon(at: datetime | None) -> float | None:
    """A collected timestamp as minutes after noon; Spark gives it in this process's zone, without saying so."""
    return None if at is None else (at.astimezone(UTC) - NOON) / timedelta(minutes=1)


def shop_config(root: Path, **dataset: Any) -> dict[str, Any]:
    """The shop's use case, with some keys of its dataset replaced."""
    source = {"path": "/nowhere/*.csv", "format": "csv", "key": ["order_id"], "columns": {"order_id": {"type": "long"}}}
    return {
        "name": "shop",
        "environment": {"lake": {"root": str(root)}, "mlflow": {"tracking_uri": "sqlite://"}},
        "sources": {"orders": source, "customers": source},
        "features": {
            "spending": {
                "entity": ["customer"],
                "timestamp": "paid_at",
                "from": "orders",
                "aggregate": [{"of": "amount", "ops": ["count", "sum"], "windows": ["1h", "1d"]}],
            },
            "profile": {"entity": ["customer"], "from": "customers", "select": {"born": "born", "town": "town"}},
        },
        "dataset": {
            "from": "orders",
            "entity": ["order_id", "customer"],
            "key": ["order_id"],
            "timestamp": "ordered_at",
            "label": "amount > 50",
            "features": ["spending", "profile"],
            "derived": {"hour": "hour(ordered_at)", "age": "2024 - profile__born", "is_old": "age > 40"},
            "split": {"by": "time", "train_until": "2024-03-01T13:00", "valid_until": "2024-03-01T14:00"},
        }
        | dataset,
        "model": {"task": "binary"},
        "scoring": {"from": "orders", "as_of": "ordered_at"},
    }


def make_use_case(root: Path, **dataset: Any) -> UseCase:
    return UseCase.model_validate(shop_config(root, **dataset))


ORDERS_SCHEMA = "order_id long, customer string, ordered_at timestamp, paid_at timestamp, amount double"
ORDERS = [
    (1, "ann", 0, 10, 20.0),
    (2, "ann", 15, 20, 80.0),
    (3, "bob", 20, 70, 60.0),
    (4, "ann", 30, None, 10.0),
    (5, "bob", 61, 65, 90.0),
    (6, "ann", 75, 80, 30.0),
    (7, "cem", 125, 130, 55.0),
    (8, "ann", 150, 151, None),
]
CUSTOMERS_SCHEMA = "customer string, born int, town string"
CUSTOMERS = [("ann", 1980, "Bonn"), ("bob", 1999, None)]
