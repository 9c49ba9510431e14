"""A value that must be a value of another source's table."""

from pathlib import Path

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion import ingest, replay
from sparkml_ops.lake import Lake, query_tables, read_table
from sparkml_ops.pipeline.steps import list_steps
from tests.one_source import describe_shop


@pytest.fixture
def use_case(tmp_path: Path, environment: Environment) -> UseCase:
    (tmp_path / "orders").mkdir()
    (tmp_path / "shops").mkdir()
    (tmp_path / "shops" / "a.csv").write_text("shop\nnorth\nsouth\n")
    (tmp_path / "orders" / "a.csv").write_text("id,shop\n1,north\n2,east\n3,\n4,south\n5,east\n")
    columns = {"id": {"type": "int"}, "shop": {"type": "string", "nullable": True, "references": "shops.shop"}}
    orders = {"path": f"{tmp_path}/orders/*.csv", "format": "csv", "key": ["id"], "columns": columns}
    shops = {
        "path": f"{tmp_path}/shops/*.csv",
        "format": "csv",
        "key": ["shop"],
        "columns": {"shop": {"type": "string"}},
    }
    return describe_shop(
        environment, orders=orders | {"max_violation_ratio": 0.5}, moment="id", others={"shops": shops}
    )


def test_a_row_that_refers_to_nothing_is_quarantined_until_it_does(
    lake: Lake, use_case: UseCase, tmp_path: Path
) -> None:
    shops, orders = ingest(use_case, lake).sources  # each after those that it refers to
    assert (shops.source, orders.source) == ("shops", "orders")
    assert (orders.rows_in, orders.rows_clean, dict(orders.violations)) == (5, 3, {"shop: is not in shops.shop": 2})
    assert sorted(row.id for row in read_table(lake, "clean_orders").collect()) == [1, 3, 4]
    (run,) = query_tables(lake, "SELECT inputs FROM runs WHERE step = 'ingest:orders'")[0].collect()
    assert [(use.table, use.version) for use in run.inputs] == [("clean_shops", 0)]
    (tmp_path / "shops" / "b.csv").write_text("shop\neast\n")
    ingest(use_case, lake)
    assert replay(use_case, lake, "orders").rows_decided == 2
    assert read_table(lake, "clean_orders").count() == 5


def test_a_source_waits_for_those_that_it_refers_to(lake: Lake, use_case: UseCase) -> None:
    with pytest.raises(ContractError, match=r"shop refers to shops\.shop, and clean_shops is not there yet"):
        ingest(use_case, lake, sources=["orders"])
    steps = {step.name: step.follows for step in list_steps(use_case)}
    assert [*steps][:2] == ["ingest:shops", "ingest:orders"]
    assert steps["ingest:orders"] == ("ingest:shops",)
