"""A table that is brought up to date holds what a table that is built anew would hold, whatever happened to the events."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F
from shop import shop_config

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import backfill_features, build_features, plan_features
from sparkml_ops.features.compute import compute_features
from sparkml_ops.lake import (
    append_once,
    find_difference,
    open_lake,
    read_table,
    replace_table,
    resolve_relation,
    table_version,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
EVENTS = "id long, customer string, at timestamp, came_at timestamp, money double, town string"
WINDOWS = {"of": "money", "ops": ["count", "sum", "max", "last"], "windows": ["1h", "2d"]}
VIEWS = {
    "sliding": {"timestamp": "at", "available_after": "10m", "from": "clean_orders", "aggregate": [WINDOWS]},
    "daily": {"timestamp": "at", "from": "clean_orders", "accuracy": "snapshot", "aggregate": [WINDOWS]},
    "late": {
        "timestamp": "at",
        "known_at": "came_at",
        "from": "clean_orders",
        "where": "money > 5",
        "aggregate": [{**WINDOWS, "by": {"town": ["Bonn", "Ulm"]}}],
    },
    "seen": {
        "timestamp": "at",
        "available_after": "1h",
        "from": "orders",
        "select": {"money": "money", "town": "town"},
    },
    "named": {
        "timestamp": "at",
        "from": "SELECT orders.*, customers.born FROM orders LEFT JOIN customers USING (customer)",
        "select": {"age": "2024 - born"},
    },
    "always": {"from": "orders", "select": {"town": "town"}},
    "again": {
        "timestamp": "timestamp",
        "known_at": "_known_at",
        "from": "features_seen",
        "select": {"more": "money + 1"},
    },
}


def make_shop(root, views=VIEWS):
    features = {name: {"entity": ["customer"], **view} for name, view in views.items()}
    config = shop_config(root, features=["seen"], derived={})
    return UseCase.model_validate(config | {"features": features})


def draw_events(seed, count, first_day, days):
    chance = random.Random(seed)
    rows = []
    for n in range(count):
        at = START + timedelta(days=first_day) + timedelta(seconds=chance.randrange(int(days * 86400)))
        came = chance.choice([at, at + timedelta(hours=1), at + timedelta(days=chance.random() * 4), None])
        customer = chance.choice([f"c{chance.randrange(40)}", "busy", None, "ä"])
        money = chance.choice([chance.randrange(100) / 4, None, -0.0])
        rows.append(
            (
                seed * 1000 + n,
                customer,
                at if chance.random() > 0.02 else None,
                came,
                money,
                chance.choice(["Bonn", "Ulm", None]),
            )
        )
    return rows


def tell_rows(rows):
    return sorted(map(repr, rows.collect()))


def require_same(use_case, lake):
    for name, view in use_case.features.items():
        rows, _ = resolve_relation(lake, view.relation)
        whole = compute_features(rows, view, name=name)
        assert tell_rows(read_table(lake, f"features_{name}")) == tell_rows(whole), name


def tell_builds(lake, run_id):
    runs = read_table(lake, "runs").where(f"run_id = '{run_id}'").collect()
    return {row["step"].removeprefix("features:"): json.loads(row["details"]["build"]) for row in runs}


@pytest.fixture
def lake(spark, tmp_path):
    lake = open_lake(make_shop(tmp_path), spark)
    customers = spark.createDataFrame([("c1", 1980), ("busy", 1999)], "customer string, born int")
    replace_table(lake, "clean_customers", customers, write_id="customers")
    replace_table(lake, "clean_orders", spark.createDataFrame(draw_events(1, 300, 0, 30), EVENTS), write_id="orders")
    return lake


def test_after_every_change_the_tables_are_as_if_they_were_built_anew(lake, tmp_path):
    use_case = pick(make_shop(tmp_path), "daily", "late", "again", "seen", "named", "always")
    sql, table = lake.spark.sql, f"delta.`{lake.root}/clean_orders`"

    def add(seed, count, first_day, days):
        rows = lake.spark.createDataFrame(draw_events(seed, count, first_day, days), EVENTS)
        append_once(lake, "clean_orders", rows.coalesce(1), write_id=f"more-{seed}")

    def change_all():
        sql(f"UPDATE {table} SET money = money + 1, at = at + INTERVAL 1 DAY WHERE id % 50 = 7")
        sql(f"OPTIMIZE {table}")
        add(3, 5, 10, 24)
        sql(f"DELETE FROM {table} WHERE id = 3001 OR customer = 'c3'")

    build_features(use_case, lake, run_id="first")
    for name, change in {"newest": lambda: add(2, 20, 30, 2), "all": change_all}.items():
        change()
        build_features(use_case, lake, run_id=name)
        require_same(use_case, lake)
    assert {build["action"] for build in tell_builds(lake, "newest").values()} == {"range"}


def add_late(lake, customer="c1", days=10):
    at = START + timedelta(days=days)
    rows = lake.spark.createDataFrame([(9000, customer, at, at, 50.0, "Ulm")], EVENTS)
    append_once(lake, "clean_orders", rows.coalesce(1), write_id=f"late-{customer}-{days}")


def pick(use_case, *names):
    return use_case.model_copy(update={"features": {name: use_case.features[name] for name in names}})


def test_a_plan_tells_range_rows_and_reasons_and_changes_nothing(lake, tmp_path):
    use_case = pick(make_shop(tmp_path), "sliding", "again", "seen")
    assert [plan.reason for plan in plan_features(use_case, lake, views=["seen"])] == [
        "never built, or by an earlier release"
    ]
    unbuilt = {plan.view: plan.reason for plan in plan_features(use_case, lake)}
    assert unbuilt["again"] == "features_seen comes first, which was never built"
    build_features(use_case, lake)
    add_late(lake)
    plans = {plan.view: plan for plan in plan_features(use_case, lake)}
    sliding = plans["sliding"]
    assert (sliding.action, sliding.events, sliding.slices) == ("range", 1, 1)
    assert sliding.reason == "clean_orders changed from v0 to v1"
    assert sliding.first == START + timedelta(days=10, minutes=10)
    assert sliding.last == START + timedelta(days=12)
    assert sliding.rows < 100 < read_table(lake, "features_sliding").count()
    assert plans["again"].action == "nothing"  # until what it is made of is built
    assert {table_version(lake, f"features_{name}") for name in use_case.features} == {0}
    build_features(use_case, lake, run_id="next")
    assert tell_builds(lake, "next")["again"]["reason"] == "features_seen changed from v0 to v1"


def test_whole_where_a_range_will_not_do(lake, tmp_path):
    use_case = pick(make_shop(tmp_path), "sliding", "named", "seen")

    def tell_reasons(asked=use_case, **how):
        return {plan.view: plan.reason for plan in plan_features(asked, lake, **how) if plan.action == "whole"}

    build_features(use_case, lake)
    assert tell_reasons() == {}
    assert set(tell_reasons(full=True).values()) == {"asked for"}
    other = use_case.features["seen"].model_copy(update={"select": {"money": "money + 1"}})
    changed = use_case.model_copy(update={"features": use_case.features | {"seen": other}})
    assert tell_reasons(changed) == {"seen": "its definition changed"}
    more = lake.spark.createDataFrame([("c2", 1990)], "customer string, born int").coalesce(1)
    append_once(lake, "clean_customers", more, write_id="more")
    assert tell_reasons() == {"named": "clean_customers changed, and it stands behind a LEFT JOIN"}
    add_late(lake)
    assert tell_reasons() == {"named": "2 of its inputs changed: clean_customers, clean_orders"}
    lake.spark.sql(f"DELETE FROM delta.`{lake.root}/features_seen` WHERE customer = 'c4'")
    assert tell_reasons()["seen"] == "its rows were changed by another hand since v0"
    replace_table(lake, "clean_orders", lake.spark.createDataFrame(draw_events(5, 50, 0, 3), EVENTS), write_id="anew")
    assert "100% of it is new" in tell_reasons()["sliding"]


def test_a_column_of_another_type_makes_the_whole_table_anew(lake, tmp_path):
    use_case = pick(make_shop(tmp_path), "sliding", "seen")
    build_features(use_case, lake)
    more = lake.spark.sql(
        "SELECT 9000L AS id, 'c1' AS customer, timestamp'2024-01-20' AS at, timestamp'2024-01-20' AS came_at, 5 AS money, 'Ulm' AS town"
    )
    orders = read_table(lake, "clean_orders").withColumn("money", F.col("money").cast("int"))
    replace_table(lake, "clean_orders", orders, write_id="whole numbers")
    build_features(use_case, lake)
    append_once(lake, "clean_orders", more, write_id="one more")
    build_features(use_case, lake, run_id="range")
    assert {build["action"] for build in tell_builds(lake, "range").values()} == {"range"}
    wider = f"ALTER TABLE delta.`{lake.root}/clean_orders` SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')"
    lake.spark.sql(wider)
    lake.spark.sql(f"ALTER TABLE delta.`{lake.root}/clean_orders` ALTER COLUMN money TYPE bigint")
    append_once(lake, "clean_orders", more.withColumn("money", F.col("money").cast("bigint")), write_id="two more")
    build_features(use_case, lake, run_id="wider")
    assert {build["action"] for build in tell_builds(lake, "wider").values()} == {"whole"}
    require_same(use_case, lake)


def test_a_backfill_replaces_its_range_and_nothing_else(lake, tmp_path):
    use_case = pick(make_shop(tmp_path), "sliding")
    build_features(use_case, lake)
    table = f"delta.`{lake.root}/features_sliding`"
    since, until = START + timedelta(days=4), START + timedelta(days=8)
    whole = tell_rows(read_table(lake, "features_sliding"))
    inside = f"timestamp >= TIMESTAMP '{since.isoformat()}' AND timestamp < TIMESTAMP '{until.isoformat()}'"
    result = backfill_features(use_case, lake, view="sliding", since=since, until=until, run_id="asked")
    assert result.views["sliding"].status == "committed"
    assert tell_rows(read_table(lake, "features_sliding")) == whole
    told = find_difference(lake, "features_sliding", since=0, until=result.views["sliding"].version)
    written_anew = lake.spark.read.parquet(*(f"{lake.root}/features_sliding/{file['path']}" for file in told.added))
    assert written_anew.where(inside).count() == read_table(lake, "features_sliding").where(inside).count() > 0
    noted = read_table(lake, "runs").where("run_id = 'asked'").select("details.build").collect()
    assert {json.loads(row["build"])["action"] for row in noted} == {"nothing", "backfill"}
    add_late(lake)
    again = backfill_features(use_case, lake, view="sliding", since=since, until=until)
    assert again.views["sliding"].version == result.views["sliding"].version + 2  # up to date first
    require_same(use_case, lake)
    assert lake.spark.sql(f"SELECT count(*) FROM {table}").first()[0] > len(whole)


@pytest.mark.parametrize(
    ("view", "since", "until", "message"),
    [
        ("slidin", 0, 1, "Did you mean sliding"),
        ("always", 0, 1, "is timeless"),
        ("sliding", 1, 1, "is no range"),
        ("sliding", 0, 1, "features_sliding was never built"),
    ],
)
def test_what_cannot_be_backfilled(lake, tmp_path, view, since, until, message):
    since, until = START + timedelta(days=since), START + timedelta(days=until)
    with pytest.raises(ConfigError, match=message):
        backfill_features(make_shop(tmp_path), lake, view=view, since=since, until=until)


def test_views_that_are_made_of_each_other_are_refused(tmp_path):
    circle = {"one": VIEWS["again"] | {"from": "features_two"}, "two": VIEWS["again"] | {"from": "features_one"}}
    with pytest.raises(ConfigError, match="made of each other: one < two < one|made of each other: two < one < two"):
        build_features(make_shop(tmp_path, VIEWS | circle), None)
