"""Models per segment in one package: which serves a row, and that it is the one that was packaged."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.errors import ModelError
from sparkml_ops.models import PackagedModel, load_package, predict_rows, save_package
from sparkml_ops.models import family as family_file
from sparkml_ops.models.family import pack_family, parse_family, store_estimator
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.package import dump_package, parse_package
from sparkml_ops.models.segments import SegmentColumn, count_levels, encode_texts, group_rows, name_value, read_texts
from tests.models.conftest import make_flights, train_booster

KIND = find_estimator_kind("lightgbm")
COLUMNS = [SegmentColumn("origin", "text"), SegmentColumn("is_late", "boolean")]
ORIGINS = ["JFK", "LGA", "", 'a, b="c"', "東京", None, "nowhere"]


def make_rows(count: int = 1400, seed: int = 3) -> pd.DataFrame:
    flights = make_flights(count, seed)
    at = np.arange(count)
    return flights.assign(
        origin=[ORIGINS[position % len(ORIGINS)] for position in at],
        is_late=pd.array([None if position % 5 == 0 else bool(position % 2) for position in at], dtype="object"),
    )


@pytest.fixture(scope="module")
def whole(model: PackagedModel) -> PackagedModel:
    """Each of these segments answers otherwise than all others, because each was fitted on rows of its own."""
    names = ["origin=JFK", "origin=JFK, is_late=true", 'origin=""', 'origin="a, b=\\"c\\""', "origin=東京"]
    stored = {name: store_estimator(KIND, train_booster(make_flights(400, 50 + at))) for at, name in enumerate(names)}
    return replace(model, family=pack_family(COLUMNS, stored))


def test_a_row_is_served_by_its_deepest_segment_that_has_a_model(whole: PackagedModel) -> None:
    rows = make_rows(14)
    assert whole.find_segments(rows)[:7] == [
        "origin=JFK", "global", 'origin=""', 'origin="a, b=\\"c\\""', "origin=東京", "global", "global",
    ]  # fmt: skip
    assert whole.find_segments(rows)[7] == "origin=JFK, is_late=true"


def test_rows_are_counted_by_the_level_of_the_model_that_served_them(whole: PackagedModel) -> None:
    assert whole.family is not None
    served = {"origin=JFK, is_late=true": 7, "origin=JFK": 5, 'origin="a, b=\\"c\\""': 2, "global": 3}
    assert whole.family.count_served(served) == {"segment": 7, "parent": 7, "global": 3}
    assert whole.family.count_served({}) == {"segment": 0, "parent": 0, "global": 0}


def test_each_segment_answers_as_its_own_estimator_does(whole: PackagedModel) -> None:
    rows = make_rows()
    answers, segments = whole.predict(rows), np.array(whole.find_segments(rows))
    matrix = whole.encoder.encode_frame(rows)
    assert whole.family is not None
    for code, name in enumerate(["global", *whole.family.names]):
        estimator = whole.family.load_member(KIND, code) if code else whole.estimator
        mine = segments == name
        assert mine.any()
        np.testing.assert_array_equal(answers[mine], KIND.predict_values(estimator, matrix[mine], task="binary"))


def test_reasons_come_from_the_model_that_serves_the_row(whole: PackagedModel) -> None:
    rows = make_rows(70)
    alone = replace(whole, family=None)
    is_global = np.array(whole.find_segments(rows)) == "global"
    own, of_all = whole.explain(rows, 2), alone.explain(rows, 2)
    assert [a == b for a, b in zip(own, of_all, strict=True)] == is_global.tolist()


def test_it_answers_the_same_in_a_fresh_process(whole: PackagedModel, tmp_path: Path) -> None:
    save_package(whole, tmp_path / "package")
    rows = make_rows()
    rows.to_json(tmp_path / "rows.json")
    code = (
        "import sys, json, pandas as pd; from sparkml_ops.models import load_package;"
        "m = load_package(sys.argv[1]); rows = pd.read_json(sys.argv[2], convert_dates=False);"
        "print(json.dumps([m.predict(rows).tolist(), m.find_segments(rows)]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "package", tmp_path / "rows.json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    answers, segments = json.loads(told.stdout.splitlines()[-1])
    assert segments == whole.find_segments(rows)
    np.testing.assert_array_equal(answers, whole.predict(rows))


def test_a_changed_byte_is_refused_before_anything_is_parsed(whole: PackagedModel, tmp_path: Path) -> None:
    files = dump_package(whole)
    size = len(files["segments.bin"])
    for at in (0, size // 2, size - 1):
        damaged = bytearray(files["segments.bin"])
        damaged[at] ^= 1
        with pytest.raises(ModelError, match=r"segments\.bin is damaged: it is not the one that was packaged"):
            parse_package(files | {"segments.bin": bytes(damaged)})
    del files["segments.bin"]
    with pytest.raises(ModelError, match="not whole"):
        parse_package(files)


def test_a_part_that_is_not_the_one_of_the_index_is_refused_when_it_is_asked(whole: PackagedModel) -> None:
    assert whole.family is not None
    content = bytearray(whole.family.content)
    content[-1] ^= 1
    with pytest.raises(ModelError, match="The model of the segment origin=東京 in segments.bin is damaged"):
        parse_family(bytes(content)).load_member(KIND, 5)
    with pytest.raises(ModelError, match="not as long as its index says"):
        parse_family(whole.family.content[:-3])
    with pytest.raises(ModelError, match="is damaged"):
        parse_family(b"{}\n")


def test_few_estimators_are_kept_parsed(whole: PackagedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, expected = make_rows(), whole.predict(make_rows())
    monkeypatch.setattr(family_file, "PARSED_BYTES", 1)
    again = parse_package(dump_package(whole))
    np.testing.assert_array_equal(again.predict(rows), expected)
    assert again.family is not None
    assert len(again.family._parsed) == 1


def test_rows_without_the_columns_of_segments_are_refused(whole: PackagedModel) -> None:
    with pytest.raises(ModelError, match=r"The rows lack is_late, origin, by which the model tells segments"):
        whole.predict(make_flights(3))


def test_a_family_without_members_answers_as_the_model_of_all_rows(model: PackagedModel) -> None:
    rows, empty = make_rows(50), replace(model, family=pack_family(COLUMNS, {}))
    again = parse_package(dump_package(empty))
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))
    assert set(again.find_segments(rows)) == {"global"}
    assert again.find_segments(rows.head(0)) == []
    assert len(again.predict(rows.head(0))) == 0


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        (pa.array([5, None, -1]), "number", ["5", None, "-1"]),
        (pa.array([5.0, float("nan"), 0.5, float("inf"), -0.0]), "number", ["5", None, "0.5", None, "0"]),
        (pa.array([True, False, None]), "boolean", ["true", "false", None]),
        (pa.array([1.0, 0.0, None]), "boolean", ["true", "false", None]),
        (pa.array(["", "x" * 200, "x" * 201, None]), "text", ["", "x" * 200, None, None]),
        (pa.array(["b", "a"]).dictionary_encode(), "text", ["b", "a"]),
        (pa.array([None, None]), "number", [None, None]),
        (pa.array([], pa.string()), "text", []),
    ],
)
def test_values_become_texts(values: pa.Array, kind: str, texts: list[str | None]) -> None:
    assert read_texts(values, kind).to_pylist() == texts


def test_no_two_segments_have_one_name() -> None:
    values = [
        "",
        " ",
        "a",
        " a",
        "a ",
        "a  b",
        "a b",
        'a"',
        "a=b",
        "a, c=d",
        '"a"',
        "null",
        "\n",
        "\u202eab",
        "東京",
        "1",
        "\\",
    ]
    assert len({name_value("c", value) for value in values}) == len(values)
    codes, known = encode_texts(pa.array([*values, None]))
    (first, second) = group_rows([codes, codes], [known, known], ["c", "d"])
    assert len(set(first.names) | set(second.names)) == 2 * len(values)
    assert (first.codes[-1], second.codes[-1]) == (-1, -1)
    of_parents = [first.names[parent] for parent in second.parents]
    assert all(name.startswith(f"{of}, d=") for name, of in zip(second.names, of_parents, strict=True))
    levels = [{count_levels(name, ["c", "d"]) for name in found} for found in (first.names, second.names)]
    assert levels == [{1}, {2}]


def test_spark_answers_as_pandas_does_however_rows_are_spread(spark: SparkSession, whole: PackagedModel) -> None:
    flights = make_rows()
    columns = "id long, hour double, carrier string, gust double, label int, origin string, is_late boolean"
    plain = flights.astype({"gust": object, "carrier": object}).where(flights.notna(), None)
    rows: DataFrame = spark.createDataFrame(plain, columns)
    for partitions in (1, 5):
        found = predict_rows(rows.repartition(partitions), whole, explain=2, segment=True).orderBy("id").toPandas()
        np.testing.assert_array_equal(found["prediction"], whole.predict(flights))
        assert found["segment"].tolist() == whole.find_segments(flights)
        reasons = [[(one["feature"], one["contribution"]) for one in row] for row in found["reasons"]]
        assert reasons == whole.explain(flights, 2)
    with pytest.raises(ModelError, match="origin is bigint, segments were told by a text"):
        predict_rows(rows.withColumn("origin", rows["id"]), whole)
    alone = predict_rows(rows, replace(whole, family=None), segment=True)
    assert alone.where("segment is not null").count() == 0


def test_the_folder_is_read_again(whole: PackagedModel, tmp_path: Path) -> None:
    save_package(whole, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.txt", "package.json", "segments.bin"]
    assert load_package(tmp_path).family == whole.family
