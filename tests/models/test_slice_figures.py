"""Which slices are worse than all other rows: figures of scikit-learn, intervals by days, p-values corrected for their number."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import log_loss, roc_auc_score

from sparkml_ops.models import Figure, SliceFigure, judge_slices
from sparkml_ops.models.slice_figures import correct_slices
from sparkml_ops.models.slices import MAX_VALUES


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Carrier UA is answered by chance; gates are many, and say nothing."""
    random = np.random.default_rng(0)
    rows = 6000
    score = random.normal(0, 1, rows)
    carrier = random.choice(["AA", "DL", "UA", None], rows, p=[0.5, 0.25, 0.15, 0.1])
    gate = [f"gate {number}" for number in random.geometric(0.05, rows)]
    label = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    answer = np.where(carrier == "UA", random.normal(0, 1, rows), score)
    at = [datetime(2024, 1, 1) + timedelta(hours=24 * 40 * i / rows) for i in range(rows)]
    return pd.DataFrame(
        {"at": at, "carrier": carrier, "gate": gate, "label": label, "p": 1 / (1 + np.exp(-answer)), "one": "same"}
    )


@pytest.fixture(scope="module")
def judged(spark: SparkSession, frame: pd.DataFrame) -> list[SliceFigure]:
    rows: DataFrame = spark.createDataFrame(frame)
    return judge_slices(
        rows, by=["carrier", "gate", "one"], prediction="p", block="at", metric="roc_auc", least=(40, 7)
    )


def test_a_slice_has_the_figure_of_its_rows_and_what_it_is_from_that_of_all_others(
    judged: list[SliceFigure], frame: pd.DataFrame
) -> None:
    found = {one.name: one for one in judged}
    assert [one.name for one in judged[:4]] == ["carrier=AA", "carrier=DL", "carrier=UA", "carrier is missing"]
    for name, inside in (("carrier=UA", frame["carrier"] == "UA"), ("carrier is missing", frame["carrier"].isna())):
        part, rest = frame[inside], frame[~inside]
        one = found[name]
        auc = roc_auc_score(part["label"], part["p"])
        assert (one.rows, one.positives) == (len(part), part["label"].sum())
        assert one.figure.value == pytest.approx(auc, abs=2e-3)
        assert one.difference.value == pytest.approx(auc - roc_auc_score(rest["label"], rest["p"]), abs=3e-3)
        assert one.difference.lower < one.difference.value < one.difference.upper


def test_only_the_slice_that_was_spoiled_is_called_worse(judged: list[SliceFigure]) -> None:
    assert [one.name for one in judged if one.is_worse] == ["carrier=UA"]
    ua = next(one for one in judged if one.is_worse)
    assert ua.p_value <= ua.corrected < 1e-6
    told = [one for one in judged if one.p_value is not None]
    assert min(one.p_value for one in told if one.column == "gate") < 0.2  # of many some look bad
    assert all(one.corrected >= one.p_value for one in told)


def test_rare_values_are_one_slice_together(judged: list[SliceFigure], frame: pd.DataFrame) -> None:
    gates = [one for one in judged if one.column == "gate"]
    counts = frame["gate"].value_counts()
    kept = counts[counts >= 40].sort_index().sort_values(ascending=False, kind="stable")[:MAX_VALUES]
    assert {one.value: one.rows for one in gates if not one.is_others} == kept.to_dict()
    assert gates[-1].name == "gate: others"
    assert sum(one.rows for one in gates) == len(frame)


def test_a_slice_of_all_rows_differs_from_nothing(judged: list[SliceFigure]) -> None:
    (same,) = (one for one in judged if one.column == "one")
    assert same.figure.value is not None
    assert (same.difference, same.p_value, same.is_worse) == (Figure(None, None, None), None, False)


def test_small_slices_single_classes_and_few_days(spark: SparkSession, frame: pd.DataFrame) -> None:
    days = frame["at"].dt.floor("D").rank(method="dense")
    town = np.select([days <= 2, frame["label"] == 1], ["Ulm", "only ones"], "only zeros")
    rows = spark.createDataFrame(frame.assign(town=town))
    asked = {"prediction": "p", "block": "at", "metric": "log_loss"}
    (ulm,) = judge_slices(rows, by=["town"], least=(100, 7), **asked)
    part = frame[town == "Ulm"]
    assert ulm.name == "town=Ulm"
    assert ulm.figure.value == pytest.approx(log_loss(part["label"], part["p"]))
    assert (ulm.figure.lower, ulm.difference.lower, ulm.p_value) == (None, None, None)  # two days tell no interval
    assert judge_slices(rows, by=["town"], least=(10_000, 7), **asked) == []  # all are others, and these all rows


def make_slice(p_value: float | None, difference: float) -> SliceFigure:
    gap = Figure(difference, None, None)
    return SliceFigure("c", "v", is_others=False, rows=9, positives=3, figure=gap, difference=gap, p_value=p_value)


def test_p_values_are_corrected_as_benjamini_and_hochberg_do() -> None:
    slices = [make_slice(p, -0.1) for p in (0.01, 0.02, 0.03, 0.5)] + [make_slice(None, -0.1)]
    found = correct_slices(slices, metric="roc_auc")
    assert [one.corrected for one in found] == pytest.approx([0.04, 0.04, 0.04, 0.5, None])
    assert [one.is_worse for one in found] == [True, True, True, False, False]
    assert not any(one.is_worse for one in correct_slices(slices, metric="log_loss"))  # there less is better
    assert correct_slices([], metric="roc_auc") == []
