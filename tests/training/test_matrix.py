"""Encoded rows come back as they were written, always in the same order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.errors import TrainingError
from sparkml_ops.models import FeatureEncoder
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.training.columns import choose_columns
from sparkml_ops.training.matrix import locate_scratch, map_matrix, remove_folder, unmap_matrix, write_matrix

ENCODER = FeatureEncoder(
    columns=(EncodedColumn("x", "numeric", flag=True), EncodedColumn("s", "categorical", levels=("a", "b")))
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    minutes = random.permutation(400)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return pd.DataFrame({
        "at": [start + timedelta(minutes=int(m)) for m in minutes],
        "hour": [start + timedelta(hours=int(m) // 60) for m in minutes],
        "x": random.normal(size=400),
        "s": random.choice(["a", "b", "c"], 400),
        "split": random.choice(["train", "valid", "test"], 400),
        "label": random.integers(0, 2, 400),
    })  # fmt: skip


@pytest.fixture(scope="module")
def rows(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(frame).cache()


def test_both_parts_come_back_encoded(rows: DataFrame, frame: pd.DataFrame, tmp_path: Path) -> None:
    write_matrix(rows, ENCODER, str(tmp_path / "m"), timestamp="at")
    matrix = map_matrix(str(tmp_path / "m"))
    for part, name in ((matrix.train, "train"), (matrix.valid, "valid")):
        expected = frame[frame["split"] == name].sort_values("at")
        np.testing.assert_array_equal(part.features, ENCODER.encode_frame(expected))
        np.testing.assert_array_equal(part.labels, expected["label"])
    joined = matrix.rows
    assert len(joined.labels) == len(joined.features) == (frame["split"] != "test").sum()


def test_a_feature_may_have_any_name(rows: DataFrame, tmp_path: Path) -> None:
    named = FeatureEncoder((EncodedColumn("time", "numeric"), EncodedColumn("tie", "numeric")))
    write_matrix(rows.withColumns({"time": F.col("x"), "tie": -F.col("x")}), named, str(tmp_path / "m"), timestamp="at")
    features = map_matrix(str(tmp_path / "m")).rows.features
    np.testing.assert_array_equal(features[:, 0], -features[:, 1])
    assert len(features) > 200


def test_the_order_is_the_same_however_rows_are_spread_even_with_ties(rows: DataFrame, tmp_path: Path) -> None:
    for name, spread in (("a", rows.repartition(5, "x")), ("b", rows.coalesce(1))):
        write_matrix(spread, ENCODER, str(tmp_path / name), timestamp="hour")
    first, second = (map_matrix(str(tmp_path / name)) for name in ("a", "b"))
    np.testing.assert_array_equal(first.train.features, second.train.features)
    np.testing.assert_array_equal(first.train.labels, second.train.labels)


def test_a_folder_is_written_anew_and_removed(rows: DataFrame, spark: SparkSession, tmp_path: Path) -> None:
    folder = str(tmp_path / "m")
    write_matrix(rows, ENCODER, folder, timestamp="at")
    write_matrix(rows.limit(0), ENCODER, folder, timestamp="at")
    assert len(map_matrix(folder).train.labels) == 0
    unmap_matrix(folder)
    remove_folder(spark, folder)
    remove_folder(spark, folder)
    assert not (tmp_path / "m").exists()


def test_a_machine_holds_the_rows_once_until_they_are_given_back(rows: DataFrame, tmp_path: Path) -> None:
    folder = str(tmp_path / "m")
    write_matrix(rows, ENCODER, folder, timestamp="at")
    first, second = map_matrix(folder).rows.features, map_matrix(folder).rows.features
    assert isinstance(first, np.memmap)
    assert isinstance(second, np.memmap)
    assert first.filename == second.filename
    assert not first.flags.writeable
    before = np.array(first)
    unmap_matrix(folder)
    assert not Path(str(first.filename)).exists()
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(map_matrix(folder).rows.features, before)
    unmap_matrix(folder)


def test_the_scratch_folder_is_absolute() -> None:
    assert locate_scratch("lake/shop", "r1") == f"{Path.cwd()}/lake/shop/_scratch/r1"
    assert locate_scratch("file:/data/shop", "r1") == "/data/shop/_scratch/r1"
    assert locate_scratch("s3a://bucket/shop", "r1") == "s3a://bucket/shop/_scratch/r1"


def test_columns_that_say_nothing_are_left_out_with_the_reason(spark: SparkSession) -> None:
    rows = spark.sql(
        "select double(id) as good, cast(null as double) as empty, 3 as same, cast('NaN' as double) as nan, "
        "if(id = 0, null, 1.0D) as known_or_not, double('infinity') as endless, 'x' as text from range(5)"
    )
    chosen = choose_columns(rows, ["good", "empty", "same", "nan", "known_or_not", "endless", "text"])
    assert chosen.kept == ["good", "known_or_not"]
    missing, constant = "missing in all training rows", "the same value in all training rows: "
    assert chosen.left_out == {
        "empty": missing, "nan": missing, "endless": missing, "same": f"{constant}3.0", "text": f"{constant}x",
    }  # fmt: skip


def test_a_value_that_is_personal_data_is_not_told(spark: SparkSession) -> None:
    chosen = choose_columns(spark.sql("select id, 'Ann' as name from range(3)"), ["id", "name"], withhold=["name"])
    assert chosen.left_out == {"name": "the same value in all training rows: (personal data)"}


def test_no_column_that_says_anything_is_refused(spark: SparkSession) -> None:
    with pytest.raises(TrainingError, match="None of the 2 feature columns says anything"):
        choose_columns(spark.sql("select 1 as a, cast(null as string) as b from range(3)"), ["a", "b"])
