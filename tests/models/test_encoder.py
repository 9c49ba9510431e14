"""Rows become numbers by what the training rows taught, and by nothing else."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.features import Impute
from sparkml_ops.config.model import Levels
from sparkml_ops.errors import ModelError
from sparkml_ops.models import FeatureEncoder, fit_encoder

NAN = float("nan")


@pytest.fixture(scope="module")
def encoder(spark: SparkSession) -> FeatureEncoder:
    rows = spark.createDataFrame(
        [(1.0, "b", 10, True), (2.0, "a", None, None), (9.0, "b", 30, False), (NAN, None, 30, True)],
        "x double, s string, n int, f boolean",
    )
    impute = {
        "x": Impute.model_validate({"with": "median", "flag": True}),
        "s": Impute.model_validate({"with": "most_frequent"}),
        "not_a_feature_of_this_model": Impute.model_validate({"with": "mean"}),
    }
    return fit_encoder(rows, ["x", "s", "n", "f"], impute=impute)


def test_columns_come_in_order_and_flags_behind_them(encoder: FeatureEncoder) -> None:
    assert encoder.encoded_columns == ["x", "s", "n", "f", "x__missing"]
    assert encoder.categorical_positions == [1]


def test_missing_values_are_filled_or_stay_missing(encoder: FeatureEncoder) -> None:
    frame = pd.DataFrame({"f": [True, None], "n": [7, None], "s": ["a", None], "x": [4.0, np.inf], "other": [1, 2]})
    expected = [[4.0, 0.0, 7.0, 1.0, 0.0], [2.0, 1.0, NAN, NAN, 1.0]]
    np.testing.assert_array_equal(encoder.encode_frame(frame), expected)


def test_an_unseen_level_is_missing(encoder: FeatureEncoder) -> None:
    plain = FeatureEncoder.from_dict({"columns": [{**encoder.to_dict()["columns"][1], "fill": None}]})
    encoded = plain.encode_frame(pd.DataFrame({"s": ["a", "b", "never seen", "B"]}))
    np.testing.assert_array_equal(encoded[:, 0], [0.0, 1.0, NAN, NAN])


def test_the_encoder_survives_json(encoder: FeatureEncoder) -> None:
    assert FeatureEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))) == encoder


def test_a_batch_and_a_frame_give_the_same_numbers(encoder: FeatureEncoder) -> None:
    frame = pd.DataFrame({"x": [1.5, None], "s": ["b", "a"], "n": [1, 2], "f": [False, True]})
    batch = pa.RecordBatch.from_pandas(frame[["f", "s", "x", "n"]].assign(n=frame["n"].astype("int32")))
    np.testing.assert_array_equal(encoder.encode_batch(batch), encoder.encode_frame(frame))


def test_all_missing_columns_are_named_at_once(encoder: FeatureEncoder) -> None:
    with pytest.raises(ModelError, match=r"lack 2 of 4 feature columns: n, s"):
        encoder.encode_frame(pd.DataFrame({"x": [1.0], "f": [True]}))


def test_text_where_a_number_is_expected_is_refused(encoder: FeatureEncoder) -> None:
    with pytest.raises(ModelError, match="cannot be read as the model's features"):
        encoder.encode_frame(pd.DataFrame({"x": ["much"], "s": ["a"], "n": [1], "f": [True]}))


def test_a_constant_that_no_training_row_had_becomes_a_level(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a",), (None,)], "s string")
    impute = {"s": Impute.model_validate({"with": "constant", "value": "none"})}
    encoded = fit_encoder(rows, ["s"], impute=impute).encode_frame(pd.DataFrame({"s": ["a", None]}))
    np.testing.assert_array_equal(encoded[:, 0], [0.0, 1.0])


def test_a_timestamp_is_no_feature(spark: SparkSession) -> None:
    rows = spark.sql("select timestamp'2013-01-01' as at, 1 as x")
    with pytest.raises(ModelError, match=r"at \(timestamp\)"):
        fit_encoder(rows, ["at", "x"])


FILLS = {"median": 2.0, "mean": 5.0, "most_frequent": 1.0, "constant": -7.0, "none": NAN}


@pytest.mark.parametrize(("method", "fill"), FILLS.items())
def test_each_way_to_fill_a_number_takes_it_from_the_rows_that_have_it(
    numbers: dict[str, FeatureEncoder], method: str, fill: float
) -> None:
    encoded = numbers[method].encode_frame(pd.DataFrame({"x": [4.0, None, NAN, -np.inf]}))
    np.testing.assert_array_equal(encoded[:, 0], [4.0, fill, fill, fill])
    np.testing.assert_array_equal(encoded[:, 1], [0.0, 1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def numbers(spark: SparkSession) -> dict[str, FeatureEncoder]:
    values = [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 23.0, NAN, float("inf"), None]
    rows = spark.createDataFrame([(value,) for value in values], "x double").repartition(3)
    constant = {"constant": {"value": -7.0}}
    return {
        method: fit_encoder(
            rows,
            ["x"],
            impute={"x": Impute.model_validate({"with": method, "flag": True, **constant.get(method, {})})},
        )
        for method in FILLS
    }


def test_a_flag_alone_leaves_the_value_missing(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a",), (None,)], "s string")
    impute = {"s": Impute.model_validate({"with": "none", "flag": True})}
    encoder = fit_encoder(rows, ["s"], impute=impute)
    encoded = encoder.encode_frame(pd.DataFrame({"s": ["a", None]}))
    assert encoder.encoded_columns == ["s", "s__missing"]
    np.testing.assert_array_equal(encoded, [[0.0, 0.0], [NAN, 1.0]])


TOWNS = ["Ulm"] * 5 + ["Köln"] * 4 + ["Bonn"] * 2 + ["Aalen", None]
ASKED = ["Aalen", "Bonn", "Köln", "Ulm", "never seen", "", None]
LEVELS = [
    ({}, [0, 1, 2, 3, NAN, NAN, NAN]),
    ({"at_least": 2}, [NAN, 0, 1, 2, NAN, NAN, NAN]),
    ({"at_most": 2}, [NAN, NAN, 0, 1, NAN, NAN, NAN]),
    ({"others": "level"}, [0, 1, 2, 3, 4, 4, NAN]),
    ({"at_least": 2, "others": "level"}, [3, 0, 1, 2, 3, 3, NAN]),
    ({"at_least": 100, "others": "level"}, [0, 0, 0, 0, 0, 0, NAN]),
]


@pytest.mark.parametrize(("levels", "codes"), LEVELS)
def test_rare_levels_and_unseen_ones_are_missing_or_one_level_together(
    spark: SparkSession, levels: dict, codes: list[float]
) -> None:
    rows = spark.createDataFrame([(town,) for town in TOWNS], "s string")
    flagged = {"s": Impute.model_validate({"with": "none", "flag": True})}
    encoder = fit_encoder(rows, ["s"], impute=flagged, levels=Levels.model_validate(levels))
    encoded = encoder.encode_frame(pd.DataFrame({"s": ASKED}))
    np.testing.assert_array_equal(encoded[:, 0], codes)
    np.testing.assert_array_equal(encoded[:, 1], np.isnan(codes), "what has a level is not missing")
    assert FeatureEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))) == encoder


def test_a_filled_value_is_a_level_even_where_it_is_too_rare(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(town,) for town in TOWNS], "s string")
    impute = {"s": Impute.model_validate({"with": "constant", "value": "Aalen"})}
    encoder = fit_encoder(rows, ["s"], impute=impute, levels=Levels(at_least=2, others="level"))
    encoded = encoder.encode_frame(pd.DataFrame({"s": ["Bonn", "Aalen", None, "never seen"]}))
    np.testing.assert_array_equal(encoded[:, 0], [0.0, 3.0, 3.0, 4.0])


def test_an_encoder_of_an_older_package_has_no_level_for_others() -> None:
    column = {"name": "s", "kind": "categorical", "levels": ["a"], "fill": None, "flag": False}
    (read,) = FeatureEncoder.from_dict({"columns": [column]}).columns
    assert not read.others


@pytest.mark.parametrize(
    ("column", "impute", "message"),
    [
        ("s", {"with": "median"}, "s is text"),
        ("x", {"with": "constant", "value": "many"}, "x is numeric"),
        ("s", {"with": "constant", "value": 3.0}, "s is categorical"),
    ],
)
def test_a_fill_that_does_not_fit_is_refused(spark: SparkSession, column: str, impute: dict, message: str) -> None:
    rows = spark.sql("select 'a' as s, 1.0D as x")
    with pytest.raises(ModelError, match=message):
        fit_encoder(rows, [column], impute={column: Impute.model_validate(impute)})
