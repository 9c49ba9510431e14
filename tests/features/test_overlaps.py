"""What parts of a training set share is counted and named."""

import pytest

from sparkml_ops.features.audit_figures import judge_duplicates, judge_overlap
from sparkml_ops.features.overlaps import find_duplicates, find_overlap

SCHEMA = "order_id long, customer string, split string, x double, town string"
CLEAN = [
    (1, "ann", "train", 1.0, "Bonn"),
    (2, "bob", "train", 2.0, None),
    (3, "ann", "train", 1.0, "Bonn"),
    (4, "cem", "valid", None, "Bonn"),
    (5, "dan", "test", 3.0, "Bonn"),
    (6, "dan", "test", None, None),
    (7, "eve", "train", None, None),
]
FEATURES = ["x", "town"]


@pytest.fixture
def parts(spark):
    return lambda *more: spark.createDataFrame([*CLEAN, *more], SCHEMA).repartition(3)


def test_parts_that_share_nothing_have_no_finding(parts):
    rows = parts()
    assert judge_overlap("shared_keys", ["order_id"], find_overlap(rows, ["order_id"])).verdict == "ok"
    assert judge_overlap("shared_groups", ["customer"], find_overlap(rows, ["customer"])).verdict == "ok"
    duplicates = find_duplicates(rows, FEATURES)
    assert (duplicates.rows, duplicates.others) == (0, 2), (
        "a row without any value is like every other, and not counted"
    )
    assert judge_duplicates(duplicates, FEATURES, limit=0.0).verdict == "ok"


def test_a_key_in_two_parts_is_named(parts):
    found = judge_overlap("shared_keys", ["order_id"], find_overlap(parts((1, "zoe", "test", 9.0, "x")), ["order_id"]))
    assert (found.verdict, found.value) == ("alert", 1.0)
    assert "such as order_id=1" in found.message


def test_a_group_in_two_parts_is_named_unless_it_is_personal(parts):
    rows = parts((8, "bob", "valid", 9.0, "x"), (9, None, "valid", 8.0, "x"), (10, None, "test", 7.0, "x"))
    found = find_overlap(rows, ["customer"])
    assert (found.shared, found.examples) == (2, ("customer=null", "customer=bob"))
    assert find_overlap(rows, ["customer"], withhold={"customer"}).examples == ("customer=…", "customer=…")


def test_rows_of_one_decision_under_two_keys_are_counted(parts):
    copied = parts((11, "zoe", "test", 2.0, None), (12, "zoe", "valid", 1.0, "Bonn"))
    duplicates = find_duplicates(copied, FEATURES)
    assert (duplicates.rows, duplicates.others, duplicates.share) == (2, 4, 0.5)
    found = judge_duplicates(duplicates, FEATURES, limit=0.05)
    assert found.verdict == "alert"
    assert "2 of 4 rows of valid and test have the features of a row of train (share 0.5, limit 0.05)" in found.message


def test_a_null_is_no_value_that_moved_to_another_column(spark):
    rows = spark.createDataFrame([("train", "a", None), ("test", None, "a")], "split string, one string, other string")
    assert find_duplicates(rows, ["one", "other"]).rows == 0


def test_a_training_part_alone_has_no_duplicates_to_judge(spark):
    rows = spark.createDataFrame([("train", 1.0), ("train", 1.0)], "split string, x double")
    assert judge_duplicates(find_duplicates(rows, ["x"]), ["x"], limit=0.0).verdict == "no_data"
