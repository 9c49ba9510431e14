"""However much is asked of a batch's rows, its files are read once: shown by the plans that Spark ran."""

import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake
from tests.one_source import describe_shop

COLUMNS = {
    "id": {"type": "int"},
    "shop": {"type": "string", "references": "shops.shop", "length": [1, 9]},
    "amount": {"type": "double", "between": [0, 100]},
    "at": {"type": "timestamp", "pii": True},
}
# A good row, a value that is none, an unknown shop, the same key twice, and a key that the table has.
FIRST, SECOND = [(1, "north", 5)], [(2, "north", 5), (3, "north", "x"), (4, "east", 5), (5, "north", 1), (5, "north", 2), (1, "north", 1)]  # fmt: skip


def plans_since(spark: SparkSession, first: int) -> list[str]:
    """The physical plans of all that Spark has run since an execution, as it tells them."""
    ran = spark._jsparkSession.sharedState().statusStore().executionsList()
    executions = [ran.apply(at) for at in range(ran.size())]
    return [str(one.physicalPlanDescription()) for one in executions if one.executionId() >= first]


def count_text_scans(plans: list[str]) -> int:
    """How often text is read. A plan has a tree of its nodes, and below it what there is to say of each: "(7) Scan text"."""
    return sum(len(re.findall(r"^\(\d+\) Scan text", plan, re.MULTILINE)) for plan in plans)


def next_execution(spark: SparkSession) -> int:
    """The number that the next execution will have, or one that is after it."""
    ran = spark._jsparkSession.sharedState().statusStore().executionsList()
    return 1 + max((int(ran.apply(at).executionId()) for at in range(ran.size())), default=-1)


def land(landing: Path, name: str, rows: list[tuple[object, ...]], form: str) -> None:
    at = "2026-01-01 00:00:00"
    if form == "csv":
        lines = ["id,shop,amount,at", *(f"{key},{shop},{amount},{at}" for key, shop, amount in rows)]
    else:
        lines = [f'{{"id": {key}, "shop": "{shop}", "amount": "{amount}", "at": "{at}"}}' for key, shop, amount in rows]
    (landing / f"{name}.{form}").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_batch_reads_its_files_once(lake: Lake, landing: Path, environment: Environment, form: str) -> None:
    shops = {"path": f"{landing}/shops.csv", "format": "csv", "key": ["shop"], "columns": {"shop": {"type": "string"}}}
    (landing / "shops.csv").write_text("shop\nnorth\n")
    orders = {
        "path": f"{landing}/2026-*.{form}", "format": form, "key": ["id"], "columns": COLUMNS, "max_violation_ratio": 0.9,
        "expect": ["amount < id * 100"], "freshness": {"of": "at", "within": "10000d"}, "skew": {"of": ["shop"], "at_most": 1.0},
        "volume": {"changed_more_than": 10.0},
    }  # fmt: skip
    use_case = describe_shop(environment, orders=orders, moment="at", others={"shops": shops})
    land(landing, "2026-01-01", FIRST, form)
    ingest(use_case, lake)
    land(landing, "2026-01-02", SECOND, form)
    begun = next_execution(lake.spark)
    result = ingest(use_case, lake, sources=["orders"]).sources[0]
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (6, 2, 4)
    plans = plans_since(lake.spark, begun)
    assert len(plans) > 5  # the figures, the looks at other rows and the writes are plans of their own
    assert count_text_scans(plans) == 1
