"""What differs between two trainings is told from what was recorded of them; whether one is better from the interval alone."""

from dataclasses import replace

import pytest

from sparkml_ops.cli.experiment_lines import describe_comparison, describe_trainings
from sparkml_ops.features import KeyChange
from sparkml_ops.models import Comparison, Difference, RecordedFigure, RecordedTraining
from sparkml_ops.training.compare import TrainingComparison
from sparkml_ops.training.differences import list_differences, list_view_changes
from sparkml_ops.training.same_rows import conclude, is_later, judge_difference

DATASET = {"entity": ["customer"], "timestamp": "ordered_at"}
OLD = RecordedTraining(
    version=2,
    trained_at="2024-03-01T06:30:00+00:00",
    training_set="ts-a",
    content_hash="aa",
    definition_hash="d",
    rows={"train": 60, "valid": 15, "test": 25},
    estimator="lightgbm",
    trials=20,
    failed=1,
    metric="roc_auc",
    figures={"roc_auc": RecordedFigure(0.7, 0.65, 0.75), "brier": RecordedFigure(0.2)},
    config_hash="0123456789abcdef",
    features=("hour", "town", "amount"),
    params={"num_leaves": 7, "gone": 1, "rounds": 40},
    period={"train": ["2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00"],
            "valid": ["2024-02-01T00:00:00+00:00", "2024-02-10T00:00:00+00:00"],
            "test": ["2024-02-10T00:00:00+00:00", "2024-03-01T00:00:00+00:00"]},
    recipe={"model": {"metric": "roc_auc", "levels": {"at_most": 9}}, "dataset": DATASET, "spark": "4.2.0", "threads": 2},
)  # fmt: skip
NEW = replace(
    OLD,
    version=3,
    training_set="ts-b",
    content_hash="bb",
    rows={"train": 80, "test": 25},
    figures={"roc_auc": RecordedFigure(0.72, 0.7, 0.74), "brier": RecordedFigure(0.19)},
    features=("hour", "amount", "age"),
    left_out={"town": "it has one value only"},
    params={"num_leaves": 31, "rounds": 40, "fresh": True},
    recipe={"model": {"metric": "roc_auc", "levels": {"at_most": 20}}, "dataset": DATASET, "spark": "4.2.1"},
)


def test_data_features_parameters_and_configuration_are_held_against_each_other() -> None:
    found = list_differences(OLD, NEW)
    assert (found.has_same_rows, found.has_same_definition) == (False, True)
    assert found.rows == {"train": (60, 80), "valid": (15, None), "test": (25, 25)}
    assert (found.features_added, found.features_removed) == (("age",), {"town": "it has one value only"})
    assert found.params == (
        KeyChange("num_leaves", 7, 31),
        KeyChange("gone", 1, None),
        KeyChange("fresh", None, True),
    )
    assert found.configuration == (KeyChange("model.levels.at_most", 9, 20),)
    assert [(pair.metric, pair.old.value, pair.new.value) for pair in found.figures] == [
        ("roc_auc", 0.7, 0.72),
        ("brier", 0.2, 0.19),
    ]


def test_nothing_differs_from_itself_and_what_is_not_recorded_is_no_difference() -> None:
    same = list_differences(OLD, replace(OLD, version=3))
    assert (same.has_same_rows, same.features_added, same.features_removed, same.params, same.configuration) == (
        True, (), {}, (), (),
    )  # fmt: skip
    bare = list_differences(OLD, RecordedTraining(3))
    assert (bare.has_same_rows, bare.has_same_definition, bare.configuration, bare.figures) == (None, None, (), ())


def test_of_two_definitions_only_the_views_are_told() -> None:
    old, new = '{"dataset": {"label": "a"}, "features": {"v": {"ttl": "1h"}}}', '{"dataset": {}, "features": {"v": {}}}'
    assert list(list_view_changes(old, new)) == [KeyChange("features.v.ttl", "1h", None)]


@pytest.mark.parametrize(
    ("metric", "difference", "verdict", "words"),
    [
        ("roc_auc", (0.012, 0.004, 0.02, 0.996), "better", "better by 0.0120 [0.0040, 0.0200]; better in 99.6%"),
        ("roc_auc", (-0.012, -0.02, -0.004, 0.0), "worse", "worse by 0.0120 [0.0040, 0.0200]; better in 0.0%"),
        ("log_loss", (-0.012, -0.02, -0.004, 1.0), "better", "better by 0.0120 [0.0040, 0.0200]; better in 100.0%"),
        ("log_loss", (0.012, 0.004, 0.02, 0.0), "worse", "worse by 0.0120 [0.0040, 0.0200]"),
        ("roc_auc", (0.003, -0.002, 0.008, 0.8), "no_difference", "could show: +0.0030 [-0.0020, +0.0080]"),
        ("log_loss", (0.003, -0.002, 0.008, 0.2), "no_difference", "could show: -0.0030 [-0.0080, +0.0020]"),
        ("roc_auc", (0.0, 0.0, 0.0, 0.5), "no_difference", "could show: +0.0000"),
        ("roc_auc", (0.1, None, None, None), "unclear", "it cannot be told: too few days"),
        ("roc_auc", (None, None, None, None), "unclear", "it cannot be told: too few days"),
    ],
)
def test_better_and_worse_are_said_only_where_the_interval_leaves_zero_out(
    metric: str, difference: tuple[float | None, ...], verdict: str, words: str
) -> None:
    value, lower, upper, confidence = difference
    found = Difference(0.7, 0.7, value, lower, upper, confidence)
    said = judge_difference(metric, found, reason="too few days")
    assert said[0] == verdict
    assert words in said[1]


def test_test_rows_are_later_only_when_the_first_comes_after_the_last_that_was_fitted() -> None:
    later = replace(NEW, period={"test": ["2024-02-10T00:00:01+00:00", "2024-03-01T00:00:00+00:00"]})
    assert is_later(later, OLD)
    assert not is_later(OLD, OLD)  # the same second: it may be the same row
    assert not is_later(replace(NEW, period={}), OLD)
    assert not is_later(later, replace(OLD, period={"test": ["2024-01-01T00:00:00+00:00", None]}))


def test_it_is_all_told_in_lines() -> None:
    gain = Difference(0.72, 0.7, 0.02, 0.01, 0.03, 1.0)
    found = conclude(Comparison(25, 9, 7, {"roc_auc": gain}, None), OLD, NEW, training_set="ts-b")
    lines = describe_comparison(TrainingComparison(list_differences(OLD, NEW), "Spark 4.2.0 -> 4.2.1", found), "shop")
    for line in (
        "shop version 2 -> version 3",
        "data: ts-a -> ts-b: other rows (aa -> bb), the same definition",
        "valid        15         -",
        "features: 3 -> 3",
        "  + age",
        "  - town: it has one value only",
        "num_leaves  7    31",
        "model.levels.at_most  9    20",
        "environment: Spark 4.2.0 -> 4.2.1",
        "figures, each on the test rows of its own training set:",
        "roc_auc  0.7000 [0.6500, 0.7500]  0.7200 [0.7000, 0.7400]",
    ):
        assert line in lines, "\n".join(lines)
    assert lines[-1] == (
        "version 3 against version 2 in roc_auc, on the same 25 test rows of ts-b, 7 days: better by 0.0200 [0.0100, 0.0300]; "
        "better in 100.0% of the resamples"
    )
    alike = describe_comparison(TrainingComparison(list_differences(OLD, OLD), "the same", None), "shop")
    assert {"features: the same 3", "parameters: the same", "configuration: the same"} <= set(alike)


def test_the_list_is_a_line_each() -> None:
    lines = describe_trainings([replace(OLD, rank=1, aliases=("champion",)), RecordedTraining(1, note="gone")], "shop")
    assert lines[2].split() == [
        "1", "2", "2024-03-01", "06:30:00", "ts-a", "lightgbm", "20", "(1", "failed)", "roc_auc", "0.7000", "[0.6500,", "0.7500]",
        "champion", "01234567",
    ]  # fmt: skip
    assert lines[3].split() == ["-", "1", "-", "-", "-", "-", "-", "gone"]
    assert describe_trainings([], "shop") == ["shop has no trained version yet. `sparkml-ops train shop` makes one."]
