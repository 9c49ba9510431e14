"""A lake with a history of publications, made once, and never changed: tests bring one version of it or another."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.delivery.published import Published
from sparkml_ops.lake import Lake, table_id
from tests.delivery.published_shop import Shop

HOSTILE = {
    "a": 0.1,
    'o\'Neill\\n\n\t"x"': 0.2,
    "Ω 😀 \u202e": 0.3,
    "'; DROP TABLE x; --": 0.4,
    "": 0.5,
    "NULL": 0.6,
    "c, {d} ? $1": 0.7,
}


@dataclass(frozen=True)
class History:
    """What was published, one after the other: hostile texts; one less, one changed and one more; a second batch; the first state again.

    Attributes:
        lake: where.
        first: the version with `HOSTILE`, of the batch monday.
        second: the version after monday was scored again.
        third: the version with the batch tuesday.
        restored: the version after a RESTORE of the first.
        states: scores by order, at each version.
    """

    lake: Lake
    first: int
    second: int
    third: int
    restored: int
    states: dict[int, dict[str, float]]

    def at(self, version: int, *, batch: str | None = None) -> Published:
        """What was published at a version."""
        return Published(self.lake, version, table_id(self.lake, "predictions_current"), batch)


@pytest.fixture(scope="session")
def history(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> History:
    lake = Lake(spark, str(Path(tmp_path_factory.mktemp("history")) / "shop"), None, "shop", frozenset())
    shop = Shop(lake)
    changed = {order: score for order, score in HOSTILE.items() if order != "NULL"} | {"": 0.9, "new": 0.8}
    first = shop.publish("monday", HOSTILE)
    second = shop.publish("monday", changed, version=2)
    third = shop.publish("tuesday", {"z": 0.3})
    spark.sql(f"RESTORE delta.`{lake.root}/predictions_current` TO VERSION AS OF {first}")
    states = {first: HOSTILE, second: changed, third: changed | {"z": 0.3}, third + 1: HOSTILE}
    return History(lake, first, second, third, third + 1, states)
