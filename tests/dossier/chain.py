"""A chain of shops whose names nobody would wish for: its takings by shop, day and till, from files to predictions."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from sparkml_ops.config.use_case import UseCase

SHOPS = (
    'O\'Brien, "Ulm" & Söhne',
    "NULL",
    "007",
    "day=2024-01-01",
    " spaced  out ",
    "Straße 日本",
    "a",
    "A",
    "b",
    "c",
    "d",
    "e",
)
FIRST, DAYS = date(2024, 1, 1), 60
SCORED_FROM = "2024-02-25"
TYPES = {
    "shop": "string", "day": "date", "till": "int", "town": "string", "sold_at": "timestamp", "amount": "double", "late": "int",
}  # fmt: skip


def list_sales() -> Iterator[dict[str, Any]]:
    """One row for each shop and day; large amounts are late more often, and one shop in five has no town."""
    random = np.random.default_rng(11)
    for day in (FIRST + timedelta(days=at) for at in range(DAYS)):
        for at, shop in enumerate(SHOPS):
            amount = round(float(random.gamma(2, 10)), 2)
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            yield {
                "shop": shop, "day": day.isoformat(), "till": at % 3 - 1, "town": "" if at % 5 == 0 else f"town {at % 2}",
                "sold_at": (noon + timedelta(minutes=at)).isoformat(), "amount": amount,
                "late": int(random.random() < 1 / (1 + np.exp(-(amount - 20) / 5))),
            }  # fmt: skip


def land_sales(folder: Path) -> None:
    """A file for each ten days, six in all."""
    folder.mkdir(parents=True)
    sales = list(list_sales())
    for part in range(0, DAYS, 10):
        rows = sales[part * len(SHOPS) : (part + 10) * len(SHOPS)]
        with (folder / f"sales {part:02d}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*TYPES], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def configure_chain(root: Path, **sections: Any) -> UseCase:
    """The use case, with some sections replaced."""
    columns = {name: {"type": kind, "nullable": name == "town"} for name, kind in TYPES.items()}
    source = {"path": f"{root}/landing/*.csv", "format": "csv", "key": ["shop", "day"], "columns": columns}
    joined = "SELECT s.town, s.sold_at, s.amount FROM sales s JOIN shops h ON s.shop = h.shop"
    return UseCase.model_validate(
        {
            "name": "chain",
            "environment": {
                "lake": {"root": str(root / "lake")},
                "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db", "artifact_location": str(root / "artifacts")},
            },
            "sources": {
                "sales": source,
                "shops": source | {"key": ["shop"], "columns": {"shop": {"type": "string"}, "size": {"type": "double"}}},
            },
            "features": {
                "sale": {
                    "entity": ["shop", "day"], "timestamp": "sold_at", "from": "sales",
                    "select": {"amount": "amount", "digits": "length(shop)"},
                },
                "takings": {
                    "entity": ["shop"], "timestamp": "sold_at", "available_after": "1h", "from": "sales",
                    "aggregate": [{"of": "amount", "ops": ["mean", "count"], "windows": ["7d", "21d"]}],
                },
                "towns": {"entity": ["town"], "timestamp": "sold_at", "from": joined, "select": {"last": "amount"}, "ttl": "6h"},
            },
            "dataset": {
                "from": "sales", "entity": ["shop", "day", "till", "town"], "key": ["shop", "day", "till"], "timestamp": "sold_at",
                "label": "late = 1", "features": ["sale", "takings", "towns"], "derived": {"weekday": "dayofweek(day)"},
                "split": {"by": "time", "train_until": "2024-02-05", "valid_until": "2024-02-10", "test_until": SCORED_FROM},
            },
            "model": {
                "task": "binary", "estimator": "sklearn.linear_model.LogisticRegression", "diagnosis": False,
                "search": {"max_trials": 1, "parallelism": 1, "seed": 3},
            },
            "gates": {"champion": None, "loads": None},
            "scoring": {
                "from": f"SELECT * FROM sales WHERE sold_at >= TIMESTAMP '{SCORED_FROM}'", "as_of": "sold_at", "explain": 2,
                "roles": {"champion": "publish", "shadow": "shadow"},
            },
        }
        | sections,
        strict=False,
    )  # fmt: skip
