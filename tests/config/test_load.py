"""What a sound configuration becomes, from files and from Python, and what it costs."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from config_sample import USE_CASE

from sparkml_ops.config import Environment, UseCase, build_use_case, load_use_case
from sparkml_ops.config.crosscheck import check_use_case
from sparkml_ops.config.model import ClassWeights, Model
from sparkml_ops.errors import ConfigError

ENVIRONMENT = Environment.model_validate(
    {"lake": {"root": "/lake"}, "mlflow": {"tracking_uri": "databricks"}, "variables": {"landing": "/landing"}}
)


WISHES = """metric: roc_auc
  class_weight: {0: 1, 1: 2.5}
  sample_weight: case when channel = 'web' or label = 1 then customer__age else 0.5 end
  monotone: {customer__age: decreasing, weekday: increasing}
  card: {intended_use: "to plan\\n\\nand not to judge"}"""


def test_wishes_about_fits_are_the_same_from_files_and_from_python(project: Path) -> None:
    (project / "conf" / "shop.yml").write_text(USE_CASE.replace("metric: roc_auc", WISHES))
    model = load_use_case("shop").model
    built = Model.model_validate(model.model_dump(by_alias=True) | {"class_weight": {0: 1, 1: 2.5}})
    assert built == model
    assert isinstance(model.class_weight, ClassWeights)
    assert (model.class_weight.negative, model.class_weight.positive) == (1, 2.5)
    assert model.monotone == {"customer__age": "decreasing", "weekday": "increasing"}
    assert model.card.intended_use == "to plan\n\nand not to judge"
    assert model.card.limits == ""


def test_a_sound_use_case_is_typed(project: Path) -> None:
    use_case = load_use_case("shop")
    assert isinstance(use_case, UseCase)
    assert check_use_case(use_case) == []
    assert use_case.dataset.label_matures_after == timedelta(days=14)
    assert use_case.sources["orders"].columns["amount"].between == (0, 10000)
    assert use_case.environment.mlflow.tracking_uri == f"sqlite:///{project}/data/mlflow.db"
    assert use_case.environment.lake.root == str(project / "data" / "lake")
    assert use_case.feature_columns() == [
        "customer__age",
        "customer__is_adult",
        "customer_orders__amount_mean_7d",
        "customer_orders__amount_mean_30d",
        "customer_orders__amount_count_7d",
        "customer_orders__amount_count_30d",
        "weekday",
    ]


def test_python_gives_the_same_as_yaml(project: Path) -> None:
    built = build_use_case(
        yaml.safe_load(USE_CASE.replace("1e-2", "0.01")), load_use_case("shop").environment, project=project
    )
    assert built == load_use_case("shop")


def test_python_may_mix_in_typed_sections() -> None:
    document = yaml.safe_load(USE_CASE.replace("1e-2", "0.01"))
    model = Model(task="binary", metric="pr_auc")
    built = build_use_case({**document, "model": model}, ENVIRONMENT)
    assert built.model is model
    assert built.sources["orders"].path == "/landing/orders/*.csv"


def test_python_gets_the_same_messages() -> None:
    document = yaml.safe_load(USE_CASE.replace("1e-2", "0.01"))
    document["dataset"]["key"] = ["orderid"]
    document["features"]["customer"]["ttl"] = timedelta(days=900)
    document["features"]["customer"]["from"] = "custmers"
    document["owner"] = b"\0"
    with pytest.raises(ConfigError) as raised:
        build_use_case(document, ENVIRONMENT)
    assert str(raised.value).split("\n") == [
        "<python>: 3 mistakes",
        "  <python>: dataset.key[0]: no column 'orderid' in dataset.entity; allowed: order_id, customer_id, channel; did you mean 'order_id'?",
        "  <python>: features.customer.from: no source feeds it: 'custmers'; allowed: a source: orders, customers, or features_<view>; did you mean 'customers'?",
        "  <python>: owner: found b'\\x00'; allowed: text",
    ]


@pytest.mark.parametrize("document", [{}, {"sources": None}, {"sources": {}, "features": []}, {1: 2}, {"name": []}])
def test_python_documents_that_are_hardly_one(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"<python>: \d+ mistakes"):
        build_use_case(document, ENVIRONMENT)


def test_loading_is_quick_and_imports_nothing_heavy(project: Path) -> None:
    program = (
        "import sys, time; from sparkml_ops.config.load import load_use_case; load_use_case('shop'); "
        "heavy = {'pyspark', 'mlflow', 'pandas', 'numpy', 'hyperopt', 'delta', 'lightgbm'} & set(sys.modules); "
        "print(time.process_time()); sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, cwd=project, timeout=60, capture_output=True)
    assert float(done.stdout) < 2  # seconds of its own, so that a busy machine does not fail it


def test_the_size_of_a_file_does_not_matter_much(project: Path) -> None:
    columns = "\n".join(f"      c{at}: {{type: double, nullable: true, between: [0, 1]}}" for at in range(500))
    text = USE_CASE.replace("      note: {", f"{columns}\n      note: {{")
    (project / "conf" / "shop.yml").write_text(text)
    started = time.process_time()
    assert len(load_use_case("shop").sources["orders"].columns) == 507
    assert time.process_time() - started < 5
