"""The point-in-time lookup: what was known about an entity at a moment."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import functions as F
from shop import NOON

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.rounds import ViewRows

MOMENTS = "id long, customer string, at timestamp"
PURSE = "customer string, timestamp timestamp, _known_at timestamp, money double, orders long"


def purse(table, *, name="purse", entity=("customer",), ttl=None, counts=()):
    return ViewRows(
        name, entity, ("money", "orders"), table, None if ttl is None else timedelta(minutes=ttl), frozenset(counts)
    )


def look_up(moments, *views, timestamp="at"):
    joined = join_point_in_time(moments, views, timestamp=timestamp)
    return {row["id"]: tuple(row[len(moments.columns) :]) for row in joined.collect()}


def test_the_newest_row_known_at_the_moment_is_found(rows):
    table = rows(PURSE, [("ann", 0, 10, 1.0, 1), ("ann", 20, 30, 2.0, 2)])
    moments = rows(
        MOMENTS, [(1, "ann", 9), (2, "ann", 10), (3, "ann", 29), (4, "ann", 30), (5, "ann", 9999), (6, "bob", 50)]
    )
    assert look_up(moments, purse(table)) == {
        1: (None, None),
        2: (1.0, 1),  # known at the very moment
        3: (1.0, 1),  # the second is true by now, but not known
        4: (2.0, 2),
        5: (2.0, 2),
        6: (None, None),
    }


def test_a_row_older_than_the_time_to_live_is_missing(rows):
    table = rows(PURSE, [("ann", 0, 10, 1.0, 1)])
    moments = rows(MOMENTS, [(1, "ann", 60), (2, "ann", 60.001)])
    assert look_up(moments, purse(table, ttl=60)) == {1: (1.0, 1), 2: (None, None)}


def test_a_null_in_the_newest_row_is_null_and_not_the_value_before(rows):
    table = rows(PURSE, [("ann", 0, 0, 1.0, 1), ("ann", 5, 5, None, 2)])
    assert look_up(rows(MOMENTS, [(1, "ann", 6)]), purse(table)) == {1: (None, 2)}


def test_counts_are_zero_where_there_is_no_row(rows):
    table = rows(PURSE, [("ann", 0, 0, 1.0, 1)])
    moments = rows(MOMENTS, [(1, "ann", -1), (2, "bob", 5), (3, "ann", 5), (4, "ann", 50)])
    found = look_up(moments, purse(table, ttl=30, counts=["orders"]))
    assert found == {1: (None, 0), 2: (None, 0), 3: (1.0, 1), 4: (None, 0)}


def test_a_null_entity_or_moment_gets_null_everywhere_counts_included(rows):
    table = rows(PURSE, [("ann", 0, 0, 1.0, 1), (None, 0, 0, 9.0, 9)])
    moments = rows(MOMENTS, [(1, None, 5), (2, "ann", None), (3, None, None)])
    nothing = (None, None)
    assert look_up(moments, purse(table, counts=["orders"])) == {1: nothing, 2: nothing, 3: nothing}


def test_moments_are_kept_as_they_are_even_if_equal(rows):
    table = rows(PURSE, [("ann", 0, 0, 1.0, 1)])
    moments = rows(MOMENTS, [(7, "ann", 5), (7, "ann", 5), (7, None, None), (7, None, None), (7, "zoe", 5)])
    joined = join_point_in_time(moments, [purse(table)], timestamp="at")
    assert joined.columns == ["id", "customer", "at", "purse__money", "purse__orders"]
    assert sorted(map(str, joined.select("id", "customer", "at").collect())) == sorted(map(str, moments.collect()))


def test_views_of_several_entities_are_looked_up_each_by_its_own(rows):
    people = purse(rows(PURSE, [("ann", 0, 0, 1.0, 1)]))
    shops = purse(rows(PURSE.replace("customer", "shop"), [("x", 0, 0, 2.0, 2)]), name="till", entity=("shop",))
    both = rows(
        "customer string, shop string, timestamp timestamp, _known_at timestamp, money double, orders long",
        [("ann", "x", 0, 0, 3.0, 3)],
    )
    pairs = purse(both, name="visits", entity=("customer", "shop"))
    moments = rows(
        "id long, customer string, shop string, at timestamp",
        [(1, "ann", "x", 1), (2, "ann", "y", 1), (3, "bob", "x", 1), (4, None, "x", 1)],
    )
    assert look_up(moments, pairs, people, shops) == {
        1: (3.0, 3, 1.0, 1, 2.0, 2),
        2: (None, None, 1.0, 1, None, None),
        3: (None, None, None, None, 2.0, 2),
        4: (None, None, None, None, 2.0, 2),
    }


def test_no_view_and_no_moment_are_fine(rows):
    table = rows(PURSE, [("ann", 0, 0, 1.0, 1)])
    assert look_up(rows(MOMENTS, []), purse(table)) == {}
    assert look_up(rows(MOMENTS, [(1, "ann", 0)])) == {1: ()}


def test_a_missing_entity_column_is_named_with_its_view(rows):
    moments = rows("id long, custmer string, at timestamp", [])
    with pytest.raises(ConfigError, match=r"lookup of purse.*there is no column `customer`\. Did you mean `custmer`"):
        join_point_in_time(moments, [purse(rows(PURSE, []))], timestamp="at")


def test_entities_of_different_types_are_refused_and_integers_of_different_size_are_not(rows):
    by_number = rows(
        "customer long, timestamp timestamp, _known_at timestamp, money double, orders long",
        [(2**40, 0, 0, 9.0, 9), (2, 0, 0, 1.0, 1)],
    )
    with pytest.raises(ConfigError, match="entity `customer` is string in the moments and bigint in the view"):
        join_point_in_time(rows(MOMENTS, []), [purse(by_number)], timestamp="at")
    small = rows("id long, customer int, at timestamp", [(1, 2, 5), (2, 0, 5)])
    assert look_up(small, purse(by_number)) == {1: (1.0, 1), 2: (None, None)}


@pytest.mark.parametrize("name", ["purse__money", "PURSE__Money"])
def test_a_column_that_is_there_already_is_refused_in_any_case(rows, name):
    moments = rows(f"id long, customer string, at timestamp, {name} double", [])
    with pytest.raises(ConfigError, match=f"the moments have a column `{name}` already"):
        join_point_in_time(moments, [purse(rows(PURSE, []))], timestamp="at")


def test_a_moment_that_is_no_instant_is_refused(rows):
    with pytest.raises(ConfigError, match="`id` must be a timestamp or a date, and is bigint"):
        join_point_in_time(rows(MOMENTS, []), [purse(rows(PURSE, []))], timestamp="id")


def exchanges(joined):
    plan = joined._jdf.queryExecution().executedPlan().toString()
    return [line for line in plan.splitlines() if "Exchange " in line and "ReusedExchange" not in line]


def test_there_is_one_shuffle_for_each_entity(rows):
    table = rows(PURSE, [("ann", 0, 0, 1.0, 1)])
    shops = rows(PURSE.replace("customer", "shop"), [("x", 0, 0, 2.0, 2)])
    moments = rows("id long, customer string, shop string, at timestamp", [(1, "ann", "x", 1)])
    one = join_point_in_time(moments, [purse(table), purse(table, name="again", ttl=5)], timestamp="at")
    two = join_point_in_time(
        moments, [purse(table), purse(shops, name="till", entity=("shop",)), purse(table, name="again")], timestamp="at"
    )
    assert [len(exchanges(one)), len(exchanges(two))] == [1, 2]


def test_moments_without_entity_do_not_meet_in_one_task(spark, rows):
    moments = spark.range(400_000).selectExpr("id", "string(null) AS customer", "timestamp'2024-03-01 12:00:00' AS at")
    joined = join_point_in_time(moments, [purse(rows(PURSE, [("ann", 0, 0, 1.0, 1)]))], timestamp="at")
    by_task = joined.groupBy(F.spark_partition_id()).agg(
        F.count("*").alias("moments"), F.count("purse__money").alias("found")
    )
    found = by_task.collect()
    assert sum(row["moments"] for row in found) == 400_000
    assert len(found) > 1
    assert max(row["moments"] for row in found) < 1.05 * 400_000 / len(found)
    assert {row["found"] for row in found} == {0}


UGLY_KEYS = {
    "binary": [b"", b"\x00", b"\xff\xfe"],
    "boolean": [True, False],
    "date": [date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1)],
    "decimal(38,18)": [Decimal("0.1"), Decimal("-12345678901234567890.5")],
    "double": [0.0, float("nan"), float("inf"), 5e-324],
    "long": [-(2**63), 2**63 - 1, 0],
    "string": ["", " ", "\x00", "🎈" * 1000, "a|b"],
    "timestamp": [datetime(1900, 1, 1, tzinfo=UTC), datetime(2262, 4, 12, tzinfo=UTC)],
}


@pytest.mark.parametrize("kind", UGLY_KEYS)
def test_entities_of_every_plain_type_are_found(spark, kind):
    keys = UGLY_KEYS[kind]
    known = NOON - timedelta(days=1)
    table = spark.createDataFrame(
        [(key, known, known, float(n), n) for n, key in enumerate(keys)],
        f"customer {kind}, timestamp timestamp, _known_at timestamp, money double, orders long",
    )
    asked = [*((n, key, NOON) for n, key in enumerate(keys)), (99, None, NOON)]
    if kind == "double":
        asked.append((0, -0.0, NOON))  # which is 0.0
    found = look_up(spark.createDataFrame(asked, f"id long, customer {kind}, at timestamp"), purse(table))
    assert found == {n: (float(n), n) for n in range(len(keys))} | {99: (None, None)}


def test_an_entity_of_parts_is_refused(rows):
    by_list = rows(PURSE, []).withColumn("customer", F.array("customer"))
    with pytest.raises(ConfigError, match="entity `customer` is array<string>; an entity is named by texts, numbers"):
        join_point_in_time(
            rows(MOMENTS, []).withColumn("customer", F.array("customer")), [purse(by_list)], timestamp="at"
        )
