"""On which slices a regression errs more than on all other rows: figures of scikit-learn, intervals by days, corrected p-values."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import root_mean_squared_error

from sparkml_ops.models import Figure, SliceFigure, judge_error_slices
from sparkml_ops.models.slices import MAX_VALUES


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Answers to carrier UA are three times as wrong; those to DL miss by a constant, and are no worse; gates are many."""
    random = np.random.default_rng(0)
    rows = 6000
    carrier = random.choice(["AA", "DL", "UA", None], rows, p=[0.5, 0.25, 0.15, 0.1])
    gate = [f"gate {number}" for number in random.geometric(0.05, rows)]
    label = random.normal(1e6, 50, rows)
    answer = label + random.normal(0, 10, rows) * np.where(carrier == "UA", 3, 1)
    at = [datetime(2024, 1, 1) + timedelta(hours=24 * 40 * i / rows) for i in range(rows)]
    return pd.DataFrame({"at": at, "carrier": carrier, "gate": gate, "label": label, "p": answer, "one": "same"})


@pytest.fixture(scope="module")
def judged(spark: SparkSession, frame: pd.DataFrame) -> list[SliceFigure]:
    rows = spark.createDataFrame(frame)
    rows = rows.union(rows.limit(20).withColumn("label", F.lit(None)))  # those without a label count nowhere
    return judge_error_slices(rows, by=["carrier", "gate", "one"], prediction="p", block="at", least=(40, 7))


def test_a_slice_has_the_error_of_its_rows_and_what_it_is_from_that_of_all_others(
    judged: list[SliceFigure], frame: pd.DataFrame
) -> None:
    found = {one.name: one for one in judged}
    assert [one.name for one in judged[:4]] == ["carrier=AA", "carrier=DL", "carrier=UA", "carrier is missing"]
    for name, inside in (("carrier=UA", frame["carrier"] == "UA"), ("carrier is missing", frame["carrier"].isna())):
        part, rest = frame[inside], frame[~inside]
        one = found[name]
        errors = [root_mean_squared_error(rows["label"], rows["p"]) for rows in (part, rest)]
        assert (one.rows, one.positives) == (len(part), None)
        assert one.figure.value == pytest.approx(errors[0], rel=1e-9)
        assert one.difference.value == pytest.approx(errors[0] - errors[1], rel=1e-9)
        assert one.difference.lower < one.difference.value < one.difference.upper


def test_only_the_slice_with_larger_errors_is_called_worse(judged: list[SliceFigure]) -> None:
    assert [one.name for one in judged if one.is_worse] == ["carrier=UA"]
    told = [one for one in judged if one.p_value is not None]
    assert min(one.p_value for one in told if one.column == "gate") < 0.2  # of many some look bad
    assert all(one.corrected >= one.p_value for one in told)


def test_rare_values_are_one_slice_together_and_one_of_all_rows_differs_from_nothing(
    judged: list[SliceFigure], frame: pd.DataFrame
) -> None:
    gates = [one for one in judged if one.column == "gate"]
    counts = frame["gate"].value_counts()
    kept = counts[counts >= 40].sort_index().sort_values(ascending=False, kind="stable")[:MAX_VALUES]
    assert {one.value: one.rows for one in gates if not one.is_others} == kept.to_dict()
    assert gates[-1].name == "gate: others"
    (same,) = (one for one in judged if one.column == "one")
    assert (same.difference, same.p_value, same.is_worse) == (Figure(None, None, None), None, False)


def test_small_slices_are_left_out_and_few_days_tell_no_interval(spark: SparkSession, frame: pd.DataFrame) -> None:
    days = frame["at"].dt.floor("D").rank(method="dense")
    rows = spark.createDataFrame(frame.assign(town=np.where(days <= 2, "Ulm", "Bonn")))
    found = judge_error_slices(rows, by=["town"], prediction="p", block="at", least=(100, 7))
    assert [one.name for one in found] == ["town=Bonn", "town=Ulm"]
    assert (found[1].figure.lower, found[1].difference.lower, found[1].p_value) == (None, None, None)
    assert judge_error_slices(rows, by=["town"], prediction="p", block="at", least=(10_000, 7)) == []
