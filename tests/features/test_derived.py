"""Derived features and the types a model takes."""

import pytest

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.derived import cast_features, derive_columns


def test_later_columns_may_use_earlier_ones(rows):
    found = derive_columns(rows("a long", [(3,)]), {"b": "a * 2", "c": "b + a"})
    assert found.columns == ["a", "b", "c"]
    assert found.collect() == [(3, 6, 9)]


def test_a_derived_column_takes_the_place_of_one_of_the_same_name(rows):
    found = derive_columns(rows("hour long, a long", [(99, 3)]), {"hour": "a"})
    assert found.collect() == [(3, 3)]
    assert found.columns == ["a", "hour"]


def test_an_expression_that_cannot_be_computed_is_named(rows):
    with pytest.raises(
        ConfigError, match=r"dataset\.derived\.b: `nothing \+ 1` cannot be computed.*columns there are: a\."
    ):
        derive_columns(rows("a long", []), {"b": "nothing + 1"})


def test_numbers_and_booleans_become_doubles_and_strings_stay(rows):
    typed = rows("id long, n int, b boolean, s string, d double", [(1, 2, True, "x", None)]).selectExpr(
        "*", "2.50BD AS m"
    )
    found = cast_features(typed, ["s", "b", "n", "d", "m"])
    assert found.dtypes == [
        ("id", "bigint"),
        ("s", "string"),
        ("b", "double"),
        ("n", "double"),
        ("d", "double"),
        ("m", "double"),
    ]
    assert found.collect() == [(1, "x", 1.0, 2.0, None, 2.5)]


def test_other_types_are_refused(rows):
    with pytest.raises(ConfigError, match="feature `at` is timestamp; a model takes numbers.*dataset.leave_out"):
        cast_features(rows("at timestamp", []), ["at"])
