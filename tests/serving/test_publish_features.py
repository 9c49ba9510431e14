"""Publishing: what is in the store is what the tables say, at the moment of each request, whatever was killed when."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from online_shop import NOON, PROFILE, PROFILE_SCHEMA, SPENDING, Asked, both_stores, make_rows, minutes, write_view
from pyspark.sql import SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ConflictError, TableNotFoundError
from sparkml_ops.lake import Lake, read_table
from sparkml_ops.serving.publication import Pending
from sparkml_ops.serving.publish import PublishedView, publish_features
from sparkml_ops.serving.stores import Change, FeatureStore, open_store
from sparkml_ops.serving.stores.redis import RedisFeatures
from sparkml_ops.serving.stores.sqlite import SqliteFeatures

Rewrite = Callable[[str, Sequence[tuple[Any, ...]], str], None]


def brief(view: PublishedView) -> tuple[str, int, int]:
    return view.mode, view.written, view.removed


@both_stores
def test_what_is_served_is_right_as_time_goes_by(shop: Lake, use_case: UseCase, ask: Asked) -> None:
    result = publish_features(use_case, shop, as_of=NOON, run_id="run-1")
    assert {name: brief(view) for name, view in result.views.items()} == {
        "spending": ("full", 2, 0),
        "profile": ("full", 3, 0),
    }
    # A window runs empty at 50 without anybody publishing; what comes at 200 lies beyond the horizon of two hours.
    assert ask.brief("spending", 0, customer="ann") == ("fresh", 20.0, 1)
    assert ask.brief("spending", 49.9, customer="ann") == ("fresh", 20.0, 1)
    assert ask.brief("spending", 50, customer="ann") == ("fresh", None, 0)
    assert ask.brief("spending", 199.9, customer="ann") == ("expired", None, 0)
    assert ask.brief("spending", 200, customer="ann") == ("outdated", None, None)
    assert ask.one("spending", 200, customer="ann")["_outdated_since"] == "2024-03-01T15:20:00.000000Z"
    # Ann's move at 30 becomes known at 60; nobody may see it before.
    assert ask.brief("profile", 59.9, customer="ann") == ("fresh", "Bonn")
    assert ask.brief("profile", 60, customer="ann") == ("fresh", "Köln")
    assert ask.brief("profile", 4, customer="cem") == ("missing", None)
    assert ask.brief("profile", 5, customer="cem") == ("fresh", "Ulm")
    # The time to live is that of the request's moment.
    assert ask.brief("profile", 30 + 1440, customer="ann") == ("fresh", "Köln")
    assert ask.brief("profile", 30 + 1440.1, customer="ann") == ("expired", None)
    assert ask.one("profile", 0, customer="bob") | {"entity": None} == {
        "view": "profile",
        "version": 0,
        "published_at": "2024-03-01T12:00:00.000000Z",
        "asked_at": "2024-03-01T12:00:00.000000Z",
        "entity": None,
        "status": "expired",
        "_timestamp": "2024-02-29T11:00:00.000000Z",
        "_known_at": "2024-02-29T11:00:00.000000Z",
        "features": {"town": None},
    }
    # Of a customer who never was, nothing is known, and nothing was counted.
    assert ask.brief("spending", 0, customer="dora") == ("missing", None, 0)
    # A clock that is behind sees what was published, and not less.
    assert ask.brief("profile", -500, customer="ann") == ("fresh", "Bonn")
    steps = {row["step"]: row for row in read_table(shop, "runs").collect()}
    assert steps["publish_features:spending"]["details"] == {"mode": "full", "written": "2", "removed": "0"}
    assert steps["publish_features:spending"]["inputs"][0]["table"] == "features_spending"


def test_only_entities_that_changed_are_written(
    shop: Lake, use_case: UseCase, ask: Asked, rewrite: Rewrite, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_features(use_case, shop, as_of=NOON)
    again = publish_features(use_case, shop, as_of=minutes(1))
    assert {name: brief(view) for name, view in again.views.items()} == dict.fromkeys(
        ("spending", "profile"), ("unchanged", 0, 0)
    )
    # Time alone: Ann's row at 200 comes within the horizon of a publishing at 100.
    later = publish_features(use_case, shop, views=["spending"], as_of=minutes(100))
    assert brief(later.views["spending"]) == ("incremental", 1, 0)
    assert ask.brief("spending", 200, customer="ann") == ("fresh", 5.0, 1)
    # Of three customers one moves, one goes and one stays as he is.
    rewrite("profile", [("ann", -100, -100, "Bonn"), ("ann", 30, 60, "Aachen"), PROFILE[2]], "2")
    moved = publish_features(use_case, shop, views=["profile"], as_of=minutes(101))
    assert brief(moved.views["profile"]) == ("incremental", 1, 1)
    assert ask.brief("profile", 101, customer="ann") == ("fresh", "Aachen")
    assert ask.brief("profile", 101, customer="cem") == ("missing", None)
    assert ask.one("profile", 101, customer="bob")["version"] == 1
    # A row that says something else of the past only, which no request can see, changes nothing.
    rewrite("profile", [("ann", -100, -100, "Berlin"), ("ann", 30, 60, "Aachen"), PROFILE[2]], "3")
    same = publish_features(use_case, shop, views=["profile"], as_of=minutes(102))
    assert brief(same.views["profile"]) == ("unchanged", 0, 0)


class StoppingError(RuntimeError):
    """Stands for the kill."""


def stop_at(place: str, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store dies before, or after, its nth call of a kind; all is written by the driver, a record at a time."""
    calls = {"begin": 0, "put": 0, "commit": 0}
    when, _, kind = place.partition(" ")
    for store in (SqliteFeatures, RedisFeatures):
        original = getattr(store, kind)

        def call(self: FeatureStore, *arguments: Any, original: Any = original) -> None:
            calls[kind] += 1
            if calls[kind] == nth and when == "before":
                raise StoppingError
            original(self, *arguments)
            if calls[kind] == nth:
                raise StoppingError

        monkeypatch.setattr(store, kind, call)
    monkeypatch.setattr(RedisFeatures, "takes_many_writers", False)
    monkeypatch.setattr("sparkml_ops.serving.publish.PAGE", 1)


def read_all(use_case: UseCase) -> dict[str, dict[bytes, bytes | None]]:
    with open_store(use_case) as store:
        states = store.read_states()
        assert all(state.pending is None for state in states.values())
        return {
            view: {change.key: change.content for page in store.scan(state.published) for change in page}
            for view, state in states.items()
            if state.published is not None
        }


@pytest.mark.parametrize(
    ("use_case", "place", "nth"),
    [
        ("sqlite", "after put", 1),
        ("redis", "after put", 1),
    ],
    indirect=["use_case"],
    ids=str,
)
def test_killed_and_run_again_is_as_if_nothing_had_happened(
    shop: Lake, use_case: UseCase, rewrite: Rewrite, place: str, nth: int
) -> None:
    """The table even goes back, between the kill and the next run, to what it was before: a half that was written must not stay."""
    publish_features(use_case, shop, views=["profile"], as_of=NOON)
    before = read_all(use_case)
    rewrite("profile", [("ann", -50, -50, "Trier"), ("bob", -50, -50, "Mainz")], "2")
    with pytest.MonkeyPatch.context() as killing:
        stop_at(place, nth, killing)
        with pytest.raises(StoppingError):
            publish_features(use_case, shop, views=["profile"], as_of=minutes(1))
    rewrite("profile", PROFILE, "3")
    publish_features(use_case, shop, views=["profile"], as_of=minutes(2))
    assert read_all(use_case) == before


def test_a_full_publishing_that_is_killed_shows_nothing_of_itself(shop: Lake, use_case: UseCase, ask: Asked) -> None:
    with pytest.MonkeyPatch.context() as killing:
        stop_at("after put", 1, killing)
        with pytest.raises(StoppingError):
            publish_features(use_case, shop, views=["profile"], as_of=NOON)
    assert ask.store.find({"profile": [b"3:ann"]}) == {}
    first = publish_features(use_case, shop, views=["profile"], as_of=NOON)
    with pytest.MonkeyPatch.context() as killing:
        stop_at("after put", 1, killing)
        with pytest.raises(StoppingError):
            publish_features(use_case, shop, views=["profile"], as_of=NOON, full=True)
    assert ask.brief("profile", 0, customer="ann") == ("fresh", "Bonn")
    assert (brief(first.views["profile"]), set(read_pages(ask, "profile"))) == (
        ("full", 3, 0),
        {b"3:ann", b"3:bob", b"3:cem"},
    )
    again = publish_features(use_case, shop, views=["profile"], as_of=minutes(1))
    assert brief(again.views["profile"]) == ("unchanged", 0, 0)


def read_pages(ask: Asked, view: str) -> list[bytes]:
    published = ask.store.read_states()[view].published
    assert published is not None
    return [change.key for page in ask.store.scan(published) for change in page]


@both_stores
def test_who_begins_later_goes_on_and_the_other_stops(shop: Lake, use_case: UseCase, ask: Asked) -> None:
    publish_features(use_case, shop, views=["profile"], as_of=NOON)
    published = ask.store.read_states()["profile"].published
    assert published is not None
    slow, quick = Pending("slow", published), Pending("quick", published)
    ask.store.begin(slow)
    ask.store.begin(quick)
    ask.store.put(quick, [Change(b"3:dan", b"-")])
    for too_late in (lambda: ask.store.put(slow, [Change(b"3:dan", None)]), lambda: ask.store.commit(slow)):
        with pytest.raises(ConflictError, match="another publishing of profile has begun"):
            too_late()
    ask.store.commit(quick)
    assert b"3:dan" in read_pages(ask, "profile")


def test_other_columns_an_earlier_instant_or_the_wish_make_all_anew(
    shop: Lake, use_case: UseCase, ask: Asked, rewrite: Rewrite
) -> None:
    publish_features(use_case, shop, views=["profile"], as_of=NOON)
    wished = publish_features(use_case, shop, views=["profile"], as_of=minutes(1), full=True)
    earlier = publish_features(use_case, shop, views=["profile"], as_of=minutes(-60))
    assert [brief(r.views["profile"]) for r in (wished, earlier)] == [("full", 3, 0)] * 2
    assert ask.brief("profile", -30, customer="ann") == ("fresh", "Bonn")
    wider = use_case.features["profile"].model_copy(update={"select": {"town": "town", "is_abroad": "false"}})
    other = use_case.model_copy(update={"features": {**use_case.features, "profile": wider}})
    with pytest.raises(
        ConfigError, match="features_profile@v0 has no column `is_abroad`.*built from another definition"
    ):
        publish_features(other, shop, views=["profile"])


def test_a_view_that_is_served_no_more_is_taken_out(shop: Lake, use_case: UseCase, ask: Asked) -> None:
    publish_features(use_case, shop, as_of=NOON)
    fewer = use_case.model_copy(update={"serving": use_case.serving.model_copy(update={"views": ["spending"]})})
    result = publish_features(fewer, shop, as_of=minutes(1))
    assert result.forgotten == ("profile",)
    assert ask.store.find({"profile": [b"3:ann"], "spending": []}).keys() == {"spending"}


def test_what_cannot_be_published_is_told(lake: Lake, use_case: UseCase, spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"no feature view 'profil'\. Did you mean profile"):
        publish_features(use_case, lake, views=["profil"])
    with pytest.raises(TableNotFoundError, match="no table features_spending"):
        publish_features(use_case, lake)
    fewer = use_case.model_copy(update={"serving": use_case.serving.model_copy(update={"views": ["spending"]})})
    with pytest.raises(ConfigError, match=r"does not serve profile: add it to serving\.views"):
        publish_features(fewer, lake, views=["profile"])
    floating = PROFILE_SCHEMA.replace("customer string", "customer double")
    write_view(lake, "profile", make_rows(spark, floating, [(1.5, 0, 0, "Bonn")]), write_id="1")
    with pytest.raises(
        ConfigError, match="entity column `customer` is of type double, by which nothing can be looked up"
    ):
        publish_features(use_case, lake, views=["profile"])
    with open_store(use_case) as store:
        assert store.read_states() == {}


def test_an_empty_table_is_published(shop: Lake, use_case: UseCase, ask: Asked, rewrite: Rewrite) -> None:
    rewrite("profile", [], "2")
    rewrite("spending", SPENDING[3:], "2")
    result = publish_features(use_case, shop, as_of=NOON)
    assert brief(result.views["profile"]) == ("full", 0, 0)
    assert ask.brief("profile", 0, customer="ann") == ("missing", None)
    rewrite("spending", SPENDING, "3")
    back = publish_features(use_case, shop, as_of=minutes(1))
    assert brief(back.views["spending"]) == ("incremental", 1, 0)
