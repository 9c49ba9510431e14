"""Decisions: which rows are learned from, with which label, in which part."""

from datetime import timedelta

import pytest
from shop import NOON, make_use_case

from sparkml_ops.errors import ConfigError, ContractError, TrainingError
from sparkml_ops.features.decisions import (
    DecisionCounts,
    count_decisions,
    keep_decisions,
    label_decisions,
    require_learnable,
    require_unique,
)

SCHEMA = "order_id long, customer string, ordered_at timestamp, amount double"
BY_TIME = {
    "by": "time",
    "train_until": "2024-03-01T13:00",
    "valid_until": "2024-03-01T14:00",
    "test_until": "2024-03-01T15:00",
}


def decide(rows, tmp_path, orders, *, as_of=NOON + timedelta(days=9), **dataset):
    dataset = make_use_case(tmp_path, **({"split": BY_TIME} | dataset)).dataset
    return label_decisions(rows(SCHEMA, orders), dataset, as_of=as_of)


def fates(decisions):
    return {row["order_id"]: (row["__fate"], row["__label"]) for row in decisions.collect()}


def test_parts_by_time_are_half_open(rows, tmp_path):
    minutes = (0, 59.999, 60, 119.999, 120, 179.999, 180)
    found = fates(decide(rows, tmp_path, [(number, "ann", at, 60.0) for number, at in enumerate(minutes)]))
    assert [found[number][0] for number in range(7)] == [
        "train",
        "train",
        "valid",
        "valid",
        "test",
        "test",
        "after_test_until",
    ]


def test_without_test_until_all_later_rows_judge(rows, tmp_path):
    split = {name: value for name, value in BY_TIME.items() if name != "test_until"}
    assert (
        fates(decide(rows, tmp_path, [(1, "ann", 99_999, 1.0)], split=split, as_of=NOON + timedelta(days=99)))[1][0]
        == "test"
    )


def test_rows_without_moment_or_label_are_left_out(rows, tmp_path):
    found = fates(decide(rows, tmp_path, [(1, "ann", None, 1.0), (2, "ann", 0, None), (3, "ann", 0, 99.0)]))
    assert found == {1: ("no_timestamp", 0.0), 2: ("no_label", None), 3: ("train", 1.0)}


def test_rows_whose_label_has_not_matured_are_left_out(rows, tmp_path):
    orders = [(1, "ann", 0, 1.0), (2, "ann", 0.001, 1.0), (3, "ann", 999, 1.0)]
    found = fates(decide(rows, tmp_path, orders, label_matures_after="1d", as_of=NOON + timedelta(days=1)))
    assert {number: fate for number, (fate, _) in found.items()} == {1: "train", 2: "immature", 3: "immature"}


def test_where_says_which_rows_are_decisions(rows, tmp_path):
    assert fates(decide(rows, tmp_path, [(1, "ann", 0, 1.0), (2, "bob", 0, 1.0)], where="customer = 'bob'")).keys() == {
        2
    }


def test_parts_by_hash_hold_their_share_and_keep_entities_together(rows, tmp_path):
    orders = [(number, f"c{number % 400}", 0, 1.0) for number in range(2_000)]
    split = {"by": "hash", "of": ["customer"], "train": 0.6, "valid": 0.2}
    found = decide(rows, tmp_path, orders, split=split)
    parts = {
        row["customer"]: row["parts"]
        for row in found.groupBy("customer").agg({"__fate": "collect_set"}).toDF("customer", "parts").collect()
    }
    assert all(len(part) == 1 for part in parts.values())
    shares = {part: sum(p == [part] for p in parts.values()) / 400 for part in ("train", "valid", "test")}
    assert shares == pytest.approx({"train": 0.6, "valid": 0.2, "test": 0.2}, abs=0.07)
    fewer = fates(decide(rows, tmp_path, orders[:500], split=split))
    assert fewer == {number: fate for number, fate in fates(found).items() if number < 500}


def test_counts_are_by_fate(rows, tmp_path):
    decisions = decide(
        rows, tmp_path, [(1, "ann", 0, 99.0), (2, "ann", 5, 1.0), (3, "ann", 70, 99.0), (4, "ann", 999, 99.0)]
    )
    counts = count_decisions(decisions, timestamp="ordered_at")
    assert counts == DecisionCounts(
        rows={"train": 2, "valid": 1, "after_test_until": 1},
        positives={"train": 1, "valid": 1, "after_test_until": 1},
        newest=NOON + timedelta(minutes=70),
    )
    assert counts.kept() == 3
    assert counts.left_out() == {"after_test_until": 1}
    assert keep_decisions(decisions).count() == 3


def test_a_number_serves_as_label_if_it_is_0_or_1(rows, tmp_path):
    good = decide(rows, tmp_path, [(1, "ann", 0, 1.0), (2, "ann", 0, 0.0)], label="amount")
    assert count_decisions(good, timestamp="ordered_at").positives == {"train": 1}
    bad = decide(rows, tmp_path, [(1, "ann", 0, 0.4), (2, "ann", 0, 0.0)], label="amount")
    with pytest.raises(ContractError, match=r"dataset\.label gives 0\.4, among others, in 1 rows"):
        count_decisions(bad, timestamp="ordered_at")


def test_a_text_is_no_label(rows, tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.label: `customer` is string; expected a boolean"):
        decide(rows, tmp_path, [], label="customer")


def test_a_missing_column_is_named(rows, tmp_path):
    with pytest.raises(
        ConfigError, match=r"dataset\.timestamp: there is no column `orderd_at`\. Did you mean `ordered_at`"
    ):
        decide(rows, tmp_path, [], timestamp="orderd_at")
    with pytest.raises(ConfigError, match=r"dataset\.label: `amuont > 5` cannot be computed"):
        decide(rows, tmp_path, [], label="amuont > 5")


def test_two_decisions_of_the_same_key_are_refused_with_examples(rows, tmp_path):
    decisions = decide(rows, tmp_path, [(1, "ann", 0, 1.0), (1, "ann", 5, 1.0), (2, "ann", 0, 1.0)])
    require_unique(decisions, ["order_id", "ordered_at"])
    with pytest.raises(ContractError, match=r"1 keys name more than one decision, such as order_id=1 \(2 rows\)"):
        require_unique(decisions, ["order_id"])


def test_an_empty_training_part_and_a_single_class_are_refused_with_the_counts():
    with pytest.raises(TrainingError, match="no rows.*immature 7, test 3"):
        require_learnable(DecisionCounts({"immature": 7, "test": 3}, {"test": 1}, None))
    with pytest.raises(TrainingError, match="single class: 0 of 5 rows have label 1"):
        require_learnable(DecisionCounts({"train": 5}, {"train": 0}, None))
    with pytest.raises(TrainingError, match="no rows at all"):
        require_learnable(DecisionCounts({}, {}, None))
