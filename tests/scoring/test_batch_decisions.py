"""Batches published, held and taken back by a person."""

from dataclasses import replace

import pytest

from sparkml_ops.errors import ConfigError, ConflictError, TableNotFoundError
from sparkml_ops.lake import Lake, read_table, table_version
from sparkml_ops.scoring import batches as verbs
from sparkml_ops.scoring.batches import hold_batch, publish_batch, roll_back_batch
from sparkml_ops.scoring.ledger import CURRENT, read_batches
from sparkml_ops.scoring.publications import publish_predictions
from tests.scoring.ledger_shop import KEY, make_shop, publish, read_current, read_statuses, score

FIRST, SECOND = {"a": 0.1, "b": 0.2}, {"a": 0.8, "c": 0.9}


def test_a_rollback_brings_back_exactly_what_was_there(lake: Lake) -> None:
    shop, _ = make_shop(), publish(lake, score(lake, 1, FIRST))
    before = sorted(map(str, read_table(lake, CURRENT).collect()))
    publish(lake, score(lake, 2, SECOND))
    version = table_version(lake, CURRENT)
    result = roll_back_batch(shop, lake, "day", reason="  version 2\nis wrong ")
    assert sorted(map(str, read_table(lake, CURRENT).collect())) == before
    assert table_version(lake, CURRENT) == version + 1
    assert read_statuses(lake) == {("day", 1): "published", ("day", 2): "rolled_back"}
    assert result.undo == ("publish shop day --version 2",)
    publish_batch(shop, lake, "day", version=2, reason="it was right after all")
    assert read_current(lake) == {"a": (0.8, 2), "c": (0.9, 2)}
    told = {b.model_version: [(e.status, e.by == "rules", e.reason) for e in b.history] for b in read_batches(lake)}
    assert told == {
        1: [
            ("published", True, "nothing holds it"),
            ("superseded", True, "version 2 published the batch"),
            ("published", True, "in effect again, since batch day was rolled back"),
            ("superseded", True, "version 2 published the batch"),
        ],
        2: [
            ("published", True, "nothing holds it"),
            ("rolled_back", False, "version 2 is wrong"),
            ("published", False, "it was right after all"),
        ],
    }


def test_later_batches_go_along_only_when_told_so(lake: Lake) -> None:
    shop = make_shop()
    for name, answers in (("one", FIRST), ("two", SECOND), ("three", {"d": 0.4})):
        publish(lake, score(lake, 1, answers, batch=name))
    seen = read_current(lake)
    with pytest.raises(ConflictError, match="after it: three, two.*--with-later"):
        roll_back_batch(shop, lake, "one", reason="doubled")
    assert read_current(lake) == seen
    result = roll_back_batch(shop, lake, "one", with_later=True, reason="doubled")
    assert read_current(lake) == {}
    assert set(read_statuses(lake).values()) == {"rolled_back"}
    assert [line.split()[2] for line in result.undo] == ["one", "two", "three"]
    for name in ("two", "three"):
        publish_batch(shop, lake, name, reason="this one is right")
    assert read_current(lake) == {"a": (0.8, 1), "c": (0.9, 1), "d": (0.4, 1)}


def test_a_rollback_that_was_killed_is_gone_on_with_and_goes_no_further(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop()
    publish(lake, score(lake, 1, FIRST))
    publish(lake, score(lake, 2, SECOND))

    def end(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(verbs, "write_batches", end)
        with pytest.raises(KeyboardInterrupt):
            roll_back_batch(shop, lake, "day", reason="wrong")
    assert read_statuses(lake) == {("day", 1): "superseded", ("day", 2): "published"}
    seen, version = read_current(lake), table_version(lake, CURRENT)
    roll_back_batch(shop, lake, "day", reason="wrong")
    assert (read_current(lake), table_version(lake, CURRENT)) == (seen, version)
    assert read_statuses(lake) == {("day", 1): "published", ("day", 2): "rolled_back"}
    roll_back_batch(shop, lake, "day", reason="version 1 is wrong too")
    assert read_current(lake) == {}
    assert set(read_statuses(lake).values()) == {"rolled_back"}


def test_a_publication_that_was_killed_before_it_was_noted_can_be_taken_back_or_gone_on_with(lake: Lake) -> None:
    shop, batch = make_shop(), score(lake, 1, FIRST)
    publish_predictions(lake, batch, key=KEY)
    publish_batch(shop, lake, "day", reason="it was killed")
    assert read_statuses(lake) == {("day", 1): "published"}
    second = score(lake, 2, SECOND)
    publish_predictions(lake, second, key=KEY)
    roll_back_batch(shop, lake, "day", reason="wrong")
    assert read_current(lake) == {"a": (0.1, 1), "b": (0.2, 1)}
    assert read_statuses(lake) == {("day", 1): "published", ("day", 2): "rolled_back"}


def test_a_version_that_published_twice_is_followed_through_both(lake: Lake) -> None:
    shop, first = make_shop(), score(lake, 1, FIRST)
    publish(lake, first)
    publish(lake, score(lake, 2, SECOND))
    publish_batch(shop, lake, "day", version=1, reason="back")
    for expected in ((2, "published"), (1, "published")):
        roll_back_batch(shop, lake, "day", reason="once more")
        assert [(v, s) for (_, v), s in read_statuses(lake).items() if s == "published"] == [expected]
    roll_back_batch(shop, lake, "day", reason="once more")
    assert read_current(lake) == {}
    with pytest.raises(ConfigError, match="not published, so there is nothing to take back"):
        roll_back_batch(shop, lake, "day", reason="once more")


def test_a_held_batch_is_published_by_a_person_and_a_published_one_is_not_held(lake: Lake) -> None:
    shop = make_shop()
    score(lake, 1, FIRST)
    held = hold_batch(shop, lake, "day", reason="weather is late")
    assert held.undo == ("publish shop day --version 1",)
    assert hold_batch(shop, lake, "day", reason="weather is late").changed == ()
    assert read_current(lake) == {}
    publish_batch(shop, lake, "day", reason="weather came")
    assert publish_batch(shop, lake, "day", reason="weather came").changed == ()
    assert read_current(lake) == {"a": (0.1, 1), "b": (0.2, 1)}
    with pytest.raises(ConfigError, match="batches rollback shop day"):
        hold_batch(shop, lake, "day", reason="too late")


def test_a_batch_without_rows_is_published_and_taken_back(lake: Lake) -> None:
    shop = make_shop()
    publish(lake, score(lake, 1, FIRST, batch="full"))
    publish(lake, score(lake, 1, {}, batch="empty"))
    assert read_statuses(lake)["empty", 1] == "published"
    roll_back_batch(shop, lake, "empty", reason="nothing in it")
    assert read_statuses(lake) == {("full", 1): "published", ("empty", 1): "rolled_back"}
    assert len(read_current(lake)) == len(FIRST)


@pytest.mark.parametrize("reason", ["", "  ", "\x00", "x" * 2001])
def test_a_reason_that_says_nothing_is_refused(lake: Lake, reason: str) -> None:
    with pytest.raises(ConfigError, match="--reason"):
        roll_back_batch(make_shop(), lake, "day", reason=reason)


def test_a_batch_that_is_not_there_is_told_with_those_that_are(lake: Lake) -> None:
    publish(lake, score(lake, 1, FIRST))
    for name in ("dya", "", "day' OR '1'='1", "x" * 500, "Tag \U0001f600"):
        with pytest.raises(ConfigError, match=r"shop has no batch .*newest first: day\."):
            roll_back_batch(make_shop(), lake, name, reason="wrong")


def test_what_was_vacuumed_cannot_come_back_and_nothing_changes(lake: Lake) -> None:
    publish(lake, score(lake, 1, FIRST))
    publish(lake, score(lake, 2, {"a": 0.8, "b": 0.7}))
    lake.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    try:
        lake.spark.sql(f"VACUUM delta.`{lake.root}/{CURRENT}` RETAIN 0 HOURS")
    finally:
        lake.spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
    seen = read_current(lake)
    with pytest.raises(TableNotFoundError, match="cannot go back to v"):
        roll_back_batch(make_shop(), lake, "day", reason="wrong")
    assert read_current(lake) == seen


def test_rows_of_the_same_version_that_were_replaced_come_back(lake: Lake) -> None:
    publish(lake, score(lake, 1, FIRST))
    publish(lake, score(lake, 1, SECOND))
    assert read_current(lake) == {"a": (0.8, 1), "c": (0.9, 1)}
    roll_back_batch(make_shop(), lake, "day", reason="wrong")
    assert read_current(lake) == {"a": (0.1, 1), "b": (0.2, 1)}
    assert read_statuses(lake) == {("day", 1): "rolled_back"}
    assert replace(read_batches(lake)[0]).history[-1].reason == "wrong"
