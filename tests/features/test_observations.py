"""`select` views: what was observed, and when it could be known."""

import pytest
from shop import minutes_after_noon, view_of

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.compute import compute_features

SCHEMA = "customer string, at timestamp, amount double, note string"


def observe(events, **view):
    table = compute_features(events, view_of(**view), name="purse")
    return sorted(
        (row["customer"], minutes_after_noon(row["timestamp"]), minutes_after_noon(row["_known_at"]), *row[3:-1])
        for row in table.collect()
    )


def test_a_row_is_known_available_after_its_timestamp(rows):
    events = rows(SCHEMA, [("ann", 0, 5.0, "x")])
    found = observe(events, select={"twice": "amount * 2", "note": "upper(note)"}, available_after="1h")
    assert found == [("ann", 0, 60, 10.0, "X")]


def test_rows_without_entity_or_timestamp_are_left_out(rows):
    events = rows(SCHEMA, [(None, 0, 1.0, "a"), ("ann", None, 2.0, "b"), ("ann", 3, 3.0, "c")])
    assert observe(events, select={"amount": "amount"}) == [("ann", 3, 3, 3.0)]


def test_where_says_which_rows_are_events(rows):
    events = rows(SCHEMA, [("ann", 0, 1.0, "yes"), ("ann", 1, 2.0, "no"), ("ann", 2, 3.0, None)])
    assert observe(events, select={"amount": "amount"}, where="note = 'yes'") == [("ann", 0, 0, 1.0)]


def test_of_rows_at_the_same_time_the_greatest_content_stays(rows):
    same = [("ann", 0, 1.0, "z"), ("ann", 0, 2.0, "a"), ("ann", 0, 2.0, "b"), ("ann", 0, None, "c")]
    for order in (same, same[::-1]):
        found = observe(rows(SCHEMA, order), select={"amount": "amount", "note": "note"})
        assert found == [("ann", 0, 0, 2.0, "b")]


def test_null_is_below_every_value(rows):
    events = rows(SCHEMA, [("ann", 0, None, "z"), ("ann", 0, -9.0, None)])
    assert observe(events, select={"amount": "amount"}) == [("ann", 0, 0, -9.0)]


def test_a_timeless_view_has_one_row_per_entity_known_always(rows):
    events = rows(SCHEMA, [("ann", 0, 1.0, "a"), ("ann", 9, 2.0, "b"), ("bob", None, 3.0, "c")])
    table = compute_features(
        events, view_of(timestamp=None, select={"amount": "amount"}, available_after="1d"), name="purse"
    )
    found = {
        row["customer"]: row
        for row in table.selectExpr("*", "string(timestamp) at", "string(_known_at) known").collect()
    }
    assert {customer: row["amount"] for customer, row in found.items()} == {"ann": 2.0, "bob": 3.0}
    assert {(row["at"], row["known"]) for row in found.values()} == {("1900-01-01 00:00:00", "1900-01-01 00:00:00")}


def test_a_missing_column_is_named_with_view_place_and_neighbours(rows):
    events = rows(SCHEMA, [])
    with pytest.raises(
        ConfigError, match=r"features\.purse\.entity: there is no column `custmer`\. Did you mean `customer`\?"
    ):
        compute_features(events, view_of(entity=["custmer"], select={"amount": "amount"}), name="purse")
    with pytest.raises(ConfigError, match=r"features\.purse\.timestamp: there is no column `when`"):
        compute_features(events, view_of(timestamp="when", select={"amount": "amount"}), name="purse")
    with pytest.raises(
        ConfigError, match=r"features\.purse\.select\.twice: `amuont \* 2` cannot be computed.*amount, note"
    ):
        compute_features(events, view_of(select={"twice": "amuont * 2"}), name="purse")
    with pytest.raises(ConfigError, match=r"features\.purse\.where: `amount >` cannot be computed"):
        compute_features(events, view_of(where="amount >", select={"amount": "amount"}), name="purse")


def test_a_timestamp_that_is_none_is_refused(rows):
    with pytest.raises(ConfigError, match=r"`note` must be a timestamp or a date, and is string"):
        compute_features(rows(SCHEMA, []), view_of(timestamp="note", select={"amount": "amount"}), name="purse")


@pytest.mark.parametrize(
    ("view", "name"),
    [
        ({"select": {"timestamp": "amount"}}, "timestamp"),
        ({"select": {"_entity_hash": "amount"}}, "_entity_hash"),
        ({"select": {"customer": "amount"}}, "customer"),
        ({"entity": ["_entity_hash"], "select": {"amount": "amount"}}, "_entity_hash"),
        ({"entity": ["customer", "timestamp"], "select": {"amount": "amount"}}, "timestamp"),
    ],
)
def test_nothing_can_be_called_as_the_tables_own_columns(rows, view, name):
    events = rows(SCHEMA, []).selectExpr("*", "customer AS _entity_hash", "at AS timestamp")
    with pytest.raises(ConfigError, match=rf"features\.purse: `{name}` is a column of every feature table"):
        compute_features(events, view_of(**view), name="purse")


def test_dates_serve_as_timestamps(rows):
    events = rows("customer string, at date, amount double", []).unionAll(
        rows(SCHEMA, [("ann", 0, 1.0, "a")]).selectExpr("customer", "date(at)", "amount")
    )
    assert observe(events, select={"amount": "amount"}) == [("ann", -720, -720, 1.0)]
