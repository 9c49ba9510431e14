"""Business figures: sums over sums, with the intervals that all figures have."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.evaluation import Kpi
from sparkml_ops.config.sql import list_map_keys
from sparkml_ops.models import Figure, Threshold, add_kpi_terms, measure_kpis, measure_operating_point

COSTS = {"false_positive": 1.0, "false_negative": 5.0}
KPIS = {
    "cost": Kpi(
        value="CASE WHEN predicted_class = 1 AND label = 0 THEN 1 WHEN predicted_class = 0 AND label = 1 THEN 5 ELSE 0 END",
        better="lower",
    ),
    "saved_share": Kpi(value="predicted_class * label * amount", per="label * amount", better="higher"),
    "precision": Kpi(value="CASE WHEN predicted_class = 1 THEN label END", better="higher"),
    "by_zero": Kpi(value="amount / (predicted_class - predicted_class)", better="higher"),
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    p = random.random(1200)
    at = [datetime(2024, 1, 1) + timedelta(minutes=12 * i) for i in range(1200)]
    label = (random.random(1200) < p).astype(int)
    return pd.DataFrame({"at": at, "p": p, "flat": 0.3, "label": label, "amount": random.exponential(10, 1200)})


def test_figures_are_ratios_of_sums_by_model(spark: SparkSession, frame: pd.DataFrame) -> None:
    rows = spark.createDataFrame(frame)
    termed = add_kpi_terms(rows, KPIS, thresholds={"p": 0.6, "flat": 0.5})
    assert termed.columns[:5] == rows.columns
    found = measure_kpis(termed, KPIS, models=["p", "flat"], block="at", seed=3)
    taken, hit = frame["p"] >= 0.6, frame["label"] == 1
    saved = frame.loc[taken & hit, "amount"].sum() / frame.loc[hit, "amount"].sum()
    assert found["saved_share"].figures["p"].value == pytest.approx(saved)
    assert found["precision"].figures["p"].value == pytest.approx(frame.loc[taken, "label"].mean())
    assert found["precision"].figures["flat"] == Figure(
        None, None, None
    )  # it takes no row: there is nothing to divide by
    assert found["saved_share"].figures["flat"].value == 0
    assert set(found["by_zero"].figures.values()) == {Figure(None, None, None)}


def test_the_interval_is_that_of_the_same_figure_elsewhere(spark: SparkSession, frame: pd.DataFrame) -> None:
    rows = spark.createDataFrame(frame)
    termed = add_kpi_terms(rows, {"cost": KPIS["cost"]}, thresholds={"p": 0.6})
    found = measure_kpis(termed, {"cost": KPIS["cost"]}, models=["p"], block="at", seed=3)["cost"].figures["p"]
    point = measure_operating_point(
        rows, Threshold(0.6, COSTS), label="label", prediction="p", block="at", seed=3
    ).figures["cost_per_row"]
    assert (found.value, found.lower, found.upper) == pytest.approx((point.value, point.lower, point.upper))


def test_of_several_classes_a_figure_reads_names_and_the_probability_of_each(spark: SparkSession) -> None:
    """`narrow` does not know the class pear, whose probability is 0 there and not null: its rows are not left out."""
    names = ["apple", "fig", "pear"]
    random = np.random.default_rng(1)
    p = random.dirichlet([1, 1, 1], 600)
    labels, amounts = random.choice(3, 600), random.exponential(10, 600)
    narrow = p[:, :2] / p[:, :2].sum(axis=1, keepdims=True)
    rows = spark.createDataFrame(
        [
            (datetime(2024, 1, 1) + timedelta(minutes=24 * i), names[labels[i]], float(amounts[i]), dict(zip(names, map(float, p[i]), strict=True)),
             dict(zip(names[:2], map(float, narrow[i]), strict=True)))
            for i in range(600)
        ],
        "at timestamp, label string, amount double, p map<string,double>, narrow map<string,double>",
    )  # fmt: skip
    kpis = {
        "right": Kpi(value="CASE WHEN predicted_label = label THEN amount ELSE 0 END", per="amount", better="higher"),
        "pear": Kpi(value="probabilities['pear']", better="higher"),
        "of_label": Kpi(value="probabilities[label]", better="higher"),
        "doubt": Kpi(value="1 - prediction", better="lower"),
    }
    termed = add_kpi_terms(rows, kpis, thresholds={"p": None, "narrow": None})
    assert termed.columns[:5] == rows.columns
    found = measure_kpis(termed, kpis, models=["p", "narrow"], block="at", seed=3)
    hits = p.argmax(axis=1) == labels
    of_label = np.where(labels < 2, narrow[np.arange(600), np.minimum(labels, 1)], 0.0)
    expected = {
        ("right", "p"): amounts[hits].sum() / amounts.sum(),
        ("pear", "p"): p[:, 2].mean(),
        ("pear", "narrow"): 0.0,
        ("of_label", "p"): p[np.arange(600), labels].mean(),
        ("of_label", "narrow"): of_label.mean(),
        ("doubt", "narrow"): 1 - narrow.max(axis=1).mean(),
    }
    for (name, model), value in expected.items():
        figure = found[name].figures[model]
        assert figure.value == pytest.approx(value), (name, model)
        assert figure.lower is not None
        assert figure.upper is not None
        assert figure.lower <= figure.value <= figure.upper


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("probabilities['a'] + PROBABILITIES['it\\'s'] - probabilities['a']", ("a", "it's")),
        ("CASE WHEN label = 'b' THEN probabilities.a ELSE 0 END", ("a",)),
        ("element_at(probabilities, 'a') * try_element_at(probabilities, 'c')", ("a", "c")),
        ("probabilities[label] * (predicted_label = 'b')", ()),
        ("coalesce(town['a'], 0)", ()),
    ],
)
def test_the_classes_that_are_asked_for_by_name_are_found(sql: str, names: tuple[str, ...]) -> None:
    assert list_map_keys(sql, "probabilities") == names
