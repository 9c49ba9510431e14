"""Rows held against each other by their key."""

from sparkml_ops.features.compare import KeyChange, compare_definitions
from sparkml_ops.features.row_differences import WITHHELD, compare_rows

SCHEMA = "id long, town string, split string, x double"


def test_rows_are_only_in_one_changed_or_the_same_and_nulls_are_values(rows):
    nan = float("nan")
    old = [
        (1, "a", "train", 1.0),
        (2, "b", "train", None),
        (3, "c", "test", 3.0),
        (None, "d", "test", 4.0),
        (5, "e", "test", nan),
    ]
    new = [
        (1, "a", "train", 1.0),
        (2, "b", "valid", 2.0),
        (4, "c", "test", 3.0),
        (None, "d", "test", 4.0),
        (5, "f", "test", nan),
    ]
    found = compare_rows(rows(SCHEMA, old), rows(SCHEMA, new), key=["id"], withhold={"town"})
    assert found.counts == {"only_in_old": 1, "only_in_new": 1, "changed": 2, "same": 2}
    assert found.changed_columns == {"town": 1, "split": 1, "x": 1}
    assert found.examples == {
        "only_in_old": [{"id": 3}],
        "only_in_new": [{"id": 4}],
        "changed": [
            {"id": 2, "split": {"old": "train", "new": "valid"}, "x": {"old": None, "new": 2.0}},
            {"id": 5, "town": WITHHELD},
        ],
    }


def test_at_most_five_examples_are_shown_the_first_by_key(rows):
    many = [(number, "a", "train", 1.0) for number in range(20)]
    found = compare_rows(rows(SCHEMA, many), rows(SCHEMA, []), key=["town", "id"])
    assert found.counts["only_in_old"] == 20
    assert [example["id"] for example in found.examples["only_in_old"]] == [0, 1, 2, 3, 4]


def test_columns_of_one_side_or_of_other_types_are_not_held_against_each_other(rows):
    old, new = (
        rows("id long, x double, y double", [(1, 1.0, 2.0)]),
        rows("id long, x double, y string, z int", [(1, 1.0, "2", 3)]),
    )
    assert compare_rows(old, new, key=["id"]).counts["same"] == 1


def test_definitions_differ_by_dotted_keys():
    old = '{"dataset": {"label": "a > 1", "entity": ["a"]}, "features": {"v": {"aggregate": [{"ops": ["mean"]}]}}}'
    new = '{"dataset": {"label": {"within": "1d"}, "entity": ["a", "b"]}, "features": {"v": {"aggregate": [{"ops": ["max"]}]}}}'
    assert list(compare_definitions(old, new)) == [
        KeyChange("dataset.label", "a > 1", None),
        KeyChange("dataset.entity", ["a"], ["a", "b"]),
        KeyChange("features.v.aggregate[0].ops", ["mean"], ["max"]),
        KeyChange("dataset.label.within", None, "1d"),
    ]
    assert list(compare_definitions(old, old)) == []
