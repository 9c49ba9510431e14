"""Each version of a feature table that a build makes is measured, once, and no personal value is told."""

import json
from datetime import timedelta

import pytest
from shop import CUSTOMERS, CUSTOMERS_SCHEMA

import sparkml_ops.features.statistics as measured
from sparkml_ops.config.column_reads import list_personal
from sparkml_ops.features import build_features
from sparkml_ops.lake import append_once, read_table, replace_table, rows_changed


def figures(lake, batch="v0"):
    rows = read_table(lake, "metrics").where(f"scope = 'feature' AND batch_id = '{batch}'").collect()
    return {(row["subject"], row["name"]): row["value"] for row in rows}, {row["subject"]: row for row in rows}


def test_rows_nulls_means_quantiles_and_distinct_values_of_each_column(built):
    found, rows = figures(built)
    assert found["profile", "rows"] == 2
    assert {name: found["profile.born", name] for name in ("nulls", "mean", "p05", "p95", "distinct")} == {
        "nulls": 0.0,
        "mean": 1989.5,
        "p05": 1980.0,
        "p95": 1999.0,
        "distinct": 2.0,
    }
    assert (found["profile.town", "nulls"], found["profile.town", "distinct"]) == (0.5, 1.0)
    assert ("profile.town", "mean") not in found
    details = [
        json.loads(row["details"])
        for row in read_table(built, "metrics").where("subject = 'profile.town' AND name = 'distinct'").collect()
    ]
    assert details == [{"rows": 2, "version": 0, "top": [["Bonn", 1]]}]
    assert rows["profile.born"]["step"] == "features:profile"


def test_a_version_is_measured_once_and_a_new_one_again(built, use_case, rows):
    before = read_table(built, "metrics").count()
    build_features(use_case, built)
    assert read_table(built, "metrics").count() == before
    more = rows(CUSTOMERS_SCHEMA, [*CUSTOMERS, ("cem", 1970, "Ulm")])
    replace_table(built, "clean_customers", more, write_id="customers-2")
    build_features(use_case, built, views=["profile"])
    assert figures(built, "v1")[0]["profile", "rows"] == 3
    assert figures(built, "v0")[0]["profile", "rows"] == 2


def test_few_new_rows_are_measured_with_the_next_tenth_or_a_day_later(shop, use_case, spark, monkeypatch):
    def draw(first, last):
        return spark.range(first, last).selectExpr("cast(id AS string) AS customer", "1980 AS born", "'x' AS town")

    def build():
        return build_features(use_case, shop, views=["profile"]).views["profile"].version

    def measured_versions():
        found = read_table(shop, "metrics").where("subject = 'profile' AND name = 'rows'").collect()
        return sorted(json.loads(row["details"])["version"] for row in found)

    replace_table(shop, "clean_customers", draw(0, 1000), write_id="first")
    first = build()
    versions = [first]
    for number in range(1, 4):
        append_once(shop, "clean_customers", draw(1000 + 8 * number, 1008 + 8 * number), write_id=f"more-{number}")
        versions.append(build())
    assert sorted(set(versions)) == list(range(first, first + 4))
    assert measured_versions() == [first, first + 3]  # with each new row, those of its slice are written
    append_once(shop, "clean_customers", draw(2000, 2001), write_id="one")
    newest = build()
    assert newest not in measured_versions()
    monkeypatch.setattr(measured, "_LONGEST", timedelta(0))
    assert build() == newest
    assert newest in measured_versions()


def test_what_another_hand_changed_counts_as_everything():
    entry = {"operation": "UPDATE", "operationMetrics": {"numUpdatedRows": "1"}}
    assert rows_changed(entry) == float("inf")
    kept = {"operation": "OPTIMIZE", "operationMetrics": {"numAddedFiles": "1"}}
    assert rows_changed(kept) == 0
    written = {"numOutputRows": "9", "numCopiedRows": "2", "numDeletedRows": "5"}
    assert rows_changed({"operation": "WRITE", "operationMetrics": written}) == 7


def test_a_build_that_was_killed_before_it_measured_is_measured_by_the_next(shop, use_case, monkeypatch):
    def die(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("sparkml_ops.features.build.record_statistics", die)
        with pytest.raises(KeyboardInterrupt):
            build_features(use_case, shop, views=["profile"])
    assert build_features(use_case, shop, views=["profile"]).views["profile"].status == "skipped_duplicate"
    assert figures(shop)[0]["profile", "rows"] == 2


def test_a_table_without_rows_has_only_its_size(shop, use_case):
    none = use_case.features["profile"].model_copy(update={"where": "born < 0"})
    build_features(use_case.model_copy(update={"features": {"profile": none}}), shop)
    assert figures(shop)[0] == {("profile", "rows"): 0.0}


def test_a_large_table_is_measured_on_a_sample_that_says_its_size(shop, use_case, spark, monkeypatch):
    monkeypatch.setattr(measured, "SAMPLE_ROWS", 500)
    many = spark.range(4000).selectExpr("cast(id AS string) AS customer", "cast(id % 10 AS int) AS born", "'x' AS town")
    replace_table(shop, "clean_customers", many.repartition(8), write_id="many")
    build_features(use_case, shop, views=["profile"])
    found, rows = figures(shop)
    assert found["profile", "rows"] == 4000
    assert 300 < json.loads(rows["profile.born"]["details"])["rows"] < 800
    assert found["profile.born", "distinct"] == 10
    assert found["profile.born", "mean"] == pytest.approx(4.5, abs=0.7)


@pytest.mark.parametrize(
    "relation", ["customers", {"sql": "SELECT customer, born, town AS place, born AS town FROM customers"}]
)
def test_of_what_may_be_personal_no_value_is_told(shop, use_case, relation):
    source = use_case.sources["customers"]
    column = type(source.columns["order_id"])
    private = source.model_copy(
        update={
            "columns": {
                "customer": column(type="string"),
                "born": column(type="int"),
                "town": column(type="string", pii=True),
            }
        }
    )
    views = use_case.model_dump(mode="json", by_alias=True)["features"]
    place = "town" if relation == "customers" else "place"
    view = type(use_case.features["profile"]).model_validate(
        views["profile"]
        | {"from": relation, "select": {"born": "born", "letters": f"length({place})", "shout": f"upper({place})"}}
    )
    hidden = use_case.model_copy(
        update={"sources": use_case.sources | {"customers": private}, "features": {"profile": view}}
    )
    build_features(hidden, shop)
    found, _ = figures(shop)
    told = {subject: {name for of, name in found if of == subject} for subject in ("profile.letters", "profile.shout")}
    assert told == {"profile.letters": {"nulls", "distinct"}, "profile.shout": {"nulls", "distinct"}}
    assert "BONN" not in str(read_table(shop, "metrics").collect())
    assert found["profile.born", "mean"] == 1989.5


def test_what_a_function_reads_may_be_personal(use_case):
    view = use_case.features["profile"].model_dump(mode="json", by_alias=True) | {
        "from": {"python": "some.module:function"}
    }
    profile = type(use_case.features["profile"]).model_validate(view)
    changed = use_case.model_copy(update={"features": {"profile": profile}})
    assert list_personal(changed, "profile") == frozenset()  # no source has personal data
    column = type(use_case.sources["customers"].columns["order_id"])
    private = use_case.sources["customers"].model_copy(update={"columns": {"town": column(type="string", pii=True)}})
    hidden = changed.model_copy(update={"sources": changed.sources | {"customers": private}})
    assert list_personal(hidden, "profile") == {"born", "town"}
