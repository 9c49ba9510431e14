"""Slices are judged in Spark; their figures are those of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import roc_auc_score

from sparkml_ops.errors import ModelError
from sparkml_ops.models import compare_slices


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = 4000
    score = random.normal(0, 1, rows)
    carrier = random.choice(["AA", "DL", "UA"], rows, p=[0.6, 0.3, 0.1])
    label = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    worse_for_ua = np.where(carrier == "UA", random.normal(0, 1, rows), score)
    sigmoid = [1 / (1 + np.exp(-values)) for values in (worse_for_ua, score)]
    return pd.DataFrame(
        {"carrier": carrier, "weekend": random.random(rows) < 0.3, "label": label, "new": sigmoid[0], "old": sigmoid[1]}
    )


@pytest.fixture(scope="module")
def scored(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(frame).cache()


def test_each_slice_has_the_figures_of_its_rows(scored: DataFrame, frame: pd.DataFrame) -> None:
    found = compare_slices(scored, by=["carrier", "weekend"], label="label", candidate="new", champion="old")
    assert [(s.column, s.value) for s in found] == [
        ("weekend", "false"), ("carrier", "AA"), ("carrier", "DL"), ("weekend", "true"), ("carrier", "UA"),
    ]  # fmt: skip
    for part in found:
        rows = frame[frame[part.column].astype(str).str.lower() == str(part.value).lower()]
        assert part.rows == len(rows)
        assert part.candidate == pytest.approx(roc_auc_score(rows["label"], rows["new"]), abs=1e-3)
        assert part.champion == pytest.approx(roc_auc_score(rows["label"], rows["old"]), abs=1e-3)


def test_the_slice_that_loses_is_found(scored: DataFrame) -> None:
    found = compare_slices(scored, by=["carrier"], label="label", candidate="new", champion="old")
    assert [s.value for s in found if s.loss > 0.05] == ["UA"]


def test_small_slices_are_left_out(scored: DataFrame) -> None:
    found = compare_slices(scored, by=["carrier"], label="label", candidate="new", champion="old", minimum_rows=1000)
    assert [s.value for s in found] == ["AA", "DL"]


def test_a_slice_of_one_class_has_no_figures_and_a_null_is_a_slice(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(None, 0, 0.1, 0.2), (None, 1, 0.3, 0.1), ("x", 1, 0.5, 0.5)], "k string, label int, new double, old double"
    )
    nulls, ones = compare_slices(rows, by=["k"], label="label", candidate="new", champion="old")
    assert (nulls.value, nulls.rows, nulls.candidate, nulls.champion, nulls.loss) == (None, 2, 1.0, 0.0, -1.0)
    assert (ones.value, ones.candidate, ones.loss) == ("x", None, None)


def test_a_missing_prediction_is_refused(scored: DataFrame) -> None:
    broken = scored.selectExpr("carrier", "label", "new", "if(carrier = 'UA', null, old) as old")
    with pytest.raises(ModelError, match="The slice carrier = UA cannot be judged"):
        compare_slices(broken, by=["carrier"], label="label", candidate="new", champion="old")
