"""`aggregate` views: figures over sliding windows, exact at every instant."""

import numpy as np
import pytest
from pyspark.testing import assertDataFrameEqual
from shop import minutes_after_noon, view_of

from sparkml_ops.errors import ConfigError
from sparkml_ops.features import windows
from sparkml_ops.features.compute import compute_features

SCHEMA = "customer string, at timestamp, amount double, note string"


def aggregate(events, *aggregates, **view):
    table = compute_features(events, view_of(aggregate=list(aggregates), **view), name="purse")
    assert table.filter("timestamp <> _known_at OR timestamp IS NULL").isEmpty()
    found = [(row["customer"], minutes_after_noon(row["timestamp"]), *row[3:-1]) for row in table.collect()]
    return sorted(found, key=lambda row: row[:2])


def amount(*ops, windows=("1h",), **others):
    return {"of": "amount", "ops": list(ops), "windows": list(windows)} | others


def test_an_event_enters_when_it_is_known_and_leaves_a_window_after_its_own_time(rows):
    events = rows(SCHEMA, [("ann", 0, 5.0, "")])
    assert aggregate(events, amount("count", "sum"), available_after="15m") == [
        ("ann", 15, 1, 5.0),
        ("ann", 60, 0, None),
    ]


def test_each_window_has_its_own_change_points_and_every_row_all_windows(rows):
    events = rows(SCHEMA, [("ann", 0, 5.0, ""), ("ann", 30, 7.0, "")])
    assert aggregate(events, amount("count", windows=["30m", "1h"])) == [
        ("ann", 0, 1, 1),
        ("ann", 30, 1, 2),  # the first has left the window of 30 minutes, the second has come
        ("ann", 60, 0, 1),
        ("ann", 90, 0, 0),
    ]


def test_all_operations_on_a_window_of_four(rows):
    events = rows(SCHEMA, [("ann", 0, 4.0, ""), ("ann", 0, 1.0, ""), ("ann", 0, 3.0, ""), ("ann", 0, 10.0, "")])
    found = aggregate(events, amount("count", "sum", "mean", "std", "min", "max", "p25", "p90"))
    values = [1.0, 3.0, 4.0, 10.0]
    expected = (4, 18.0, 4.5, np.std(values, ddof=1), 1.0, 10.0, np.percentile(values, 25), np.percentile(values, 90))
    assert found[0][2:] == pytest.approx(expected, rel=1e-12)
    assert found[1:] == [("ann", 60, 0, None, None, None, None, None, None, None)]


def test_std_needs_two_events(rows):
    assert aggregate(rows(SCHEMA, [("ann", 0, 4.0, "")]), amount("std"))[0] == ("ann", 0, None)


def test_null_and_nan_do_not_count(rows):
    events = rows(SCHEMA, [("ann", 0, None, ""), ("ann", 1, float("nan"), ""), ("ann", 2, 3.0, "")])
    assert aggregate(events, amount("count", "mean")) == [("ann", 2, 1, 3.0), ("ann", 62, 0, None)]


def test_rows_without_entity_or_timestamp_are_left_out(rows):
    events = rows(SCHEMA, [(None, 0, 1.0, ""), ("ann", None, 1.0, "")])
    assert aggregate(events, amount("count")) == []


def test_where_of_an_aggregate_is_its_own(rows):
    events = rows(SCHEMA, [("ann", 0, 1.0, "cash"), ("ann", 10, 2.0, "card"), ("ann", 20, 4.0, None)])
    cash = amount("sum", name="cash", where="note = 'cash'")
    found = aggregate(events, amount("sum"), cash)
    assert [row for row in found if row[1] in {0, 10, 20, 60}] == [
        ("ann", 0, 1.0, 1.0),
        ("ann", 10, 3.0, 1.0),
        ("ann", 20, 7.0, 1.0),
        ("ann", 60, 6.0, None),
    ]


def test_booleans_are_numbers_and_count_takes_any_type(rows):
    events = rows(SCHEMA, [("ann", 0, 1.0, "cash"), ("ann", 0, 3.0, None)])
    big = {"of": "amount > 2", "name": "big", "ops": ["mean"], "windows": ["1h"]}
    notes = {"of": "note", "ops": ["count"], "windows": ["1h"]}
    assert aggregate(events, big, notes)[0] == ("ann", 0, 0.5, 1)


def test_a_mean_of_texts_is_refused(rows):
    with pytest.raises(ConfigError, match=r"features\.purse\.aggregate\[0\]\.of: `note` is string; mean need a number"):
        aggregate(rows(SCHEMA, []), {"of": "note", "ops": ["mean"], "windows": ["1h"]})


def test_an_event_that_is_known_only_after_its_window_is_never_in_it(rows):
    events = rows(SCHEMA, [("ann", 0, 1.0, "")])
    assert aggregate(events, amount("count", windows=["30m", "2h"]), available_after="1h") == [
        ("ann", 60, 0, 1),
        ("ann", 120, 0, 0),
    ]
    assert aggregate(events, amount("count", windows=["30m"]), available_after="1h") == []


def test_columns_stand_in_the_order_of_the_configuration(rows):
    view = view_of(
        aggregate=[amount("max", "count", windows=["1d", "1h"]), {"of": "note", "ops": ["count"], "windows": ["1h"]}]
    )
    table = compute_features(rows(SCHEMA, []), view, name="purse")
    assert table.columns == ["customer", "timestamp", "_known_at", *view.column_names(), "_entity_hash"]
    assert dict(table.dtypes)["amount_count_1d"] == "bigint"
    assert dict(table.dtypes)["amount_max_1d"] == "double"


def test_times_before_1970_are_times_too(rows, spark):
    events = spark.sql("SELECT 'ann' customer, timestamp'1969-12-31 23:50:00' at, 1D amount, '' note")
    found = compute_features(events, view_of(aggregate=[amount("count", windows=["1h", "60d"])]), name="purse")
    assert [
        (row[0], row[1], row[2])
        for row in found.selectExpr("string(timestamp)", "amount_count_1h", "amount_count_60d")
        .orderBy("timestamp")
        .collect()
    ] == [
        ("1969-12-31 23:50:00", 1, 1),
        ("1970-01-01 00:50:00", 0, 1),
        ("1970-03-01 23:50:00", 0, 0),
    ]


def random_orders(spark, *, seed, partitions):
    """Orders over 40 days: some busy customers, some rare ones, amounts of very different sizes."""
    draw = np.random.default_rng(seed)
    minutes = draw.integers(0, 40 * 24 * 60, 3_000)
    orders = [
        (f"c{int(draw.integers(0, 40)) ** 2 // 100}", int(minute), float(draw.normal() * 10.0 ** draw.integers(-3, 7)))
        for minute in minutes
    ]
    order = np.random.default_rng(partitions).permutation(len(orders))
    shuffled = spark.createDataFrame([orders[at] for at in order], "customer string, minute long, amount double")
    return shuffled.repartition(partitions).selectExpr(
        "customer", "timestamp'2024-01-01' + make_dt_interval(0, 0, cast(minute as int)) AS at", "amount", "'' AS note"
    )


def test_figures_are_the_same_bits_however_rows_are_partitioned(spark, monkeypatch, set_conf):
    view = view_of(
        available_after="7m",
        aggregate=[amount("count", "sum", "mean", "std", "min", "p90", windows=["1h", "1d", "5d"])],
    )
    whole = compute_features(random_orders(spark, seed=0, partitions=1), view, name="purse").toPandas()
    monkeypatch.setattr(windows, "SHORTEST_PART", view.available_after)
    monkeypatch.setattr(windows, "WINDOWS_PER_PART", 1)
    set_conf("spark.sql.shuffle.partitions", "5")
    parts = compute_features(random_orders(spark, seed=0, partitions=3), view, name="purse").toPandas()
    key = ["customer", "timestamp"]
    whole, parts = (table.sort_values(key).reset_index(drop=True) for table in (whole, parts))
    assert len(whole) > 10_000
    assert whole.equals(parts)


def test_an_empty_table_gives_an_empty_table(rows):
    assertDataFrameEqual(
        compute_features(rows(SCHEMA, []), view_of(aggregate=[amount("count")]), name="purse"),
        rows("customer string, timestamp timestamp, _known_at timestamp, amount_count_1h long, _entity_hash int", []),
    )
