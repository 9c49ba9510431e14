"""`sparkml-ops datasets` from files to an export: orders, the returns that tell their labels, and one view."""

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.cli.app import app
from sparkml_ops.errors import ConfigError, TableNotFoundError

Call = Callable[..., str]

BASE = """\
name: local
lake: {root: ROOT/lake}
mlflow: {tracking_uri: "sqlite:///ROOT/mlflow.db", artifact_location: ROOT/artifacts}
reports: ROOT/reports
"""
SHOP = """\
name: shop
sources:
  orders:
    path: ROOT/landing/orders/*.csv
    format: csv
    key: [order_id]
    columns:
      order_id: {type: long}
      customer: {type: string, pii: true}
      ordered_at: {type: timestamp}
      price: {type: double}
  returns:
    path: ROOT/landing/returns/*.csv
    format: csv
    key: [return_id]
    columns: {return_id: {type: long}, order_id: {type: long}, returned_at: {type: timestamp}}
features:
  basket: {entity: [order_id], timestamp: ordered_at, from: orders, select: {price: price}}
dataset:
  from: orders
  entity: [order_id, customer]
  key: [order_id]
  timestamp: ordered_at
  label: {from: returns, entity: [order_id], timestamp: returned_at, within: 14d, value: count(*) > 0}
  features: [basket]
  split: {by: time, train_until: 2026-01-10, valid_until: 2026-01-20, embargo: 1d, groups: [customer]}
model: {task: binary}
scoring: {from: orders, as_of: ordered_at}
"""
ORDERS = [
    "order_id,customer,ordered_at,price",
    "1,ann,2026-01-01T00:00:00Z,10",
    "2,bob,2026-01-02T00:00:00Z,20",
    "3,cem,2026-01-09T12:00:00Z,30",  # under embargo
    "4,cem,2026-01-12T00:00:00Z,40",
    "5,ann,2026-01-13T00:00:00Z,50",  # in training already
    "6,dan,2026-02-01T00:00:00Z,60",
    "7,eve,2026-02-20T00:00:00Z,70",  # nothing that came later was delivered
]


RETURNS = [
    "return_id,order_id,returned_at",
    "1,2,2026-01-16T00:00:00Z",
    "2,4,2026-01-26T00:00:01Z",  # a second too late
    "3,9,2026-03-01T00:00:00Z",
]
LATE_RETURNS = [RETURNS[0], "4,6,2026-02-15T00:00:00Z", "5,9,2026-04-01T00:00:00Z"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder."""
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def call(root: Path, spark: SparkSession) -> Call:
    """Call a verb in this process and its Spark session, and give what it printed."""
    for path, text in {
        "conf/base.yml": BASE,
        "conf/local.yml": "name: local\n",
        "conf/shop.yml": SHOP,
        "landing/orders/1.csv": "\n".join([*ORDERS, ""]),
        "landing/returns/1.csv": "\n".join([*RETURNS, ""]),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("ROOT", str(root)))

    def run(*arguments: str) -> str:
        printed = StringIO()
        with redirect_stdout(printed):
            app(["--conf-dir", str(root / "conf"), *arguments], standalone_mode=False)
        return printed.getvalue()

    return run


@pytest.fixture(scope="module")
def told(call: Call, root: Path) -> dict[str, str]:
    """What the verbs said on the way to two versions, with a late return and a new feature in between."""
    said = {"before": call("datasets", "list", "shop")}
    for verb in ("ingest", "features", "dataset"):
        said[verb] = call(verb, "shop")
    said["first"] = call("datasets", "show", "shop", "--json")
    (root / "landing/returns/2.csv").write_text("\n".join([*LATE_RETURNS, ""]))
    call("ingest", "shop", "--source", "returns")
    said["plan"] = call("plan", "shop", "--to", "monitor")
    call("--set", "dataset.derived.hour=hour(ordered_at)", "dataset", "shop")
    return said


@pytest.fixture(scope="module")
def first(told: dict[str, str]) -> Any:
    return read_json(told["first"])


def read_json(text: str) -> Any:
    return json.loads(text)["result"]


def test_dataset_tells_what_was_left_out_and_why(told: dict[str, str]) -> None:
    assert told["before"] == "There is no training set yet.\n"
    expected = "left out: embargo 1, group_of_earlier_part 1, immature 1; immature: 14.3% of all decisions"
    assert expected in told["dataset"]


def test_show_tells_inputs_parts_and_maturity_and_takes_a_beginning_of_the_name(call: Call, first: Any) -> None:
    assert first["rows"] == {"train": 2, "valid": 1, "test": 1}
    assert first["positives"] == {"train": 1, "valid": 0, "test": 0}
    assert set(first["inputs"]) == {"clean_orders", "clean_returns", "features_basket"}
    assert (first["immature_share"], first["labels_until"]) == (round(1 / 7, 6), "2026-03-01T00:00:00+00:00")
    shown = call("datasets", "show", "shop", first["version"][:-2])
    assert "mature when settled by 2026-03-01 00:00:00 (UTC)" in shown
    assert f"content hash {first['content_hash']}" in shown
    with pytest.raises(TableNotFoundError, match="has no training set 'nothing'"):
        call("datasets", "show", "shop", "nothing")


def test_the_table_of_events_is_an_input_that_plan_looks_at(told: dict[str, str]) -> None:
    line = next(line for line in told["plan"].splitlines() if " dataset " in line)
    assert line.startswith("run ")
    assert "clean_returns is at v1, and v0 was read" in line


def test_list_has_the_newest_version_first(call: Call, first: Any) -> None:
    listed = read_json(call("datasets", "list", "shop", "--json"))
    assert [one["immature_share"] for one in listed] == [0, round(1 / 7, 6)]
    assert listed[1] == first
    assert call("datasets", "list", "shop").splitlines()[3].startswith(first["version"])


def test_diff_tells_definition_inputs_columns_and_rows(call: Call, first: Any) -> None:
    found = read_json(call("datasets", "diff", "shop", first["version"], "--json"))
    assert [(change["key"], change["new"]) for change in found["definition"]] == [
        ("dataset.derived.hour", "hour(ordered_at)")
    ]
    assert [(i["table"], i["old_rows"], i["new_rows"], i["changes"]) for i in found["inputs"]] == [
        ("clean_returns", 3, 5, {"added": 2, "updated": 0, "removed": 0})
    ]
    assert (found["columns_added"], found["columns_removed"]) == ({"hour": "double"}, {})
    assert found["rows"]["test"] == [1, 2]
    assert found["difference"]["counts"] == {"only_in_old": 0, "only_in_new": 1, "changed": 1, "same": 3}
    assert found["difference"]["examples"]["changed"] == [{"order_id": 6, "label": {"old": 0, "new": 1}}]
    text = call("datasets", "diff", "shop", first["version"], "latest")
    assert "changed columns:\n  label: 1 rows\n" in text
    assert "other rows" in text


def test_recreate_proves_the_hash_and_export_writes_a_folder_with_a_manifest(
    call: Call, first: Any, tmp_path: Path
) -> None:
    version, place = first["version"], tmp_path / "out" / "rows"
    again = call("datasets", "recreate", "shop", version)
    assert again == f"{version}: made again, the same 4 rows (hash {first['content_hash']})\n"
    exported = read_json(call("datasets", "export", "shop", version, "--to", str(place), "--json"))
    assert (exported["rows"], exported["content_hash"]) == (4, first["content_hash"])
    manifest = json.loads((place / "_manifest.json").read_text())
    assert (manifest["training_set"], manifest["rows"]) == (version, first["rows"])
    assert [column["name"] for column in manifest["columns"]][:3] == ["order_id", "customer", "ordered_at"]
    with pytest.raises(ConfigError, match="is there already"):
        call("datasets", "recreate", "shop", version, "--to", str(place))
    call("datasets", "recreate", "shop", version, "--to", str(place), "--format", "csv", "--replace")
    lines = sorted(line for file in place.glob("*.csv") for line in file.read_text().splitlines())
    assert "1,ann,2026-01-01T00:00:00.000000Z,train,0,10.0" in lines
    assert not list(place.glob("*.parquet"))
    with pytest.raises(ConfigError, match=r"--format orc: expected one of parquet, csv"):
        call("datasets", "export", "shop", "latest", "--to", str(place), "--format", "orc")
