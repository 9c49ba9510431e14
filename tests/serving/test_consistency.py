"""The consistency report names what differs between the store and the tables."""

from collections.abc import Callable
from typing import Any

from online_shop import NOON, PROFILE, Asked, minutes

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, read_table
from sparkml_ops.serving.consistency import compare_served
from sparkml_ops.serving.publication import Pending
from sparkml_ops.serving.publish import publish_features
from sparkml_ops.serving.stores import Change


def tamper(ask: Asked, view: str, *changes: Change) -> None:
    published = ask.store.read_states()[view].published
    assert published is not None
    pending = Pending("tampering", published)
    ask.store.begin(pending)
    ask.store.put(pending, changes)
    ask.store.commit(pending)


def test_each_kind_of_difference_is_counted_and_named(shop: Lake, use_case: UseCase, ask: Asked) -> None:
    publish_features(use_case, shop, as_of=NOON)
    clean = compare_served(use_case, shop, as_of=minutes(55), run_id="run-1")
    assert clean.agrees
    assert {view: report.counts for view, report in clean.views.items()} == {
        "spending": {"same": 2, "stale": 0, "missing": 0, "extra": 0},
        "profile": {"same": 3, "stale": 0, "missing": 0, "extra": 0},
    }
    record = ask.store.find({"profile": [b"3:ann"]})["profile"].records[0]
    assert record is not None
    # Ann's coming row is taken away: what she has now is the same, what she will have is not.
    now_only = record.rsplit(b"\n", 1)[0]
    tamper(
        ask,
        "profile",
        Change(b"3:ann", now_only),
        Change(b"3:bob", None),
        Change(b"3:cem", b"\xffgarbage\nx"),
        Change(b"5:dora|", b"-"),
    )
    result = compare_served(use_case, shop, views=["profile"], as_of=NOON, run_id="run-2")
    report = result.views["profile"]
    assert not result.agrees
    assert report.counts == {"same": 0, "stale": 2, "missing": 1, "extra": 1}
    assert report.examples == {
        "stale": ["customer=ann", "customer=cem"],
        "missing": ["customer=bob"],
        "extra": ["customer=dora|"],
    }
    figures = read_table(shop, "metrics").where("run_id = 'run-2' AND subject = 'profile'").collect()
    assert {row["name"]: (row["value"], row["verdict"]) for row in figures} == {
        "served_same": (0.0, "info"),
        "served_stale": (2.0, "alert"),
        "served_missing": (1.0, "alert"),
        "served_extra": (1.0, "alert"),
    }
    ledger = {(row["run_id"], row["step"]): row for row in read_table(shop, "runs").collect()}
    assert ledger["run-1", "check_served:profile"]["status"] == "succeeded"
    assert ledger["run-2", "check_served:profile"]["status"] == "refused"
    # A full publishing puts everything right.
    publish_features(use_case, shop, views=["profile"], as_of=NOON, full=True)
    assert compare_served(use_case, shop, views=["profile"], as_of=NOON).agrees


def test_a_table_that_moved_on_and_a_view_that_is_not_published(
    shop: Lake, use_case: UseCase, rewrite: Callable[[str, list[tuple[Any, ...]], str], None]
) -> None:
    publish_features(use_case, shop, views=["profile"], as_of=NOON)
    rewrite("profile", [*PROFILE[:2], ("dan", -1, -1, "Jena")], "2")
    reports = compare_served(use_case, shop, as_of=minutes(1)).views
    assert reports["profile"].counts == {"same": 1, "stale": 0, "missing": 1, "extra": 2}
    assert (reports["profile"].version, reports["profile"].published_version) == (1, 0)
    assert reports["spending"].counts == {"same": 0, "stale": 0, "missing": 2, "extra": 0}
    assert reports["spending"].published_version is None


def test_personal_data_is_counted_and_not_shown(shop: Lake, use_case: UseCase) -> None:
    orders = use_case.sources["orders"]
    rule = orders.columns["order_id"].model_copy(update={"pii": True})
    personal = orders.model_copy(update={"columns": {**orders.columns, "customer": rule}})
    hidden = use_case.model_copy(update={"sources": {"orders": personal}})
    report = compare_served(hidden, shop, views=["profile"], as_of=NOON).views["profile"]
    assert (report.counts["missing"], report.examples) == (3, {})
