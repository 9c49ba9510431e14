"""The threshold of least cost, and what the classes are worth there, against slow loops and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from sparkml_ops.models import Threshold, choose_threshold, measure_operating_point, recorded_threshold
from sparkml_ops.models.card_decisions import list_gain
from sparkml_ops.models.operating_point import OUTCOMES, derive_threshold

COSTS = {"false_positive": 1.0, "false_negative": 5.0, "true_positive": 0.0, "true_negative": 0.0}


def cost_at(threshold: float, probabilities: np.ndarray, labels: np.ndarray, costs: dict[str, float]) -> float:
    total = 0.0
    for p, label in zip(probabilities, labels, strict=True):
        name = ("true" if (p >= threshold) == (label == 1) else "false") + (
            "_positive" if p >= threshold else "_negative"
        )
        total += costs.get(name, 0.0)
    return total


pairs = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5 + 2**-53, 0.9, 1.0]), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)
costs_of = st.fixed_dictionaries(
    {"false_positive": st.floats(0.1, 9), "false_negative": st.floats(0.1, 9), "true_positive": st.floats(-3, 0)}
)


@given(pairs, costs_of)
def test_no_threshold_costs_less(rows: list[tuple[float, int]], costs: dict[str, float]) -> None:
    probabilities, labels = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    found = choose_threshold(probabilities, labels, costs)
    assert 0 < found <= 1
    tried = [cost_at(t, probabilities, labels, costs) for t in (*probabilities[probabilities > 0], 1e-300, 1.0)]
    assert cost_at(found, probabilities, labels, costs) == pytest.approx(min(tried), abs=1e-9)


def test_of_calibrated_probabilities_the_threshold_is_elkans() -> None:
    random = np.random.default_rng(0)
    probabilities = random.random(200_000)
    labels = (random.random(200_000) < probabilities).astype(np.float64)
    assert derive_threshold(COSTS) == pytest.approx(1 / 6)
    assert choose_threshold(probabilities, labels, COSTS) == pytest.approx(1 / 6, abs=0.02)
    # answers that are all too low have another one
    assert choose_threshold(probabilities / 2, labels, COSTS) == pytest.approx(1 / 12, abs=0.01)
    gains = {"false_positive": 1.0, "false_negative": 0.0, "true_positive": -3.0}
    assert derive_threshold(gains) == pytest.approx(0.25)


def test_where_nothing_tells_thresholds_apart_elkans_is_taken() -> None:
    assert choose_threshold(np.array([0.0, 1.0]), np.array([0.0, 1.0]), COSTS) == 0.5
    assert choose_threshold(np.array([0.5]), np.array([1.0]), COSTS) == 0.25


def test_outcomes_and_figures_are_those_of_sklearn(spark: SparkSession) -> None:
    random = np.random.default_rng(1)
    p = random.random(5000).round(2)
    label = (random.random(5000) < p).astype(int)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 40, 5000), unit="D")
    frame = pd.DataFrame({"p": p, "label": label.astype(float), "at": day})
    frame.loc[:10, "label"] = np.nan
    rows = spark.createDataFrame(frame).selectExpr("p", "at", "if(isnan(label), null, label) AS label")
    threshold = Threshold(0.3, COSTS)
    found = measure_operating_point(rows, threshold, label="label", prediction="p", block="at", seed=0)
    judged = frame.dropna()
    told, truth = (judged["p"] >= 0.3).astype(int), judged["label"].astype(int)
    calm, alarm, miss, hit = confusion_matrix(truth, told).ravel()
    assert found.outcomes == dict(zip(OUTCOMES, (hit, alarm, miss, calm), strict=True))
    values = {name: figure.value for name, figure in found.figures.items()}
    assert values == {
        "precision": pytest.approx(precision_score(truth, told)),
        "recall": pytest.approx(recall_score(truth, told)),
        "specificity": pytest.approx(calm / (calm + alarm)),
        "accuracy": pytest.approx((hit + calm) / len(judged)),
        "f1": pytest.approx(f1_score(truth, told)),
        "cost_per_row": pytest.approx((alarm + 5 * miss) / len(judged)),
    }
    for figure in found.figures.values():
        assert figure.lower is not None
        assert figure.upper is not None
        assert figure.value is not None
        assert figure.lower < figure.value < figure.upper


def test_what_is_not_defined_is_no_figure(spark: SparkSession) -> None:
    rows = spark.sql("SELECT 0.2D AS p, 0 AS label, DATE'2024-01-01' AS at")
    found = measure_operating_point(rows, Threshold(), label="label", prediction="p", block="at", seed=0)
    assert found.outcomes["true_negative"] == 1
    assert found.figures["precision"].value is None
    assert found.figures["accuracy"].value == 1.0
    assert found.figures["accuracy"].lower is None  # one day is no basis for an interval
    assert "cost_per_row" not in found.figures


def test_a_version_of_an_earlier_release_has_the_threshold_that_it_had() -> None:
    assert recorded_threshold({}) == 0.5
    assert recorded_threshold({"operating_point": {"threshold": {"value": 0.2, "costs": {}}}}) == 0.2


def test_gain_and_lift_are_counted_from_the_highest_predictions_on() -> None:
    groups = [{"rows": 50, "observed": 0.1}, {"rows": 30, "observed": 0.0}, {"rows": 20, "observed": 0.75}]
    assert list(list_gain(groups)) == [
        (pytest.approx(0.2), pytest.approx(0.75), pytest.approx(3.75)),
        (pytest.approx(0.5), pytest.approx(0.75), pytest.approx(1.5)),
        (pytest.approx(1.0), pytest.approx(1.0), pytest.approx(1.0)),
    ]
    assert list(list_gain([])) == []
    assert list(list_gain([{"rows": 5, "observed": 0.0}])) == []
