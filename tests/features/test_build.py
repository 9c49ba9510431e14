"""Building feature tables: what is written, recorded and left alone."""

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from shop import CUSTOMERS, CUSTOMERS_SCHEMA, make_use_case

from sparkml_ops.errors import ConfigError, TableNotFoundError
from sparkml_ops.features import build_features, join_point_in_time
from sparkml_ops.features.lookup import open_view
from sparkml_ops.lake import list_paths, read_history, read_table, replace_table, table_exists, table_version
from sparkml_ops.lake.location import table_path


def ledger(lake):
    return {row["step"]: row for row in read_table(lake, "runs").collect()}


def test_each_view_is_written_and_recorded(shop, use_case):
    result = build_features(use_case, shop, run_id="run-1")
    assert {view: (commit.table, commit.status) for view, commit in result.views.items()} == {
        "spending": ("features_spending", "committed"),
        "profile": ("features_profile", "committed"),
    }
    assert result.run_id == "run-1"
    assert read_table(shop, "features_spending").columns[:3] == ["customer", "timestamp", "_known_at"]
    assert read_table(shop, "features_profile").count() == 2
    rows = ledger(shop)
    assert rows.keys() == {"features:spending", "features:profile"}
    spending = rows["features:spending"]
    assert [(use["table"], use["version"]) for use in spending["inputs"]] == [("clean_orders", 0)]
    assert [(use["table"], use["rows"]) for use in spending["outputs"]] == [
        ("features_spending", result.views["spending"].rows)
    ]
    assert spending["details"]["events_left_out"] == "1"  # the order that was never paid


def test_building_again_changes_nothing(built, use_case):
    again = build_features(use_case, built)
    assert {commit.status for commit in again.views.values()} == {"skipped_duplicate"}
    assert table_version(built, "features_spending") == table_version(built, "features_profile") == 0


def test_new_input_makes_new_tables_of_the_views_that_read_it(built, use_case, rows):
    more = rows(CUSTOMERS_SCHEMA, [*CUSTOMERS, ("cem", 1970, "Ulm")])
    replace_table(built, "clean_customers", more, write_id="customers-2")
    again = build_features(use_case, built)
    assert {view: commit.status for view, commit in again.views.items()} == {
        "spending": "skipped_duplicate",
        "profile": "committed",
    }
    assert read_table(built, "features_profile").count() == 3


def test_only_the_named_views_are_built(shop, use_case):
    assert build_features(use_case, shop, views=["profile"]).views.keys() == {"profile"}
    assert not table_exists(shop, "features_spending")


def with_profile(use_case, **changes):
    profile = use_case.features["profile"].model_copy(update=changes)
    return use_case.model_copy(update={"features": use_case.features | {"profile": profile}})


def test_a_definition_that_is_changed_and_changed_back_is_built_each_time(built, use_case):
    for one in (with_profile(use_case, select={"born": "born"}), use_case):
        build_features(one, built, views=["profile"])
        assert read_table(built, "features_profile").columns[3:-1] == one.features["profile"].column_names()


def test_a_description_makes_nothing_out_of_date(built, use_case):
    described = with_profile(use_case, description="who they are", owner="ann@example.org")
    again = build_features(described, built, views=["profile"])
    assert again.views["profile"].status == "skipped_duplicate"


def test_an_unknown_view_is_answered_with_the_nearest(shop, use_case):
    with pytest.raises(
        ConfigError, match=r"no feature view 'spendings'\. Did you mean spending\? There are: spending, profile"
    ):
        build_features(use_case, shop, views=["spendings"])


def test_a_missing_source_table_is_named_and_the_failure_recorded(spark, lake, tmp_path):
    with pytest.raises(TableNotFoundError, match="has no table orders"):
        build_features(make_use_case(tmp_path), lake, views=["spending"])
    assert ledger(lake)["features:spending"]["error"].startswith("TableNotFoundError")


def unpaid_orders(read):
    return read("orders").filter("paid_at IS NULL")


def test_relations_may_be_queries_and_functions(shop, use_case):
    spending = use_case.features["spending"].model_dump(mode="json", by_alias=True)
    views = {
        "by_query": spending
        | {"from": {"sql": "select customer, paid_at, amount * 2 as amount from orders where amount is not null"}},
        "by_function": spending | {"from": {"python": f"{__name__}:unpaid_orders"}, "timestamp": "ordered_at"},
    }
    both = use_case.model_copy(
        update={
            "features": {name: type(use_case.features["spending"]).model_validate(view) for name, view in views.items()}
        }
    )
    build_features(both, shop)
    assert read_table(shop, "features_by_query").agg({"amount_sum_1h": "max"}).collect()[0][0] == 300.0
    assert {row["customer"] for row in read_table(shop, "features_by_function").collect()} == {"ann"}
    assert ledger(shop)["features:by_function"]["inputs"][0]["table"] == "clean_orders"


def test_files_are_sorted_by_the_hash_of_the_entity(built):
    for view, entity in {"spending": "customer", "profile": "customer"}.items():
        table = read_table(built, f"features_{view}")
        told = table.selectExpr(f"pmod(xxhash64({entity}), 4096) = _entity_hash AS same").groupBy("same").count()
        assert [row["same"] for row in told.collect()] == [True]
        for path in list_paths(table):
            hashes = pq.read_table(path, columns=["_entity_hash"])["_entity_hash"].to_pylist()
            assert hashes == sorted(hashes)


def test_a_table_of_an_earlier_release_is_looked_up_and_built_anew(built, use_case):
    table = read_table(built, "features_profile")
    newest = read_history(built, "features_profile", limit=1)[0]["userMetadata"]
    old = table.drop("_entity_hash").write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    old.option("userMetadata", newest).save(table_path(built, "features_profile"))
    moments = built.spark.createDataFrame([("ann", datetime(2024, 3, 5, tzinfo=UTC))], "customer string, at timestamp")
    view = open_view(built, "profile", use_case.features["profile"])
    before = join_point_in_time(moments, [view], timestamp="at").collect()
    build_features(use_case, built, views=["profile"], full=True)
    again = open_view(built, "profile", use_case.features["profile"])
    assert "_entity_hash" in again.rows.columns
    assert join_point_in_time(moments, [again], timestamp="at").collect() == before


def test_a_table_that_was_built_for_another_entity_is_looked_up_by_what_it_has(built, use_case):
    """Between a change of the entity's columns and the next build, rows have the hash of the former."""
    moments = built.spark.createDataFrame(
        [("ann", 1985, datetime(2024, 3, 5, tzinfo=UTC))], "customer string, born int, at timestamp"
    )
    profile = use_case.features["profile"]
    rows = read_table(built, "features_profile")
    born = rows.where("customer = 'ann'").first()["born"]
    moments = moments.drop("born").selectExpr("*", f"{born} AS born")
    for entity in (["customer", "born"], ["born", "customer"]):
        other = profile.model_copy(update={"entity": entity, "select": {"town": "town"}})
        view = open_view(built, "profile", other)
        assert view.has_plain_files
        [found] = join_point_in_time(moments, [view], timestamp="at").collect()
        assert found["profile__town"] is not None
