"""Models of Spark MLlib as arrays: what they answer to rows written by hand, and that a file of theirs is read or said to be damaged."""

import numpy as np
import pytest

from sparkml_ops.errors import ModelError
from sparkml_ops.models.kinds import mllib as kind
from sparkml_ops.models.kinds.filled import Filling
from sparkml_ops.models.kinds.forest import Forest


def test_the_line_says_what_its_columns_add() -> None:
    filling = Filling(np.array([2.0, 0.0]), np.array([-1, 2]))
    line = kind.LinearModel(filling, np.array([0.5, 1.0, -1.0, 0.25]), 0.1)
    matrix = np.array([[4.0, 0.0], [np.nan, 1.0], [2.0, np.nan], [0.0, 7.0]])
    expected = [[1.0, 1.0], [0.0, -1.0], [0.0, 0.25], [-1.0, 0.25]]
    np.testing.assert_array_equal(kind.find_contributions(line, matrix), expected)
    margins = np.sum(expected, axis=1) + 1.0 + 0.1  # the fill's own share is no difference
    np.testing.assert_allclose(kind.predict_values(line, matrix, task="binary"), 1 / (1 + np.exp(-margins)))


def test_levels_that_no_row_had_are_missing_ones_and_go_where_these_go() -> None:
    forest = Forest(
        roots=np.array([0]), depths=np.array([2]), weights=np.array([1.0]),
        features=np.array([0, 1, 0, 0, 0], np.int32), thresholds=np.array([0.5, np.inf, np.inf, np.inf, np.inf]),
        lefts=np.array([1, 3, 2, 3, 4], np.int32), rights=np.array([2, 4, 2, 3, 4], np.int32),
        subset_of=np.array([-1, 0, -1, -1, -1], np.int32), gains=np.array([3.0, 1.0, 0, 0, 0]),
        values=np.array([[0, 0], [0, 0], [0, 1], [0.5, 0.5], [1, 0]], float),
        subsets=np.array([[True, False, True]]),
    )  # fmt: skip
    model = kind.TreeModel(Filling(np.array([0.25, 0.0]), np.array([-1, 2])), forest, is_boosted=False)
    matrix = np.array([[0.5, 0.0], [0.6, 0.0], [np.nan, 1.0], [0.0, np.nan], [0.0, 9.0]])
    np.testing.assert_array_equal(kind.predict_values(model, matrix, task="binary"), [0.5, 1, 0, 0.5, 0.5])
    np.testing.assert_array_equal(forest.share_gains(3), [0.75, 0.25, 0])
    again = kind.load_estimator(kind.dump_estimator(model))
    np.testing.assert_array_equal(kind.predict_values(again, matrix, task="binary"), [0.5, 1, 0, 0.5, 0.5])
    assert not kind.has_contributions(again)
    with pytest.raises(ModelError, match="do not say what their columns add"):
        kind.find_contributions(again, matrix)


def test_a_number_is_a_sum_and_no_probability() -> None:
    filling = Filling(np.array([2.0]), np.array([-1]))
    line = kind.LinearModel(filling, np.array([10.0]), 5.0, gives_numbers=True)
    forest = Forest(
        roots=np.array([0, 3]), depths=np.array([1, 0]), weights=np.array([0.5, 2.0]),
        features=np.zeros(4, np.int32), thresholds=np.array([1.0, np.inf, np.inf, np.inf]),
        lefts=np.array([1, 1, 2, 3], np.int32), rights=np.array([2, 1, 2, 3], np.int32),
        subset_of=np.full(4, -1, np.int32), gains=np.zeros(4), values=np.array([[0.0], [-40.0], [60.0], [7.0]]),
        subsets=np.zeros((0, 0), np.bool_),
    )  # fmt: skip
    trees = kind.TreeModel(filling, forest, is_boosted=True)
    matrix = np.array([[1.0], [np.nan], [-3.0]])
    for model, expected in ((line, [15.0, 25.0, -25.0]), (trees, [-6.0, 44.0, -6.0])):
        again = kind.load_estimator(kind.dump_estimator(model))
        assert again.gives_numbers
        np.testing.assert_array_equal(kind.predict_values(again, matrix, task="regression"), expected)


def test_of_several_classes_each_has_a_score_and_the_softmax_makes_them_shares() -> None:
    filling = Filling(np.array([2.0, 0.0]), np.array([-1, 1]))
    scores = np.array([[0.5, 0.0, -0.5], [1.0, 0.0, 800.0], [0.0, 0.25, 0.0]])
    line = kind.SoftmaxModel(filling, scores, np.array([0.0, 0.5, 1.0]))
    again = kind.load_estimator(kind.dump_estimator(line))
    found = kind.predict_values(again, np.array([[np.nan, np.nan], [0.0, 0.0], [4.0, 9.0]]), task="multiclass")
    first, last = np.exp([1.0, 0.75, 0.0]), np.exp([2.0, 0.75, -1.0])
    np.testing.assert_allclose(found, [first / first.sum(), [0, 0, 1], last / last.sum()], rtol=1e-15)
    assert kind.predict_values(again, np.zeros((0, 2)), task="multiclass").shape == (0, 3)
    assert not kind.has_contributions(again)


def test_leaves_that_know_nothing_hold_all_of_several_classes_alike() -> None:
    forest = Forest(
        roots=np.array([0]), depths=np.array([1]), weights=np.array([1.0]),
        features=np.zeros(3, np.int32), thresholds=np.array([0.5, np.inf, np.inf]),
        lefts=np.array([1, 1, 2], np.int32), rights=np.array([2, 1, 2], np.int32),
        subset_of=np.full(3, -1, np.int32), gains=np.zeros(3),
        values=np.array([[0, 0, 0], [0.25, 0.75, 0], [0, 0, 0]], float), subsets=np.zeros((0, 0), np.bool_),
    )  # fmt: skip
    model = kind.TreeModel(Filling(np.zeros(1), np.array([-1])), forest, is_boosted=False)
    found = kind.predict_values(model, np.array([[0.0], [1.0]]), task="multiclass")
    np.testing.assert_allclose(found, [[0.25, 0.75, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-15)


def test_a_damaged_file_is_said_to_be_one() -> None:
    line = kind.LinearModel(Filling(np.zeros(1), np.array([-1])), np.ones(1), 0.0)
    content = kind.dump_estimator(line)
    assert kind.dump_estimator(line) == content
    for damaged in (b"", content[:-40], b"PK" + content[2:40]):
        with pytest.raises(ModelError, match="model.npz is damaged"):
            kind.load_estimator(damaged)
