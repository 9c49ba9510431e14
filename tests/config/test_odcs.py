"""Contracts as ODCS YAML: the standard's own JSON schema takes them, and a change of one is told by what it does to readers."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from sparkml_ops.config import load_use_case
from sparkml_ops.config.contract_diff import Change, compare_contracts
from sparkml_ops.config.odcs import TableColumn, list_columns, read_contract, write_contract
from sparkml_ops.errors import ConfigError
from tests.flights_sample import PROJECT


def export(project: Path, *edits: tuple[str, str]) -> str:
    """The contract of the sample's clean tables, after edits of its YAML."""
    file = project / "conf" / "shop.yml"
    text = file.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)
    use_case = load_use_case("shop")
    return write_contract(use_case, {f"clean_{n}": list_columns(s) for n, s in use_case.sources.items()})


def test_the_standard_takes_the_contract_of_the_flights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    use_case = load_use_case("flights")
    tables = {f"clean_{name}": list_columns(source) for name, source in use_case.sources.items()}
    tables["predictions"] = [
        TableColumn("reasons", "array<struct<a:string>>", True),
        TableColumn("v", "map<string,int>", False),
    ]
    contract = yaml.safe_load(write_contract(use_case, tables))
    jsonschema.validate(contract, json.loads(OpenDataContractStandard.json_schema()))
    flights = contract["schema"][0]
    carrier = next(column for column in flights["properties"] if column["name"] == "carrier")
    assert (carrier["logicalType"], carrier["required"]) == ("string", True)
    assert "UA" in carrier["quality"][0]["arguments"]["validValues"]
    assert [column["logicalType"] for column in contract["schema"][-1]["properties"]] == ["array", "object"]


def test_what_predictions_promise_is_in_their_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    kinds = {
        "flight_id": "string",
        "prediction": "double",
        "predicted_class": "int",
        "role": "string",
        "segment": "string",
    }
    columns = [TableColumn(name, kind, nullable=True, comment="why") for name, kind in kinds.items()]
    use_case = load_use_case("flights", overrides={"monitoring.freshness": "2d"})
    contract = yaml.safe_load(write_contract(use_case, {"predictions_current": columns}))
    jsonschema.validate(contract, json.loads(OpenDataContractStandard.json_schema()))
    (table,) = contract["schema"]
    told = {column["name"]: column for column in table["properties"]}
    assert [name for name, column in told.items() if column["required"]] == [*kinds][:4]
    assert told["flight_id"]["primaryKeyPosition"] == 1
    assert told["prediction"]["logicalTypeOptions"] == {"minimum": 0.0, "maximum": 1.0}
    assert [told[name]["quality"][0]["arguments"]["validValues"] for name in ("predicted_class", "role")] == [
        [0, 1],
        ["champion"],
    ]
    assert table["quality"][0]["arguments"] == {"properties": ["flight_id"]}
    assert contract["slaProperties"] == [
        {"property": "latency", "value": 2, "unit": "d", "element": "predictions_current.scored_at"}
    ]


def test_every_rule_is_in_it(project: Path) -> None:
    text = export(
        project,
        ("note: {type: string,", "note: {type: string, length: [0, 80], matches: '[a-z]*',"),
        ("channel: {type: string,", "channel: {type: string, on_violation: warn,"),
        (
            'expect: ["amount >= 0',
            'freshness: {of: ordered_on, within: 2d}\n    volume: {at_least: 10}\n    expect: ["amount >= 0',
        ),
    )
    contract = yaml.safe_load(text)
    jsonschema.validate(contract, json.loads(OpenDataContractStandard.json_schema()))
    columns = {column["name"]: column for column in contract["schema"][0]["properties"]}
    assert columns["order_id"]["primaryKeyPosition"] == 1
    assert columns["amount"]["logicalTypeOptions"] == {"minimum": 0, "maximum": 10000}
    assert columns["note"]["logicalTypeOptions"] == {"minLength": 0, "maxLength": 80, "pattern": "^(?:[a-z]*)$"}
    assert (columns["channel"]["required"], "quality" in columns["channel"]) == (False, False)
    assert [rule.get("metric") or rule["query"] for rule in contract["schema"][0]["quality"]] == [
        "duplicateValues",
        "SELECT count(*) FROM ${object} WHERE NOT (amount >= 0 or returned = 1)",
        "rowCount",
    ]
    assert contract["slaProperties"] == [
        {"property": "latency", "value": 2, "unit": "d", "element": "clean_orders.ordered_on"}
    ]


@pytest.mark.parametrize(
    ("old", "new", "effect", "what"),
    [
        ("      note: {type: string, nullable: true}\n", "", "breaks", "clean_orders.note: the column is gone"),
        ("age: {type: int}", "age: {type: long}", "breaks", "clean_customers.age: the type was int, now bigint"),
        (
            "age: {type: int}",
            "age: {type: int, nullable: true}",
            "breaks",
            "clean_customers.age: it was never null, and may be now",
        ),
        (
            "note: {type: string, nullable: true}",
            "note: {type: string}",
            "harmless",
            "clean_orders.note: it may no longer be null",
        ),
        (
            "key: [order_id]",
            "key: [order_id, channel]",
            "breaks",
            "clean_orders: a row was named by order_id, now by order_id, channel",
        ),
        ("in: [web, shop]", "in: [web, app]", "may_break", "clean_orders.channel: new values: app"),
        ("in: [web, shop]", "in: [web]", "harmless", "clean_orders.channel: values that no longer come: shop"),
        (", in: [web, shop]", "", "may_break", "clean_orders.channel: any value may come now"),
        ("[0, 10000]", "[0, 20000]", "may_break", "clean_orders.amount: maximum was 10000, now 20000"),
        ("[0, 10000]", "[5, 10000]", "harmless", "clean_orders.amount: minimum was 0, now 5"),
        (
            "age: {type: int}",
            "age: {type: int, between: [0, 99]}",
            "harmless",
            "clean_customers.age: maximum was without limit, now 99",
        ),
        (
            "age: {type: int}",
            "age: {type: int}\n      size: {type: int}",
            "harmless",
            "clean_customers.size: a new column",
        ),
        (
            'expect: ["amount >= 0 or returned = 1"]',
            "expect: []",
            "may_break",
            "clean_orders: no longer promised: amount >= 0 or returned = 1",
        ),
    ],
)
def test_what_a_change_does_to_readers(project: Path, old: str, new: str, effect: str, what: str) -> None:
    before = read_contract(export(project), file="old.yaml")
    after = read_contract(export(project, (old, new)), file="new.yaml")
    assert compare_contracts(before, before) == []
    place, _, told = what.partition(": ")
    assert Change(effect, place, told) in compare_contracts(before, after)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: is no data contract: expected ODCS v3"),
        ("[1, 2", "a.yaml: is no YAML: while parsing a flow sequence"),
        ("kind: DataContract", "a.yaml: is no data contract"),
        (
            "kind: DataContract\nschema: [{name: a, properties: 7}]",
            "a.yaml: schema.0.properties: Input should be a valid list",
        ),
        ("kind: DataContract\nschema: [{name: a}]\nnope: 1", "a.yaml: nope: Extra inputs are not permitted"),
        ("!!python/object:os.system {}", "a.yaml: is no YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_contract(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_contract(text, file="a.yaml")
    assert str(raised.value).startswith(message)


def test_a_contract_in_the_standard_is_read_as_it_was_written(project: Path) -> None:
    text = export(
        project,
        (
            "note: {type: string,",
            "note: {type: string, length: [0, 80], matches: '[a-z]*', comment: free text, pii: true,",
        ),
        ("customer_id: {type: string}", "customer_id: {type: string, references: customers.customer_id}"),
        (
            'expect: ["amount >= 0',
            'freshness: {of: ordered_on, within: 2d}\n    volume: {at_least: 10}\n    expect: ["amount >= 0',
        ),
    )
    given = load_use_case("shop").sources["orders"]
    (project / "orders.odcs.yaml").write_text(text)
    file = project / "conf" / "shop.yml"
    before, _, rest = file.read_text().partition("    key: [order_id]\n")
    _, _, after = rest.partition("    derive:\n")
    derived, _, after = after.partition("    freshness:")
    after = after.partition("  customers:\n")[2]
    file.write_text(f"{before}    contract: orders.odcs.yaml\n    derive:\n{derived}  customers:\n{after}")
    read = load_use_case("shop").sources["orders"]
    assert read == given.model_copy(update={"contract": "orders.odcs.yaml"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: DataContract\n", "is no data contract: expected ODCS v3"),
        ("- 1\n", "is no data contract"),
        ("a: [\n", "is no YAML"),
        (None, "No such file"),
        ("kind: DataContract\napiVersion: v3.1.0\nid: x\nschema: [{name: a}, {name: b}]\n", "has no table orders or clean_orders; it has a, b"),
        ("kind: DataContract\napiVersion: v3.1.0\nid: x\nschema: [{name: orders, properties: [{name: order_id, physicalType: blob}]}]\n", "found 'blob'"),
    ],
)  # fmt: skip
def test_a_contract_that_cannot_be_used_is_told_with_its_file(project: Path, text: str | None, message: str) -> None:
    if text is not None:
        (project / "c.yaml").write_text(text)
    file = project / "conf" / "shop.yml"
    file.write_text(
        file.read_text()
        .replace("    key: [order_id]\n", "    key: [order_id]\n    contract: c.yaml\n")
        .replace("      order_id: {type: string}\n", "")
    )
    with pytest.raises(ConfigError, match=message) as caught:
        load_use_case("shop")
    assert "c.yaml" in str(caught.value)
