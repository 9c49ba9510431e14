"""The JSON schema agrees with what is loaded."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from config_sample import USE_CASE

from sparkml_ops.config import load_use_case, use_case_schema

jsonschema = pytest.importorskip("jsonschema")
CONF = Path(__file__).parents[2] / "conf"


def complaints(text: str) -> list[str]:
    document: Any = yaml.load(text.replace("1e-2", "0.01"), Loader=DatesAsText)
    return [error.json_path for error in jsonschema.Draft202012Validator(use_case_schema()).iter_errors(document)]


class DatesAsText(yaml.SafeLoader):
    """As editors read YAML."""


DatesAsText.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith("timestamp")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(use_case_schema())
    assert "environment" not in use_case_schema()["properties"]
    assert "Environment" not in use_case_schema()["$defs"]


def test_sound_files_keep_it(project: Path) -> None:
    assert load_use_case("shop").name == "shop"
    assert complaints(USE_CASE) == []
    assert complaints((CONF / "flights.yml").read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("monitoring:", "monitorring:", "$"),
        ("    ttl: 900d", "    ttl: 900 days", "$.features.customer.ttl"),
        ("    from: customers", "    from: {tabel: customers}", "$.features.customer.from"),
        ("format: csv", "format: cvs", "$.sources.orders.format"),
        ("      note: {", "      order note: {", "$.sources.orders.columns"),
        ("train_until: 2024-03-01", "train_until: March", "$.dataset.split"),
        ("ops: [mean, count]", "ops: [avg]", "$.features.customer_orders.aggregate[0].ops[0]"),
        ("[7d, 30d]}", "[7d], by: {channel: web}}", "$.features.customer_orders.aggregate[0].by"),
        ("    available_after: 1h", "    accuracy: daily", "$.features.customer_orders.accuracy"),
        ("between: [0, 10000]", "between: [0]", "$.sources.orders.columns.amount.between"),
    ],
)
def test_broken_files_do_not(old: str, new: str, path: str) -> None:
    assert path in complaints(USE_CASE.replace(old, new))


def test_keys_are_the_yamls_and_described() -> None:
    definitions = use_case_schema()["$defs"]
    assert {"from", "aggregate", "ttl"} <= set(definitions["FeatureView"]["properties"])
    assert definitions["Source"]["title"] == "Source"
    assert definitions["Source"]["properties"]["mode"]["description"].startswith("incremental: only files")
    assert definitions["Relation"]["anyOf"][0]["type"] == "string"
    assert definitions["FeatureView"]["properties"]["available_after"]["default"] == "0s"
