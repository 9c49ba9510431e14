"""Parts that have nothing in common: embargo, groups, and hashes that nulls cannot upset."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from shop import NOON, make_use_case

from sparkml_ops.config.dataset import TimeSplit
from sparkml_ops.features.decisions import count_decisions, label_decisions

SCHEMA = "order_id long, customer string, ordered_at timestamp, amount double"
BY_TIME = {
    "by": "time",
    "train_until": "2024-03-01T13:00",
    "valid_until": "2024-03-01T14:00",
    "test_until": "2024-03-01T15:00",
}
MICROSECOND = 1 / 60_000_000


def decide(rows, tmp_path, orders, split, **dataset):
    dataset = make_use_case(tmp_path, split=split, **dataset).dataset
    return label_decisions(rows(SCHEMA, orders), dataset, as_of=NOON + timedelta(days=9))


def fates(decisions):
    return {row["order_id"]: row["__fate"] for row in decisions.collect()}


def test_an_embargo_takes_the_rows_just_before_the_next_part_and_none_after(rows, tmp_path):
    expected = {
        50: "train",
        50 + MICROSECOND: "embargo",  # its label of 10 minutes is settled after 60
        59: "embargo",
        60: "valid",
        110: "valid",
        110 + MICROSECOND: "embargo",
        120: "test",
        179: "test",  # nothing follows that could learn of it
        180: "after_test_until",
    }
    orders = [(number, "ann", at, 1.0) for number, at in enumerate(expected)]
    decisions = decide(rows, tmp_path, orders, BY_TIME | {"embargo": "10m"})
    assert list(dict(sorted(fates(decisions).items())).values()) == list(expected.values())
    assert count_decisions(decisions, timestamp="ordered_at").left_out() == {"after_test_until": 1, "embargo": 3}


def test_an_embargo_that_leaves_nothing_to_tune_on_is_refused():
    with pytest.raises(ValidationError, match="an embargo shorter than from train_until to valid_until"):
        TimeSplit.model_validate(BY_TIME | {"embargo": "1h"})


def test_a_group_is_in_one_part_alone_the_earliest(rows, tmp_path):
    orders = [
        (1, "ann", 0, 1.0), (2, "ann", 70, 1.0), (3, "ann", 130, 1.0),
        (4, "bob", 70, 1.0), (5, "bob", 130, 1.0), (6, "bob", 75, 1.0),
        (7, "cem", 130, 1.0),
        (8, "dan", 55, 1.0), (9, "dan", 70, 1.0),  # under embargo, so in no part
        (10, "eve", 0, None), (11, "eve", 70, 1.0),  # without a label, so in no part
        (12, None, 0, 1.0), (13, None, 70, 1.0),  # null is a group like any other
        (14, "ann", 190, 1.0),
    ]  # fmt: skip
    decisions = decide(rows, tmp_path, orders, BY_TIME | {"embargo": "10m", "groups": ["customer"]})
    assert fates(decisions) == {
        1: "train", 2: "group_of_earlier_part", 3: "group_of_earlier_part",
        4: "valid", 5: "group_of_earlier_part", 6: "valid",
        7: "test",
        8: "embargo", 9: "valid",
        10: "no_label", 11: "valid",
        12: "train", 13: "group_of_earlier_part",
        14: "after_test_until",
    }  # fmt: skip
    assert count_decisions(decisions, timestamp="ordered_at").left_out()["group_of_earlier_part"] == 4


def test_groups_of_several_columns_are_told_apart_by_all_of_them(rows, tmp_path):
    orders = [(1, "ann", 0, 1.0), (2, "ann", 70, 1.0), (1, "bob", 70, 1.0), (1, "ann", 71, 1.0)]
    split = BY_TIME | {"groups": ["order_id", "customer"]}
    decided = decide(rows, tmp_path, orders, split).collect()
    assert sorted((r["order_id"], r["customer"], r["__fate"]) for r in decided) == [
        (1, "ann", "group_of_earlier_part"), (1, "ann", "train"), (1, "bob", "valid"), (2, "ann", "valid"),
    ]  # fmt: skip


def test_rows_with_nulls_in_the_hashed_columns_have_one_part_together_which_added_rows_do_not_change(rows, tmp_path):
    split = {"by": "hash", "of": ["customer"], "train": 0.5, "valid": 0.25}
    orders = [(number, None if number % 3 == 0 else f"c{number % 7}", number, 1.0) for number in range(60)]
    before = fates(decide(rows, tmp_path, orders, split))
    added = [(number, f"n{number}", 0, 1.0) for number in range(100, 160)]
    after = fates(decide(rows, tmp_path, [*added, *reversed(orders)], split))
    assert len({before[number] for number in range(0, 60, 3)}) == 1
    assert {number: after[number] for number in before} == before
