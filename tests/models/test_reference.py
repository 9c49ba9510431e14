"""Bins are cut once, on the training rows, and counted the same way ever after."""

import json
import math

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.models import Reference, count_bins, fit_reference, population_stability_index

COLUMNS = ["x", "flag", "s"]


@pytest.fixture(scope="module")
def reference(spark: SparkSession) -> Reference:
    rows = spark.sql(
        "select if(id = 7, null, if(id = 8, cast('NaN' as double), cast(id as double))) as x, "
        "id < 300 as flag, if(id < 900, 'often', if(id < 999, 'seldom', null)) as s from range(1000)"
    )
    return fit_reference(rows, COLUMNS)


def test_every_row_is_in_one_bin(reference: Reference) -> None:
    assert {name: sum(counts) for name, counts in reference.counts.items()} == dict.fromkeys(COLUMNS, 1000)


def test_numbers_are_cut_at_deciles_with_nothing_beyond_the_ends(reference: Reference) -> None:
    x = reference.columns[0]
    assert x.counts[0] == x.counts[-2] == 0
    assert all(95 <= count <= 105 for count in x.counts[1:-2])
    assert x.counts[-1] == 2  # null and NaN are both missing
    assert (x.edges[0] < 0.0, x.edges[-1]) == (True, 999.0)


def test_texts_are_counted_by_level(reference: Reference) -> None:
    s = reference.columns[2]
    assert (s.levels, s.counts) == (("often", "seldom"), (900, 99, 0, 1))


def test_the_reference_survives_json(reference: Reference) -> None:
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


def test_counting_does_not_depend_on_partitions(spark: SparkSession, reference: Reference) -> None:
    rows = spark.sql("select id / 3.0D as x, id > 5 as flag, 'new' as s, id from range(500)")
    assert count_bins(rows.repartition(5), reference) == count_bins(rows.coalesce(1), reference)
    assert count_bins(rows, reference)["s"] == [0, 0, 500, 0]


def test_values_beyond_all_that_was_seen_have_bins_of_their_own(spark: SparkSession, reference: Reference) -> None:
    rows = spark.sql("select explode(array(-5.0D, 1e9D, double('infinity'))) as x, true as flag, 's' as s")
    counts = count_bins(rows, reference)["x"]
    assert (counts[0], counts[-2]) == (1, 2)


def test_a_change_of_unit_and_a_burst_of_nulls_show(spark: SparkSession, reference: Reference) -> None:
    same = spark.sql("select cast(id as double) as x, id < 300 as flag, 'often' as s from range(1000)")
    expected = reference.counts["x"]
    assert population_stability_index(expected, count_bins(same, reference)["x"]) < 0.01
    assert (
        population_stability_index(expected, count_bins(same.selectExpr("x * 1000 as x", "flag", "s"), reference)["x"])
        > 1
    )
    nulls = same.selectExpr("if(x % 5 = 0, null, x) as x", "flag", "s")
    assert population_stability_index(expected, count_bins(nulls, reference)["x"]) > 0.2


def test_a_column_without_values_has_only_missing_ones(spark: SparkSession) -> None:
    found = fit_reference(
        spark.sql("select cast(null as double) as x, cast(null as string) as s from range(3)"), ["x", "s"]
    )
    assert found.counts == {"x": [0, 3], "s": [0, 3]}


def test_the_index_is_that_of_the_formula() -> None:
    by_hand = (0.6 - 0.5) * math.log(0.6 / 0.5) + (0.4 - 0.5) * math.log(0.4 / 0.5)
    assert population_stability_index([50, 50], [60, 40]) == pytest.approx(by_hand)
    assert population_stability_index([60, 40], [50, 50]) == pytest.approx(by_hand)
    assert population_stability_index([7, 3], [70, 30]) == pytest.approx(0)


def test_no_rows_are_no_answer() -> None:
    assert population_stability_index([0, 0], [1, 2]) is None
    assert population_stability_index([1, 2], [0, 0]) is None


def test_an_empty_bin_gives_a_finite_index() -> None:
    assert 0 < population_stability_index([100, 0], [99, 1]) < 0.1
