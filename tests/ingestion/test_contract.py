"""A contract, row by row: raw text in, typed values and the violated rules out."""

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.sources import Source
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion import contract
from sparkml_ops.ingestion.contract import VIOLATIONS, apply_contract, compare_columns, hash_contract


def make_source(columns: dict[str, Any], **options: Any) -> Source:
    return Source.model_validate(
        {"path": "x", "format": "csv", "key": [next(iter(columns))], "columns": columns} | options
    )


def judge(spark: SparkSession, source: Source, **values: str | None) -> tuple[dict[str, Any], list[str]]:
    """Type and judge one row."""
    columns = ", ".join(f"`{name}` string" for name in [*values, "_source_file", "_raw", "_header"])
    rows = spark.createDataFrame(
        [(*values.values(), "f.csv", "raw", None, None, True, 0, 1)],
        f"{columns}, _malformed string, _is_row boolean, _block bigint, _position bigint",
    )
    row = apply_contract(rows, source, name="orders").collect()[0].asDict()
    return {name: row[name] for name in source.column_names()}, row[VIOLATIONS]


CASES = [
    # type, rules, raw text -> value, violations
    ({"type": "int"}, "7", 7, []),
    ({"type": "int"}, " 7 ", 7, []),
    ({"type": "int"}, "7.5", None, ["v: is no int"]),
    ({"type": "int"}, "3000000000", None, ["v: is no int"]),
    ({"type": "int"}, "NA", None, ["v: is null"]),
    ({"type": "int"}, None, None, ["v: is null"]),
    ({"type": "int", "nullable": True}, "NA", None, []),
    ({"type": "int", "nullable": True}, "", None, []),
    ({"type": "long"}, "9007199254740993", 9007199254740993, []),
    ({"type": "double"}, "1e3", 1000.0, []),
    ({"type": "double"}, "NaN", None, ["v: is no double"]),
    ({"type": "double"}, "Infinity", None, ["v: is no double"]),
    ({"type": "double"}, "1e400", None, ["v: is no double"]),
    ({"type": "double", "between": [0, 10]}, "10", 10.0, []),
    ({"type": "double", "between": [0, 10]}, "10.01", 10.01, ["v: is outside 0 … 10"]),
    ({"type": "boolean"}, "true", True, []),
    ({"type": "boolean"}, "maybe", None, ["v: is no boolean"]),
    ({"type": "date"}, "2013-02-29", None, ["v: is no date"]),
    ({"type": "date"}, "2012-02-29", datetime(2012, 2, 29).date(), []),
    ({"type": "date"}, "1234567", None, ["v: is no date"]),
    ({"type": "date"}, "9999-12-31", datetime(9999, 12, 31).date(), []),
    ({"type": "date"}, "0000-12-31", None, ["v: is no date"]),
    ({"type": "date", "format": "dd.MM.yyyy"}, "29.02.2012", datetime(2012, 2, 29).date(), []),
    ({"type": "timestamp", "format": "dd/MM/yyyy HH:mm"}, "31/12/2013 23:59", datetime(2013, 12, 31, 23, 59), []),
    ({"type": "timestamp"}, "2013-01-01T10:00:00+02:00", datetime(2013, 1, 1, 8), []),
    ({"type": "decimal(5,2)"}, "12345.6", None, ["v: is no decimal(5,2)"]),
    ({"type": "string", "in": ["a", "b"]}, "c", "c", ["v: is not one of the allowed values"]),
    ({"type": "string", "length": [1, 2]}, "名🛫", "名🛫", []),
    ({"type": "string", "length": [1, 2]}, "abc", "abc", ["v: does not have 1 … 2 characters"]),
    ({"type": "string", "length": [2, 9], "nullable": True}, None, None, []),
    ({"type": "string", "matches": "[A-Z]{3}"}, "ABCD", "ABCD", ["v: does not match [A-Z]{3}"]),
    ({"type": "string"}, "naïve 名前 \u202e\u0000 🛫", "naïve 名前 \u202e\u0000 🛫", []),
]


@pytest.mark.parametrize(("rule", "text", "value", "violations"), CASES)
def test_one_value(
    spark: SparkSession, rule: dict[str, Any], text: str | None, value: Any, violations: list[str]
) -> None:
    source = make_source({"id": {"type": "string"}, "v": rule})
    row, found = judge(spark, source, id="1", v=text)
    if isinstance(value, datetime):  # collected as wall time of this machine
        row["v"] = row["v"].astimezone().astimezone(tz=__import__("datetime").UTC).replace(tzinfo=None)
    assert (row["v"], found) == (value, violations)


def test_all_violated_rules_of_a_row_are_kept_together(spark: SparkSession) -> None:
    source = make_source(
        {"id": {"type": "int"}, "low": {"type": "int", "between": [0, 9]}, "high": {"type": "int"}},
        expect=["low <= high"],
    )
    assert judge(spark, source, id="x", low="12", high="3")[1] == [
        "id: is no int",
        "low: is outside 0 … 9",
        "key: id is null",
        "expect: low <= high",
    ]


def test_a_rule_that_is_null_does_not_violate(spark: SparkSession) -> None:
    source = make_source({"id": {"type": "int"}, "low": {"type": "int", "nullable": True}}, expect=["low > 3"])
    assert judge(spark, source, id="1", low=None)[1] == []


def test_derived_columns_see_typed_ones_and_earlier_derived_ones(spark: SparkSession) -> None:
    source = make_source({"id": {"type": "int"}}, derive={"double_id": "id * 2", "text": "concat('n', double_id)"})
    assert judge(spark, source, id="4")[0] == {"id": 4, "double_id": 8, "text": "n8"}


def test_missing_columns_are_refused_with_a_diff_and_the_nearest_name() -> None:
    source = make_source({"id": {"type": "int"}, "carrier": {"type": "string"}})
    with pytest.raises(ContractError) as caught:
        compare_columns(["id", "Carrier", "_source_file", "_malformed"], source, place="orders")
    assert str(caught.value).splitlines()[:3] == [
        "orders: the columns are not those of the contract:",
        "  - carrier: declared, not there; renamed to Carrier?",
        "  + Carrier: there, not declared",
    ]


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        ("PRICE", "; renamed to PRICE?"),
        ("Price_EUR", "; renamed to Price_EUR?"),
        ("prize", "; renamed to prize?"),
        ("colour", ""),
        ("ice", "; renamed to ice?"),
        ("e", ""),
    ],
)
def test_a_column_that_is_missing_may_have_another_name(found: str, hint: str) -> None:
    source = make_source({"id": {"type": "int"}, "price": {"type": "double"}})
    with pytest.raises(ContractError) as caught:
        compare_columns(["id", found], source, place="orders")
    assert f"  - price: declared, not there{hint}\n" in str(caught.value)


def test_of_many_undeclared_columns_some_are_shown() -> None:
    source = make_source({"id": {"type": "int"}})
    with pytest.raises(ContractError) as caught:
        compare_columns([f"c{number}" for number in range(23)], source, place="orders")
    assert "  + c19: there, not declared\n  + … 3 more\n" in str(caught.value)


@pytest.mark.parametrize(("policy", "kept"), [("ignore", []), ("add", ["extra"])])
def test_new_columns_follow_the_policy(policy: str, kept: list[str]) -> None:
    assert compare_columns(["id", "extra"], make_source({"id": {"type": "int"}}, new_columns=policy), place="o") == kept


def test_new_columns_can_be_refused() -> None:
    with pytest.raises(ContractError, match=r"\+ extra: there, not declared"):
        compare_columns(["id", "extra"], make_source({"id": {"type": "int"}}, new_columns="fail"), place="o")


def test_a_reason_is_one_reason_whatever_its_text(spark: SparkSession) -> None:
    source = make_source({"v": {"type": "string", "matches": "a\x1fb"}})
    assert judge(spark, source, v="c")[1] == ["v: does not match a\x1fb"]


@pytest.mark.parametrize(
    ("form", "policy"), [("csv", "fail"), ("parquet", "fail"), ("delta", "fail"), ("json", "ignore")]
)
def test_a_new_column_is_refused_by_default_where_files_say_what_they_have(form: str, policy: str) -> None:
    asked: dict[str, Any] = {"path": "x", "format": form, "key": ["id"], "columns": {"id": {"type": "int"}}}
    source = Source.model_validate(asked)
    assert source.on_new_columns == policy
    assert hash_contract(source) == hash_contract(Source.model_validate(asked))
    assert hash_contract(source) != hash_contract(Source.model_validate({**asked, "new_columns": "add"}))


def test_a_refused_column_says_what_can_be_done() -> None:
    source = make_source({"id": {"type": "int"}})
    with pytest.raises(ContractError, match=r"\+ extra: there, not declared[^+]*`new_columns: ignore` passes over"):
        compare_columns(["id", "extra"], source, place="o")


def test_where_several_parts_fail_at_once_the_first_is_told() -> None:
    told = (
        "An error occurred while calling o1.isEmpty.\n: org.apache.spark.SparkException: "
        "[STAGE_MATERIALIZATION_MULTIPLE_FAILURES] Multiple failures (2) in stage materialization:\n"
        "1. SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero.\n2. SparkDateTimeException: [CAST_INVALID_INPUT] x"
    )
    assert contract._find_condition(ValueError(told)) == "DIVIDE_BY_ZERO"
    assert contract._find_condition(ValueError("[OTHER] something else")) is None
