"""What an audit computes by plain SQL is what the feature tables and the look-up give, for everything that can be declared."""

import random
from datetime import timedelta

import pytest
from pyspark.sql import functions as F
from shop import NOON, make_use_case, view_of

from sparkml_ops.config.features import feature_name
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.past_versions import PastState, find_states
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.rederive import ROW, STORED, list_doubtful, rederive_view
from sparkml_ops.features.rounds import ViewRows
from sparkml_ops.features.stored_differences import draw_rows, find_differences

EXACT = ["count", "sum", "mean", "std", "min", "max", "p50", "p90", "first", "last", "most_frequent", "count_distinct"]
AMOUNTS = {"of": "amount", "ops": EXACT, "windows": ["1h", "3h"]}
BY_SHOP = {"of": "amount", "ops": ["count", "sum"], "windows": ["2h"], "by": {"shop": ["web", "Köln"]}}
POSITIVE = {"of": "shop", "name": "paid", "ops": ["count", "last"], "windows": ["1h"], "where": "amount > 0"}
IN_DAYS = [
    {**AMOUNTS, "windows": ["1d", "2d"]},
    {**BY_SHOP, "windows": ["1d"]},
    {"of": "shop", "ops": ["approx_count_distinct"], "windows": ["2d"]},
    {"of": "amount", "name": "about", "ops": ["approx_p50"], "windows": ["2d"]},
]
VIEWS = {
    "sliding": {"aggregate": [AMOUNTS, BY_SHOP, POSITIVE], "derive": {"share": "amount_sum_1h / amount_count_3h"}},
    "delayed": {"aggregate": [AMOUNTS], "available_after": "20m", "where": "shop <> 'web'"},
    "late": {"aggregate": [AMOUNTS], "known_at": "known"},
    "daily": {
        "aggregate": IN_DAYS,
        "accuracy": "snapshot",
        "derive": {"ratio": "about_approx_p50_2d / amount_count_1d"},
    },
    "newest": {"select": {"shop": "shop", "amount": "amount"}, "available_after": "5m", "ttl": "1h"},
    "corrected": {"select": {"amount": "amount"}, "known_at": "known"},
    "timeless": {"timestamp": None, "select": {"amount": "amount", "shop": "shop"}},
}


@pytest.fixture(scope="module")
def events(spark):
    """Three days of orders: many at one instant, some null, NaN or known late."""
    draw = random.Random(7)
    rows = []
    for _ in range(150):
        at = NOON + timedelta(minutes=draw.choice([*range(0, 240, 10), *range(1000, 4000, 60)]))
        amount = draw.choice([None, float("nan"), 0.0, -0.0, 1.5, 20.0, 20.0, 33.25, -4.0, 1e9, float("inf")])
        known = draw.choice([at, at + timedelta(minutes=15), at + timedelta(hours=2), None])
        customer = draw.choice(["ann", "bob", "Ömer", None])
        rows.append((customer, at, known, amount, draw.choice(["web", "Köln", "mall", None])))
    return spark.createDataFrame(
        rows, "customer string, at timestamp, known timestamp, amount double, shop string"
    ).cache()


@pytest.fixture(scope="module")
def moments(spark):
    draw = random.Random(8)
    customers = ["ann", "bob", "Ömer", "ann", "bob", "Ömer", "nobody", None]
    minutes = [*range(-20, 300, 5), *range(300, 4600, 50)]
    rows = [(draw.choice(customers), draw.choice(minutes)) for _ in range(90)]
    taken = [(number, customer, NOON + timedelta(minutes=at)) for number, (customer, at) in enumerate(rows)]
    return spark.createDataFrame(taken, "id long, customer string, moment timestamp")


@pytest.fixture(scope="module")
def looked_up(events, moments):
    """Every view's columns at the moments, by the road that training takes."""
    views = {name: view_of(**sections) for name, sections in VIEWS.items()}
    asked = [
        ViewRows(
            name,
            tuple(view.entity),
            tuple(view.column_names()),
            compute_features(events, view, name=name),
            None if view.timestamp is None else view.time_to_live(),
            view.zero_when_missing(),
        )
        for name, view in views.items()
    ]
    found = join_point_in_time(moments, asked, timestamp="moment")
    features = [column for column in found.columns if "__" in column]
    plain = [F.col(c) if dict(found.dtypes)[c] == "string" else F.col(c).cast("double").alias(c) for c in features]
    rows = found.select("id", "customer", "moment", F.lit("train").alias("split"), F.lit(1).alias("label"), *plain)
    return views, draw_rows(rows, features, key=["id"], timestamp="moment", number=1000, seed=0)


@pytest.mark.parametrize("name", VIEWS)
def test_plain_sql_gives_what_the_look_up_gives(events, looked_up, name):
    views, sample = looked_up
    again = rederive_view(sample.rows, views[name], events, name=name)
    features = [feature_name(name, column) for column in views[name].column_names()]
    found = find_differences(again.join(sample.rows, ROW), features)
    assert [(each.feature, each.stored, each.found) for each in found if each.rows] == []
    filled = sample.rows.agg(*(F.count(f"`{STORED}{each}`").alias(each) for each in features)).collect()[0].asDict()
    assert min(filled.values()) > 2, "every column must have been compared somewhere"


@pytest.mark.parametrize("wrong", [7.0, float("-inf")])
def test_a_value_that_is_off_is_told_with_its_row(events, looked_up, wrong):
    views, sample = looked_up
    tampered = sample.rows.withColumn(f"{STORED}newest__amount", F.lit(wrong))
    again = rederive_view(tampered, views["newest"], events, name="newest")
    (found,) = find_differences(again.join(tampered, ROW), ["newest__amount"])
    assert (found.rows, found.stored) == (len(sample.moments), wrong)
    assert sample.keys[found.row].startswith("id=")


def test_the_same_seed_draws_the_same_rows_and_another_seed_others(looked_up, spark):
    rows = spark.range(500).selectExpr(
        "id", "timestamp_micros(id) as at", "'train' as split", "1 as label", "1.0D as x"
    )
    draw = {"key": ["id"], "timestamp": "at", "number": 20}
    one, same, other = (draw_rows(rows.repartition(n), ["x"], seed=s, **draw) for n, s in ((3, 1), (7, 1), (3, 2)))
    assert one.moments == same.moments
    assert len(set(one.moments)) == 20
    assert set(one.moments) != set(other.moments)


def test_personal_columns_are_withheld_from_what_names_a_row(spark):
    rows = spark.createDataFrame(
        [("ann@x", NOON, "train", 1, 1.0)], "mail string, at timestamp, split string, label int, x double"
    )
    drawn = draw_rows(rows, ["x"], key=["mail"], timestamp="at", number=5, seed=0, withhold={"mail"})
    assert drawn.keys == ["mail=…"]


def test_states_are_those_of_the_moments_and_the_fullest_comes_first():
    history = {"a": [(0, 10), (1, 20), (2, 30)], "b": [(4, 15), (5, 25)]}
    states, before = find_states(history, [5, 12, 15, 19, 20, 22, 24, 100])
    assert before == 2
    assert states == [
        PastState({"a": 1, "b": 4}, (4, 5, 6)),
        PastState({"a": 0, "b": 4}, (2, 3)),
        PastState({"a": 2, "b": 5}, (7,)),
    ]


def test_what_depends_on_a_sketch_that_is_not_stored_is_not_judged(looked_up, tmp_path):

    dataset = make_use_case(
        __import__("pathlib").Path("/x"), derived={"twice": "2 * daily__ratio", "hour": "hour(ordered_at)"}
    ).dataset
    views = {"daily": looked_up[0]["daily"]}
    unsure = list_doubtful(views, dataset, stored=["daily__ratio"], unknown=[])
    assert unsure == {"daily__shop_approx_count_distinct_2d", "daily__about_approx_p50_2d", "daily__ratio", "twice"}
