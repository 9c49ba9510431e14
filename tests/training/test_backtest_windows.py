"""Windows of a backtest: rows before an origin are fitted on, those after it are judged, and nothing is both."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.dataset import Dataset
from sparkml_ops.errors import ConfigError
from sparkml_ops.training.backtest_summary import summarize_windows, tell_ageing
from sparkml_ops.training.backtest_windows import (
    BacktestPlan,
    PartCount,
    count_windows,
    deal_window,
    find_range,
    find_shortage,
    plan_windows,
)

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
BY_TIME = {"by": "time", "train_until": "2024-02-01", "valid_until": "2024-02-05", "embargo": "1d"}


def make_dataset(**keys: Any) -> Dataset:
    said = {"from": "orders", "entity": ["id"], "timestamp": "at", "label": "x > 1", "features": ["orders"]}
    return Dataset.model_validate({**said, "split": BY_TIME, **keys}, strict=False)


def plan_days(days: int, plan: BacktestPlan, dataset: Dataset) -> list[list[int]]:
    """Windows over so many days from START on, as days since then: fit_from, train_until, valid_from, fit_until, origin, until."""
    found = plan_windows(START, START + days * DAY - timedelta(microseconds=1), plan, dataset)
    names = ("fit_from", "train_until", "valid_from", "fit_until", "origin", "until")
    return [[(getattr(one, name) - START) // DAY for name in names] for one in found]


def test_windows_end_with_the_newest_row_and_leave_embargo_and_gap_out() -> None:
    plan = BacktestPlan(windows=3, every=10 * DAY)
    assert plan_days(60, plan, make_dataset(label_matures_after="2d")) == [
        [0, 23, 24, 28, 30, 40],  # the part valid is 4 days, as in the split
        [0, 33, 34, 38, 40, 50],
        [0, 43, 44, 48, 50, 60],
    ]


def test_rolling_windows_forget_and_a_hash_gives_a_fifth_to_the_part_valid() -> None:
    plan = BacktestPlan(windows=2, every=10 * DAY, window="rolling", length=20 * DAY)
    assert plan_days(60, BacktestPlan(1, 10 * DAY, "rolling", 999_999 * DAY), make_dataset())[0][0] == 0
    by_hash = make_dataset(split={"by": "hash", "of": ["id"]})
    assert plan_days(60, plan, by_hash) == [[20, 36, 36, 40, 40, 50], [30, 46, 46, 50, 50, 60]]


def test_by_default_the_later_half_is_judged() -> None:
    assert [one[-2:] for one in plan_days(80, BacktestPlan(windows=2), make_dataset())] == [[40, 60], [60, 80]]


def test_windows_that_leave_nothing_to_fit_on_are_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        plan_days(60, BacktestPlan(windows=6, every=10 * DAY), make_dataset())
    assert "6 windows of 10d and a gap of 1d leave no rows to fit on" in str(raised.value)
    assert "2024-01-01 00:00 to 2024-02-29 23:59 UTC, which is 60d. Ask for fewer or shorter windows." in str(
        raised.value
    )


def test_each_row_is_in_one_part_or_in_none(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(START + i * DAY, i % 2) for i in range(60)], "at timestamp, label int")
    assert find_range(rows, "at") == (START, START + 59 * DAY)
    windows = plan_windows(START, START + 60 * DAY, BacktestPlan(windows=1, every=10 * DAY), make_dataset())
    dealt = rows.withColumn("part", deal_window(windows[0], "at")).orderBy("at").collect()
    parts = ["train"] * 45 + [None] + ["valid"] * 4 + [None] + ["test"] * 9
    assert [row["part"] for row in dealt] == parts
    (counts,) = count_windows(rows, windows, "at")
    assert counts == {"train": (45, 22, 0.0, 1.0), "valid": (4, 2, 0.0, 1.0), "test": (9, 5, 0.0, 1.0)}
    assert find_shortage(counts | {"valid": PartCount(30, 30, 1.0, 1.0)}) == (
        "train has 45 rows to fit on, at least 50 are needed; all 30 labels of valid are 1, labels that differ are needed; "
        "test has 9 rows to judge on, at least 20 are needed"
    )


def test_names_of_classes_are_counted_and_one_alone_is_told(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(START + i * DAY, "plum" if i > 49 else ("1", "fig")[i % 2]) for i in range(60)], "at timestamp, label string"
    )
    windows = plan_windows(START, START + 60 * DAY, BacktestPlan(windows=1, every=10 * DAY), make_dataset())
    (counts,) = count_windows(rows, windows, "at")
    assert counts == {"train": (45, 0, "1", "fig"), "valid": (4, 0, "1", "fig"), "test": (9, 0, "plum", "plum")}
    enough = {"train": PartCount(60, 0, "1", "fig"), "valid": PartCount(30, 0, "1", "fig")}
    assert find_shortage(enough | {"test": PartCount(30, 0, "fig", "plum")}) is None
    assert find_shortage(enough | {"test": PartCount(30, 0, "plum", "plum")}) == (
        "all 30 labels of test are 'plum', labels that differ are needed"
    )


def make_figures(*pairs: tuple[float | None, float | None]) -> list[dict[str, Any]]:
    return [{"candidate": {"roc_auc": {"value": fresh}}, "first": {"roc_auc": {"value": old}}} for fresh, old in pairs]


def test_ageing_is_told_from_later_windows() -> None:
    aged = make_figures((0.8, None), (0.8, 0.75), (0.81, 0.75), (0.8, 0.73))
    assert tell_ageing(aged, "roc_auc").startswith(
        "it gets worse with age: the model of the first window, asked in the 3"
    )
    assert "loses 0.0600 [0.0352, 0.0848] of roc_auc" in tell_ageing(aged, "roc_auc")
    same = make_figures((0.8, 0.75), (0.75, 0.8), (0.8, 0.8))
    assert tell_ageing(same, "roc_auc").startswith("no ageing that these windows could show")
    assert "cannot be told from 1 windows" in tell_ageing(aged[:2], "roc_auc")


def test_a_summary_leaves_out_what_is_not_defined() -> None:
    found = summarize_windows(make_figures((0.8, None), (0.6, 0.7)), "roc_auc")
    assert (found["candidate"].mean, found["candidate"].windows) == (pytest.approx(0.7), 2)
    assert found["candidate"].deviation == pytest.approx(0.1414, abs=1e-4)
    assert (found["first"].mean, found["first"].deviation) == (0.7, None)
