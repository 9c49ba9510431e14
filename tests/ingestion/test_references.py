"""A value that must be a value of another source's table."""

from importlib import import_module
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


def cut_off(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("cut_before", ["write_quarantine", "_require_balance"])
def test_a_batch_that_was_cut_off_after_its_first_commit_ends_as_it_was_begun(
    lake: Lake, use_case: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_before: str
) -> None:
    ingest(use_case, lake)
    (tmp_path / "orders" / "b.csv").write_text("id,shop\n6,north\n7,west\n")
    with monkeypatch.context() as cut:
        cut.setattr(import_module("sparkml_ops.ingestion.ingest"), cut_before, cut_off)
        with pytest.raises(KeyboardInterrupt):
            ingest(use_case, lake, sources=["orders"])
    (tmp_path / "shops" / "b.csv").write_text("shop\nwest\n")
    orders = ingest(use_case, lake).sources[1]
    assert (orders.rows_in, orders.rows_clean, orders.rows_quarantined) == (2, 1, 1)
    assert replay(use_case, lake, "orders").rows_decided == 1
    assert sorted(row.id for row in read_table(lake, "clean_orders").collect()) == [1, 3, 4, 6, 7]
