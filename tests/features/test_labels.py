"""Labels that events tell: which events count, for whom, and when nothing can change any more.

Orders are at minutes after noon; an order is `bad` when a complaint comes within 30 minutes after it.
"""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from shop import NOON, make_use_case

from sparkml_ops.config.dataset import Dataset
from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.features.label_events import LabelEvents, read_label_events
from sparkml_ops.features.labels import settled_until, tell_labels
from sparkml_ops.monitoring.labels import count_labels, join_labels

ORDER = "order_id long, customer string, ordered_at timestamp"
COMPLAINT = "order_id long, customer string, complained_at timestamp, severity int"
AT_SIX = NOON + timedelta(hours=6)
MICROSECOND = 1 / 60_000_000
IN_TIME = {
    "from": "complaints",
    "entity": ["order_id"],
    "timestamp": "complained_at",
    "within": "30m",
    "value": "count(*) > 0",
}


def dataset_of(tmp_path, **label) -> Dataset:
    return make_use_case(tmp_path, label=IN_TIME | label).dataset


def tell(dataset: Dataset, orders, complaints, *, as_of=AT_SIX):
    events = read_label_events(complaints, dataset.label, as_of=as_of)
    rows = tell_labels(orders, dataset, as_of=as_of, events=events).collect()
    return sorted((row["order_id"], row["__label"], row["__state"]) for row in rows)


def test_an_event_counts_after_the_moment_up_to_the_end_of_the_window(rows, tmp_path):
    minutes = [0, MICROSECOND, 15, 30, 30 + MICROSECOND, -1, 29]
    orders = rows(ORDER, [(number, "ann", 0) for number in range(len(minutes))])
    complaints = [(number, None, at, 1) for number, at in enumerate(minutes)]
    found = tell(dataset_of(tmp_path), orders, rows(COMPLAINT, [*complaints, (99, None, 200, 1)]))
    assert [label for _, label, _ in found] == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    assert {state for _, _, state in found} == {"known"}


def test_every_window_holds_exactly_the_events_that_a_plain_loop_finds_in_it(rows, tmp_path):
    """Many orders and complaints of one customer, whose windows overlap and cross the borders of stretches."""
    at = [0, 1, 7, 29, 30, 31, 59.5, 60, 61, 90, 119, 120, -5, -30, -31]
    happened = [-31, -30, -1, 0, 0, 1, 29, 30, 30, 31, 60, 61, 89, 90, 91, 120, 150, 151]
    orders = rows(ORDER, [(number, "ann", minute) for number, minute in enumerate(at)])
    complaints = rows(
        COMPLAINT, [*((0, "ann", minute, 1) for minute in happened), (0, "bob", 5, 1), (0, "bob", 300, 1)]
    )
    dataset = dataset_of(tmp_path, entity=["customer"], value="count(*)")
    expected = [sum(moment < event <= moment + 30 for event in happened) for moment in at]
    assert [label for _, label, _ in tell(dataset, orders, complaints)] == expected


def test_the_events_may_be_the_decisions_themselves(rows, tmp_path):
    """Does the customer order again within half an hour?"""
    orders = rows(ORDER, [(1, "ann", 0), (2, "ann", 20), (3, "ann", 50), (4, "bob", 0), (5, "bob", 31), (6, "cem", 99)])
    again = dataset_of(tmp_path, **{"from": "orders", "entity": ["customer"], "timestamp": "ordered_at"})
    assert tell(again, orders, orders) == [
        (1, 1.0, "known"), (2, 1.0, "known"), (3, 0.0, "known"), (4, 0.0, "known"), (5, 0.0, "known"), (6, 0.0, "immature"),
    ]  # fmt: skip


def test_nulls_and_doubles_on_both_sides(rows, tmp_path):
    orders = rows(
        ORDER, [(1, "ann", 0), (1, "ann", 0), (1, "ann", 5), (None, "ann", 0), (2, "bob", None), (3, "cem", 0)]
    )
    complaints = [
        (1, "x", 3, 1),
        (1, "x", 3, 1),
        (1, "x", 40, 1),
        (None, "x", 3, 1),
        (3, "x", None, 1),
        (9, "x", 200, 1),
    ]
    dataset = dataset_of(tmp_path, value="count(*)")
    events = read_label_events(rows(COMPLAINT, complaints), dataset.label, as_of=AT_SIX)
    assert (events.counted, events.left_out) == (4, 2)
    told = tell_labels(orders, dataset, as_of=AT_SIX, events=events).collect()
    # Two equal orders stay two; two equal complaints are two; nobody knows the complaints about an order without a number.
    assert sorted(
        (r["order_id"] or 0, r["__label"] if r["__label"] is not None else -1, r["__state"]) for r in told
    ) == [
        (0, -1, "no_label"),
        (1, 0.0, "known"),
        (1, 2.0, "known"),
        (1, 2.0, "known"),
        (2, 0.0, "no_timestamp"),
        (3, 0.0, "known"),
    ]


def test_without_an_event_the_label_is_what_the_aggregate_gives_over_nothing(rows, tmp_path):
    orders, complaints = (
        rows(ORDER, [(1, "ann", 0), (2, "bob", 0)]),
        rows(COMPLAINT, [(2, "x", 3, 5), (9, "x", 200, 1)]),
    )
    labels = {
        value: [label for _, label, _ in tell(dataset_of(tmp_path, value=value), orders, complaints)]
        for value in ("max(severity) > 3", "coalesce(sum(severity), 0) > 3", "count(*) = 0", "bool_or(severity > 9)")
    }
    assert labels == {
        "max(severity) > 3": [None, 1.0],
        "coalesce(sum(severity), 0) > 3": [0.0, 1.0],
        "count(*) = 0": [1.0, 0.0],
        "bool_or(severity > 9)": [None, 0.0],
    }


def test_a_label_is_mature_once_its_window_is_over_and_its_events_are_in_the_table(rows, tmp_path):
    """Orders at 0, 1 and 2; windows of 30 minutes, events 10 minutes late: settled at 40, 41 and 42."""
    orders = rows(ORDER, [(1, "ann", 0), (2, "ann", 1), (3, "ann", 2)])
    complaints = rows(COMPLAINT, [(2, "x", 5, 1), (9, "x", 41, 1), (9, "x", 900, 1)])

    def known(as_of_minute, **label):
        dataset = dataset_of(tmp_path, available_after="10m", **label)
        found = tell(dataset, orders, complaints, as_of=NOON + timedelta(minutes=as_of_minute))
        return [number for number, _, state in found if state == "known"]

    assert known(39) == []
    assert known(60) == [1, 2]  # nothing newer than the event at 41 was delivered: the one at 900 is none that could be
    assert known(899) == [1, 2]
    assert known(900) == [1, 2, 3]
    assert known(41, complete_until="as_of") == [1, 2]
    assert known(60, complete_until="as_of") == [1, 2, 3]
    assert known(60, complete_until="TIMESTAMP '2024-03-01 12:40:00'") == [1]
    assert known(60, complete_until="max(complained_at)") == [1, 2, 3]
    assert known(60, where="severity > 1") == [1, 2]  # what was delivered tells, whether it counts or not


def test_an_empty_table_of_events_lets_nothing_mature_unless_it_is_trusted(rows, tmp_path):
    orders, nothing = rows(ORDER, [(1, "ann", 0)]), rows(COMPLAINT, [])
    assert tell(dataset_of(tmp_path), orders, nothing) == [(1, 0.0, "immature")]
    assert tell(dataset_of(tmp_path, complete_until="as_of"), orders, nothing) == [(1, 0.0, "known")]
    assert settled_until(AT_SIX, LabelEvents(nothing, {}, None, 0, 0, 0.0)) is None


def test_instants_are_the_same_in_every_zone_and_a_date_is_its_midnight(spark, tmp_path, set_conf):
    set_conf("spark.sql.session.timeZone", "UTC")
    berlin = timezone(timedelta(hours=1))
    orders = spark.createDataFrame(
        [(1, "ann", datetime(2024, 3, 1, 13, tzinfo=berlin)), (2, "ann", datetime(2024, 2, 29, 23, 50, tzinfo=UTC))],
        ORDER,
    )
    complaints = spark.createDataFrame([(1, "x", datetime(2024, 3, 1, 12, 5, tzinfo=UTC), 1)], COMPLAINT)
    trusting = dataset_of(tmp_path, complete_until="as_of")
    assert tell(trusting, orders, complaints) == [(1, 1.0, "known"), (2, 0.0, "known")]
    days = spark.sql("SELECT 1L AS order_id, DATE'2024-03-01' AS complained_at UNION ALL SELECT 2L, DATE'2024-03-01'")
    assert tell(trusting, orders, days) == [(1, 0.0, "known"), (2, 1.0, "known")]


def test_keys_of_other_types_are_refused_and_whole_numbers_meet(rows, spark, tmp_path):
    orders = rows(ORDER, [(1, "ann", 0)])
    short = spark.sql("SELECT CAST(1 AS SMALLINT) AS order_id, TIMESTAMP'2024-03-01 12:05:00' AS complained_at")
    assert tell(dataset_of(tmp_path, complete_until="as_of"), orders, short) == [(1, 1.0, "known")]
    text = short.selectExpr("CAST(order_id AS STRING) AS order_id", "complained_at")
    with pytest.raises(ConfigError, match=r"dataset\.label\.entity: `order_id` is bigint in dataset\.from and string"):
        tell(dataset_of(tmp_path), orders, text)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"value": "severity > 1"}, r"dataset\.label\.value: `severity > 1` is no aggregate over the events"),
        ({"value": "max(severty) > 1"}, r"dataset\.label\.value: `max\(severty\) > 1` is no aggregate"),
        ({"value": "max(customer)"}, r"dataset\.label\.value: `max\(customer\)` is string; expected a boolean"),
        ({"entity": ["ordr_id"]}, r"dataset\.label\.entity: there is no column `ordr_id`\. Did you mean `order_id`"),
        ({"timestamp": "customer"}, r"dataset\.label\.timestamp: `customer` must be a timestamp or a date"),
        ({"where": "sverity > 1"}, r"dataset\.label\.where: `sverity > 1` cannot be computed"),
        (
            {"complete_until": "count(*)"},
            r"dataset\.label\.complete_until: `count\(\*\)` is bigint; expected a timestamp",
        ),
        ({"where": "severity"}, r"dataset\.label\.where: `severity` is int; expected a boolean"),
        ({"value": "count_if(severity > 1) / count(*) > 0.5"}, r"for a decision without an event \(DIVIDE_BY_ZERO\)"),
        ({"complete_until": "yesterday"}, r"dataset\.label\.complete_until: `yesterday` is no aggregate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_the_events_is_told_with_its_place(rows, tmp_path, label, message):
    with pytest.raises(ConfigError, match=message):
        read_label_events(rows(COMPLAINT, []), dataset_of(tmp_path, **label).label, as_of=AT_SIX)


def test_monitoring_takes_the_same_labels_and_leaves_immature_ones_out(rows, tmp_path):
    dataset = dataset_of(tmp_path)
    decisions = rows(
        ORDER, [(1, "ann", 0), (2, "bob", 0), (3, "cem", 100), (4, "dan", None), (5, "eve", 0), (5, "eve", 1)]
    )
    complaints = rows(COMPLAINT, [(1, "x", 3, 1), (3, "x", 101, 1), (9, "x", 120, 1)])
    predictions = rows("order_id long, prediction double", [(number, 0.5) for number in range(1, 7)])
    events = read_label_events(complaints, dataset.label, as_of=AT_SIX)
    labelled = join_labels(predictions, decisions, dataset, as_of=AT_SIX, events=events)
    found = {row["order_id"]: (row["_label"], row["_label_state"]) for row in labelled.collect()}
    assert found == {
        1: (1.0, "known"),
        2: (0.0, "known"),
        3: (None, "immature"),
        4: (None, "no_timestamp"),
        5: (None, "ambiguous"),
        6: (None, "no_decision"),
    }
    counts = count_labels(labelled)
    assert (counts.share("immature"), counts.share("known")) == (1 / 6, 2 / 6)


def test_a_monitored_label_that_is_neither_0_nor_1_is_refused_as_in_training(rows, tmp_path):
    dataset = dataset_of(tmp_path, value="count(*)", complete_until="as_of")
    events = read_label_events(rows(COMPLAINT, [(1, "x", 3, 1), (1, "x", 4, 1)]), dataset.label, as_of=AT_SIX)
    predictions = rows("order_id long, prediction double", [(1, 0.5)])
    labelled = join_labels(predictions, rows(ORDER, [(1, "ann", 0)]), dataset, as_of=AT_SIX, events=events)
    with pytest.raises(ContractError, match=r"dataset\.label gives 2, among others, in 1 rows"):
        count_labels(labelled)


def test_decisions_and_events_are_shuffled_once_each(rows, tmp_path, set_conf):
    set_conf("spark.sql.autoBroadcastJoinThreshold", "-1")
    set_conf("spark.sql.adaptive.enabled", "false")
    dataset = dataset_of(tmp_path)
    events = read_label_events(rows(COMPLAINT, [(1, "x", 3, 1)]), dataset.label, as_of=AT_SIX)
    told = tell_labels(rows(ORDER, [(1, "ann", 0)]), dataset, as_of=AT_SIX, events=events)
    plan = told._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange") == 2
