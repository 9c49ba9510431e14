"""Spark's answers are those of the model itself, however the rows are spread."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.errors import ModelError
from sparkml_ops.models import PackagedModel, predict_rows
from sparkml_ops.models.bulk import _LOADED, _load_once
from sparkml_ops.models.encoder import EncodedColumn, FeatureEncoder
from sparkml_ops.models.package import dump_package


def answers(scored: DataFrame) -> np.ndarray:
    return scored.orderBy("id").toPandas()["prediction"].to_numpy()


def test_spark_answers_exactly_as_the_model(
    model: PackagedModel, flights: pd.DataFrame, flight_rows: DataFrame
) -> None:
    np.testing.assert_array_equal(answers(predict_rows(flight_rows, model)), model.predict(flights))


def test_the_answers_do_not_depend_on_partitions_or_on_the_order_of_columns(
    model: PackagedModel, flight_rows: DataFrame
) -> None:
    shuffled = flight_rows.select("gust", "carrier", "id", "hour").repartition(7, "carrier")
    np.testing.assert_array_equal(
        answers(predict_rows(shuffled, model)), answers(predict_rows(flight_rows.coalesce(1), model))
    )


def test_all_other_columns_are_kept(model: PackagedModel, flight_rows: DataFrame) -> None:
    at = F.timestamp_seconds("id").alias("at")
    rows = flight_rows.select("*", at, F.array("id", "id").alias("ids")).where("id < 5")
    scored = predict_rows(rows, model)
    assert scored.columns == [*rows.columns, "prediction"]
    assert scored.drop("prediction").collect() == rows.collect()


def test_reasons_are_those_of_the_model(model: PackagedModel, flights: pd.DataFrame, flight_rows: DataFrame) -> None:
    scored = predict_rows(flight_rows.where("id < 20"), model, explain=2).orderBy("id").collect()
    found = [[(reason["feature"], reason["contribution"]) for reason in row["reasons"]] for row in scored]
    assert found == model.explain(flights.head(20), top=2)


def test_a_model_without_contributions_gives_null_reasons_and_says_so(
    model: PackagedModel, flights: pd.DataFrame, flight_rows: DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    estimator = HistGradientBoostingClassifier(max_iter=3).fit(model.encoder.encode_frame(flights), flights["label"])
    forest = replace(model, kind="sklearn", estimator=estimator)
    scored = predict_rows(flight_rows.where("id < 3"), forest, explain=2).collect()
    assert [row["reasons"] for row in scored] == [None] * 3
    assert "reasons are null" in caplog.text


def test_no_rows_give_no_predictions(model: PackagedModel, flight_rows: DataFrame) -> None:
    assert predict_rows(flight_rows.where("id < 0"), model, explain=1).collect() == []


def test_missing_columns_are_all_named_before_any_job(model: PackagedModel, flight_rows: DataFrame) -> None:
    with pytest.raises(ModelError, match="lack 2 of 3 feature columns: gust, hour"):
        predict_rows(flight_rows.drop("gust", "hour"), model)


def test_columns_of_another_type_are_all_named(model: PackagedModel, flight_rows: DataFrame) -> None:
    swapped = flight_rows.select("id", F.col("hour").cast("string"), F.col("gust"), F.lit(3).alias("carrier"))
    with pytest.raises(ModelError, match="hour is string, trained as numeric; carrier is int, trained as categorical"):
        predict_rows(swapped, model)


def test_an_existing_prediction_is_not_overwritten(model: PackagedModel, flight_rows: DataFrame) -> None:
    with pytest.raises(ModelError, match="already have the columns prediction"):
        predict_rows(predict_rows(flight_rows, model), model)


def test_impossible_answers_stop_the_job_and_name_the_model(flight_rows: DataFrame) -> None:
    import lightgbm

    encoder = FeatureEncoder(columns=(EncodedColumn("hour", "numeric"),))
    data = lightgbm.Dataset(np.arange(100.0).reshape(-1, 1), np.arange(100.0))
    regression = lightgbm.train({"objective": "regression", "verbosity": -1, "num_threads": 1}, data, 3)
    wrong = PackagedModel("shop", "binary", "lightgbm", encoder, regression)
    with pytest.raises(PySparkException, match="Model shop answered 3000 of 3000 rows|Model shop answered"):
        predict_rows(flight_rows, wrong).collect()


def test_a_worker_parses_a_model_once(model: PackagedModel) -> None:
    reads = []

    def read() -> dict[str, bytes]:
        reads.append(1)
        return dump_package(model)

    try:
        assert _load_once("a digest of this test", read) is _load_once("a digest of this test", read)
    finally:
        _LOADED.pop("a digest of this test")
    assert len(reads) == 1
