"""A model that cannot be trained ends a run before it has begun, and not after hours of work."""

from pathlib import Path

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Lake, list_tables
from sparkml_ops.pipeline import plan, run
from tests.one_source import describe_shop

COLUMNS = {"id": {"type": "long"}, "day": {"type": "date"}}


def test_nothing_is_ingested(environment: Environment, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,day\n1,2024-01-01\n")
    orders = {"path": str(tmp_path / "*.csv"), "format": "csv", "key": ["id"], "columns": COLUMNS}
    use_case = describe_shop(environment, orders=orders)
    model = use_case.model.model_copy(update={"params": {"num_leafs": 3}})
    refused = use_case.model_copy(update={"model": model})
    for verb in (plan, run):
        with pytest.raises(ConfigError, match="no parameter 'num_leafs'"):
            verb(refused, lake)
    assert list_tables(lake) == []
    assert plan(refused, lake, to_stage="dataset").steps[-1].step.stage == "dataset"
    assert plan(use_case, lake).has_changes
