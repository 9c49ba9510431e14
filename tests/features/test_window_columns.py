"""What can be declared of an `aggregate` beside its operations: values of `by`, snapshots, derived columns."""

import pytest
from shop import minutes_after_noon, view_of

from sparkml_ops.config.comments import comment_view
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.rounds import ViewRows

SCHEMA = "customer string, at timestamp, amount double, channel string, size int, day date"
DAY = 24 * 60


def compute(events, **view):
    table = compute_features(events, view_of(**view), name="purse")
    found = [(row["customer"], minutes_after_noon(row["timestamp"]), *row[3:-1]) for row in table.collect()]
    return table.columns[3:-1], sorted(found, key=lambda row: row[:2])


def order(minute, amount, channel="web", size=1):
    return ("ann", minute, amount, channel, size, None)


def test_each_declared_value_has_its_own_columns_and_the_others_do_not_count(rows):
    events = rows(SCHEMA, [order(0, 5.0), order(10, 7.0, "shop"), order(20, 9.0, "phone"), order(30, 1.0, None)])
    by = {"of": "amount", "ops": ["sum", "count"], "windows": ["1h"], "by": {"channel": ["web", "shop"]}}
    columns, found = compute(events, aggregate=[by])
    assert columns == ["amount_sum_web_1h", "amount_sum_shop_1h", "amount_count_web_1h", "amount_count_shop_1h"]
    assert found == [
        ("ann", 0, 5.0, None, 1, 0),
        ("ann", 10, 5.0, 7.0, 1, 1),
        ("ann", 60, None, 7.0, 0, 1),
        ("ann", 70, None, None, 0, 0),
    ]


def test_values_of_by_have_the_type_of_their_column(rows):
    events = rows(SCHEMA, [order(0, 5.0, size=2)])
    small = {"of": "amount", "ops": ["count"], "windows": ["1h"], "by": {"size": [1, 2]}}
    dated = {"of": "channel", "ops": ["last"], "windows": ["1h"], "by": {"day": ["2024-02-29"]}}
    columns, found = compute(events, aggregate=[small, dated])
    assert columns == ["amount_count_1_1h", "amount_count_2_1h", "channel_last_2024_02_29_1h"]
    assert found[0][2:] == (0, 1, None)
    for by, message in [
        ({"size": ["2"]}, r"aggregate\[0\]\.by\.size\[0\]: the column is int, so that no event can have the value '2'"),
        ({"size": [1.5]}, r"the column is int, so that no event can have the value 1\.5"),
        ({"channel": ["web", 7]}, r"by\.channel\[1\]: the column is string, so that no event can have the value 7"),
        ({"day": ["yesterday"]}, r"by\.day\[0\]: 'yesterday' is no date"),
        ({"chanel": ["web"]}, r"there is no column `chanel`. Did you mean `channel`\?"),
    ]:
        with pytest.raises(ConfigError, match=message):
            compute(events, aggregate=[small | {"by": by}])


def test_operations_that_choose_keep_the_type_and_refuse_what_has_no_order(rows):
    events = rows(SCHEMA, [order(0, 5.0, "é"), order(0, 5.0, "z"), order(1, 5.0, "a")])
    channels = {
        "of": "channel",
        "ops": ["first", "last", "last_2", "most_frequent", "count_distinct"],
        "windows": ["1h"],
    }
    _, found = compute(events, aggregate=[channels])
    assert found[1][2:] == ("z", "a", ["a", "é"], "a", 3)
    assert found[-1][2:] == (None, None, None, None, 0)
    with pytest.raises(ConfigError, match=r"`array\(amount\)` is array<double>; last need texts, numbers, booleans"):
        compute(events, aggregate=[{"of": "array(amount)", "name": "a", "ops": ["count", "last"], "windows": ["1h"]}])


def test_a_snapshot_holds_the_whole_days_before_its_midnight(rows):
    # Noon is minute 0, so that midnights are 12 h after it and every day from there.
    events = rows(SCHEMA, [order(0, 5.0), order(12 * 60, 7.0), order(12 * 60 - 1, 1.0)])
    daily = {"of": "amount", "ops": ["count", "sum"], "windows": ["1d", "2d"]}
    _, found = compute(events, accuracy="snapshot", aggregate=[daily])
    assert found == [
        ("ann", 12 * 60, 2, 2, 6.0, 6.0),  # the event of the midnight itself is of the day that begins
        ("ann", 12 * 60 + DAY, 1, 3, 7.0, 13.0),
        ("ann", 12 * 60 + 2 * DAY, 0, 1, None, 7.0),
        ("ann", 12 * 60 + 3 * DAY, 0, 0, None, None),
    ]


def test_a_snapshot_lacks_what_was_not_known_by_its_midnight(rows):
    events = rows(SCHEMA, [order(0, 5.0), order(-60, 7.0)])
    _, found = compute(
        events,
        accuracy="snapshot",
        available_after="13h",
        aggregate=[{"of": "amount", "ops": ["sum"], "windows": ["1d", "2d"]}],
    )
    # 13 h after 11:00 is the midnight itself, by which it is known; the day is over when the other is.
    assert found == [
        ("ann", 12 * 60, 7.0, 7.0),
        ("ann", 12 * 60 + DAY, None, 12.0),
        ("ann", 12 * 60 + 2 * DAY, None, None),
    ]


def test_between_midnights_the_snapshot_of_the_last_one_is_found(rows):
    events = rows(SCHEMA, [order(0, 5.0), order(13 * 60, 7.0)])
    view = view_of(accuracy="snapshot", aggregate=[{"of": "amount", "ops": ["count", "last"], "windows": ["1d"]}])
    table = compute_features(events, view, name="purse")
    names = tuple(view.column_names())
    purse = ViewRows("purse", ("customer",), names, table, view.time_to_live(), view.zero_when_missing())
    moments = rows("customer string, asked timestamp", [("ann", at) for at in (1, 719, 720, 2159, 2160, 3600, 9000)])
    found = join_point_in_time(moments, [purse], timestamp="asked").orderBy("asked").collect()
    assert [tuple(row[2:]) for row in found] == [
        (0, None), (0, None), (1, 5.0), (1, 5.0), (1, 7.0), (0, None), (0, None)
    ]  # fmt: skip


def test_derived_columns_divide_without_falling_over_zero(rows):
    events = rows(SCHEMA, [order(0, 0.0), order(10, 4.0)])
    columns, found = compute(
        events,
        aggregate=[{"of": "amount", "ops": ["count", "sum"], "windows": ["30m", "1h"]}],
        derive={
            "share": "amount_sum_30m / amount_sum_1h",
            "half": "share / 2",
            "rest": "amount_count_1h % amount_count_30m",
            "often": "amount_count_1h + 1",
        },
    )
    assert columns[-4:] == ["share", "half", "rest", "often"]
    assert [row[-4:] for row in found] == [
        (None, None, 0, 2),
        (1.0, 0.5, 0, 3),
        (1.0, 0.5, 0, 3),  # 0:30, the first has left the window of 30 minutes
        (None, None, None, 3),
        (None, None, None, 2),
        (None, None, None, None),  # no window has an event, as where there is no row
    ]


def test_derived_columns_keep_to_the_views_own_columns_and_ansi_rules(rows):
    events = rows(SCHEMA, [order(0, 3.0)])
    plain = [{"of": "amount", "ops": ["count"], "windows": ["1h"]}]
    with pytest.raises(ConfigError, match=r"features\.purse\.derive\.late: `size \* 2` cannot be computed"):
        compute(events, aggregate=plain, derive={"late": "size * 2"})
    with pytest.raises(Exception, match="CAST_INVALID_INPUT"):
        compute(events, aggregate=plain, derive={"late": "cast('x' || amount_count_1h AS int)"})


def test_comments_say_what_a_column_is():
    view = view_of(
        accuracy="snapshot",
        aggregate=[
            {"of": "amount", "ops": ["last_3", "approx_p50"], "windows": ["7d"], "where": "size > 1", "by": {"channel": ["web"]}}
        ],
        derive={"twice": "amount_approx_p50_web_7d * 2"},
    )  # fmt: skip
    comments = comment_view(view)
    assert comments["amount_last_3_web_7d"] == (
        "the last 3 values, newest first, of amount over the last 7d before the midnight (UTC), where size > 1 and channel is web"
    )
    assert "within 1 % of its own size" in comments["amount_approx_p50_web_7d"]
    assert comments["twice"] == "= amount_approx_p50_web_7d * 2"
