"""What is told of a model over many rows is what each row alone says, summed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models import PackagedModel, draw_rows, explain_model, fit_reference, predict_rows
from sparkml_ops.models.explained_rows import EXPLAINED_ROWS, LEAST_ROWS, choose_sample_size
from sparkml_ops.models.explanation import Explanation


@pytest.fixture(scope="module")
def explained(model: PackagedModel, flight_rows: DataFrame) -> Explanation:
    found = explain_model(flight_rows, model, fit_reference(flight_rows, model.feature_columns))
    assert found is not None
    return found


def find_contributions(model: PackagedModel, flights: pd.DataFrame) -> pd.DataFrame:
    """By LightGBM itself; the flag of missing gusts added to the gust."""
    raw = model.estimator.predict(model.encoder.encode_frame(flights), pred_contrib=True)
    return pd.DataFrame({"hour": raw[:, 0], "carrier": raw[:, 1], "gust": raw[:, 2] + raw[:, 3]})


def test_importance_is_the_mean_size_of_the_shapley_values(
    explained: Explanation, model: PackagedModel, flights: pd.DataFrame
) -> None:
    wanted = find_contributions(model, flights).abs().mean()
    assert (explained.method, explained.rows) == ("shap", len(flights))
    assert {column.name: column.importance for column in explained.features} == pytest.approx(dict(wanted), rel=1e-5)
    assert [column.name for column in explained.features] == list(wanted.sort_values(ascending=False).index)


def test_dependence_has_tenths_levels_and_missing_values(
    explained: Explanation, model: PackagedModel, flights: pd.DataFrame
) -> None:
    contributions = find_contributions(model, flights)
    columns = {column.name: column for column in explained.features}
    for column in columns.values():
        assert sum(group.rows for group in column.groups) == len(flights)
        total = sum(group.rows * group.mean_contribution for group in column.groups)
        assert total == pytest.approx(contributions[column.name].sum(), abs=1e-2)
    gusts = columns["gust"].groups
    missing = flights["gust"].isna()
    assert (gusts[-1].kind, gusts[-1].rows) == ("missing", missing.sum())
    assert gusts[-1].mean_contribution == pytest.approx(contributions["gust"][missing].mean(), rel=1e-4)
    first = flights["gust"] <= gusts[0].upper
    assert gusts[0].mean_value == pytest.approx(flights["gust"][first].mean(), rel=1e-5)
    united = next(group for group in columns["carrier"].groups if group.level == "UA")
    of_united = contributions["carrier"][flights["carrier"] == "UA"]
    assert (united.rows, united.mean_contribution) == (len(of_united), pytest.approx(of_united.mean(), rel=1e-5))
    hours = columns["hour"].groups
    assert hours[0].mean_contribution < -1 < 1 < hours[-1].mean_contribution


def test_reasons_of_a_row_are_its_exact_shapley_values(
    model: PackagedModel, flights: pd.DataFrame, flight_rows: DataFrame
) -> None:
    raw = model.estimator.predict(model.encoder.encode_frame(flights.head(20)), pred_contrib=True)[:, :-1]
    scored = predict_rows(flight_rows.where("id < 20"), model, explain=4).orderBy("id").collect()
    for row, wanted in zip(scored, raw, strict=True):
        found = {reason["feature"]: reason["contribution"] for reason in row["reasons"]}
        assert [found[name] for name in model.encoder.encoded_columns] == wanted.tolist()


def test_a_linear_model_is_explained_around_its_mean(
    model: PackagedModel, flights: pd.DataFrame, flight_rows: DataFrame
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    hours = replace(model.encoder, columns=model.encoder.columns[:1])
    matrix = hours.encode_frame(flights)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(matrix, flights["label"])
    linear = replace(model, kind="sklearn", encoder=hours, estimator=fitted)
    found = explain_model(flight_rows, linear, fit_reference(flight_rows, ["hour"]))
    slope = fitted[-1].coef_[0, 0] / flights["hour"].std(ddof=0)
    wanted = (slope * (flights["hour"] - flights["hour"].mean())).abs().mean()
    assert found is not None
    assert (found.method, found.features[0].importance) == ("linear", pytest.approx(wanted, rel=1e-5))


def test_personal_values_are_withheld_and_infinity_is_missing(model: PackagedModel, flight_rows: DataFrame) -> None:
    rows = flight_rows.withColumn("gust", F.when(F.col("id") == 3, F.lit(float("inf"))).otherwise(F.col("gust")))
    found = explain_model(rows, model, fit_reference(rows, model.feature_columns), withhold={"carrier"})
    assert found is not None
    groups = {column.name: column.groups for column in found.features}
    assert groups["carrier"] == ()
    nulls = rows.where("gust is null").count()
    assert groups["gust"][-1].rows in (nulls, nulls + 1)
    assert all(np.isfinite(group.mean_value) for group in groups["gust"] if group.mean_value is not None)


def test_the_same_rows_are_drawn_however_they_lie(flight_rows: DataFrame) -> None:
    drawn = {row["id"] for row in draw_rows(flight_rows, ["id"], known=3000, most=600).collect()}
    again = {row["id"] for row in draw_rows(flight_rows.repartition(5), ["id"], known=3000, most=600).collect()}
    assert drawn == again
    assert 500 < len(drawn) < 700
    assert draw_rows(flight_rows, ["id"], known=3000, most=3000) is flight_rows


def test_large_forests_are_explained_on_fewer_rows(model: PackagedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_sample_size(model) == EXPLAINED_ROWS
    monkeypatch.setattr("sparkml_ops.models.kinds.lightgbm.count_contribution_steps", lambda _: 10**9)
    assert choose_sample_size(model) == LEAST_ROWS


def test_a_model_that_does_not_say_and_no_rows_give_nothing(
    model: PackagedModel, flights: pd.DataFrame, flight_rows: DataFrame
) -> None:
    import lightgbm

    reference = fit_reference(flight_rows, model.feature_columns)
    assert explain_model(flight_rows.where("id < 0"), model, reference) is None
    matrix = np.nan_to_num(model.encoder.encode_frame(flights))
    data = lightgbm.Dataset(matrix, flights["label"])
    leaves = lightgbm.train({"objective": "binary", "linear_tree": True, "verbosity": -1}, data, 3)
    loaded = lightgbm.Booster(model_str=leaves.model_to_string())
    for estimator in (leaves, loaded):  # LightGBM has no contributions of linear leaves
        assert explain_model(flight_rows, replace(model, estimator=estimator), reference) is None
