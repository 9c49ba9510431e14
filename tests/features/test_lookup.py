"""The features of a use case at given moments, as training and scoring get them."""

import pytest
from shop import NOON, ORDERS, ORDERS_SCHEMA, make_use_case

from sparkml_ops.errors import ConfigError, TableNotFoundError
from sparkml_ops.features import build_features, look_up_features
from sparkml_ops.lake import replace_table

MOMENTS = "order_id long, customer string, ordered_at timestamp"
FEATURES = [
    "spending__amount_count_1h",
    "spending__amount_count_1d",
    "spending__amount_sum_1h",
    "spending__amount_sum_1d",
    "profile__born",
    "profile__town",
    "hour",
    "age",
    "is_old",
]


def test_own_columns_come_first_then_views_then_derived_columns(built, use_case, rows):
    moments = rows(MOMENTS, [(1, "ann", 30), (2, "zoe", 30), (3, None, 30)])
    found, versions = look_up_features(moments, use_case, built, timestamp="ordered_at")
    assert found.columns == ["order_id", "customer", "ordered_at", *FEATURES]
    assert use_case.feature_columns() == FEATURES
    assert versions == {"features_spending": 0, "features_profile": 0}
    assert {row["order_id"]: tuple(row[3:]) for row in found.collect()} == {
        1: (2.0, 2.0, 100.0, 100.0, 1980.0, "Bonn", 12.0, 44.0, 1.0),
        2: (0.0, 0.0, None, None, None, None, 12.0, None, None),
        3: (None, None, None, None, None, None, 12.0, None, None),
    }


def test_derived_columns_see_the_moment_under_the_datasets_name(built, use_case, rows):
    moments = rows("customer string, as_of timestamp", [("ann", 150)])
    found, _ = look_up_features(moments, use_case, built, timestamp="as_of")
    assert found.columns == ["customer", "as_of", *FEATURES]
    assert found.select("hour").collect() == [(14.0,)]


def test_a_derived_column_takes_the_place_of_a_moments_own(built, use_case, rows):
    moments = rows(MOMENTS, [(1, "ann", 30)]).selectExpr("*", "99 AS hour")
    found, _ = look_up_features(moments, use_case, built, timestamp="ordered_at")
    assert found.select("hour").collect() == [(12.0,)]


def test_tables_are_read_at_the_versions_asked_for(built, use_case, rows):
    replace_table(built, "clean_orders", rows(ORDERS_SCHEMA, [*ORDERS, (9, "ann", 1, 2, 1000.0)]), write_id="orders-2")
    build_features(use_case, built)
    moments = rows(MOMENTS, [(1, "ann", 30)])
    sums = {}
    for versions in (None, {"features_spending": 0}):
        found, used = look_up_features(moments, use_case, built, timestamp="ordered_at", versions=versions)
        sums[used["features_spending"]] = found.collect()[0]["spending__amount_sum_1d"]
    assert sums == {1: 1100.0, 0: 100.0}


def test_a_table_that_was_not_built_is_named(shop, use_case, rows):
    with pytest.raises(TableNotFoundError, match="has no table features_spending"):
        look_up_features(rows(MOMENTS, []), use_case, shop, timestamp="ordered_at")


def test_a_table_of_another_definition_is_refused(built, use_case, rows):
    views = use_case.features
    more = views["profile"].model_copy(update={"select": {"born": "born", "street": "town"}})
    changed = use_case.model_copy(update={"features": views | {"profile": more}})
    with pytest.raises(ConfigError, match="features_profile@v0 has no column `street`"):
        look_up_features(rows(MOMENTS, []), changed, built, timestamp="ordered_at")


def test_a_derived_column_cannot_replace_entity_or_time(built, rows, tmp_path):
    wrong = make_use_case(tmp_path, derived={"customer": "lower(customer)"})
    with pytest.raises(ConfigError, match=r"dataset\.derived: `customer` is an entity or time column"):
        look_up_features(rows(MOMENTS, []), wrong, built, timestamp="ordered_at")


def test_moments_are_utc_whatever_their_zone(built, use_case, rows):
    from datetime import timedelta, timezone

    abroad = (NOON + timedelta(minutes=30)).astimezone(timezone(timedelta(hours=-5)))
    found, _ = look_up_features(rows(MOMENTS, [(1, "ann", abroad)]), use_case, built, timestamp="ordered_at")
    assert found.select("hour", "spending__amount_count_1h").collect() == [(12.0, 2.0)]


def test_columns_that_are_left_out_are_at_hand_for_derived_ones(built, tmp_path, rows):
    use_case = make_use_case(tmp_path, leave_out=["profile__born", "is_old"])
    found, _ = look_up_features(rows(MOMENTS, [(1, "ann", 30)]), use_case, built, timestamp="ordered_at")
    assert found.columns == ["order_id", "customer", "ordered_at", *use_case.feature_columns()]
    assert use_case.feature_columns() == [name for name in FEATURES if name not in {"profile__born", "is_old"}]
    assert found.select("age").collect() == [(44.0,)]
