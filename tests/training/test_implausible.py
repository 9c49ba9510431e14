"""Numbers as labels that nobody believes: planted ones are found, and honest noise with long tails is not."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.training.implausible import OUTLYING, express_distance, find_implausible, learn_plausible

ROWS = 4000


def make_answers(seed: int = 0) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.random.default_rng(seed).uniform(10, 1000, ROWS)


@pytest.mark.parametrize("share", [0.03, 0.05])
def test_labels_in_another_unit_are_found_and_no_others(share: float) -> None:
    """Errors are a tenth of what is predicted; some labels are written down in hours, others in minutes."""
    random, answers = np.random.default_rng(1), make_answers()
    sound = answers * random.normal(1, 0.1, ROWS)
    wrong = random.random(ROWS) < share
    found = find_implausible(np.where(wrong, sound / 60, sound), answers)
    assert wrong[found].all()
    assert len(found) > 0.8 * wrong.sum()


@pytest.mark.parametrize("tail", ["normal", "laplace", "exponential", "standard_t", "lognormal", "mostly_zero"])
def test_honest_noise_is_below_the_share_that_is_told(tail: str) -> None:
    random, answers = np.random.default_rng(2), make_answers()
    noise = {
        "standard_t": lambda: random.standard_t(3, ROWS),
        "mostly_zero": lambda: np.where(random.random(ROWS) < 0.15, 500.0, 0.0),
    }.get(tail, lambda: getattr(random, tail)(size=ROWS))()
    assert len(find_implausible(answers + 20 * noise, answers)) < 0.02 * ROWS


def test_the_farthest_comes_first_and_the_formula_is_the_modified_z_score() -> None:
    residuals = np.concatenate([np.linspace(-1, 1, 99), [30.0, -40.0]])
    answers = np.full(101, 5.0)
    labels = answers + residuals
    assert find_implausible(labels, answers).tolist() == [100, 99]
    plausible = learn_plausible(labels, answers)
    mad = np.median(np.abs(residuals - np.median(residuals)))
    robust, plain = OUTLYING * mad / 0.6745, 3 * np.std(residuals)
    assert plausible.limits[0] == pytest.approx(max(robust, plain))
    assert plausible.centres[0] == pytest.approx(np.median(residuals))


def test_a_model_without_any_error_believes_all_labels_and_few_rows_break_nothing() -> None:
    same = np.arange(300.0)
    assert find_implausible(same, same).tolist() == []
    assert find_implausible(np.zeros(0), np.zeros(0)).tolist() == []
    assert find_implausible(np.array([1.0]), np.array([9.0])).tolist() == []
    most = np.where(np.arange(300) == 7, 900.0, 0.0)
    assert find_implausible(most, np.zeros(300)).tolist() == [7]  # more than half of all errors are 0


def test_spark_measures_the_same(spark: SparkSession) -> None:
    random, answers = np.random.default_rng(3), make_answers()
    labels = answers * random.normal(1, 0.1, ROWS)
    plausible = learn_plausible(labels, answers)
    assert len(plausible.edges) == 9
    rows = spark.createDataFrame(pd.DataFrame({"label": labels, "prediction": answers}))
    asked = rows.select(
        "label", "prediction", express_distance(plausible, F.col("label"), F.col("prediction")).alias("far")
    )
    found = asked.toPandas()
    np.testing.assert_allclose(
        found["far"], plausible.measure(found["label"].to_numpy(), found["prediction"].to_numpy())
    )
