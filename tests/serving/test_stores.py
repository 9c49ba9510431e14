"""Both stores keep the same promises; what is wrong with one of them is told."""

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_ops.errors import ConfigError, ConflictError, SetupError
from sparkml_ops.serving.publication import Pending, Publication, ServedColumn
from sparkml_ops.serving.stores.protocol import PAGE, Change, FeatureStore
from sparkml_ops.serving.stores.redis import RedisFeatures
from sparkml_ops.serving.stores.sqlite import SqliteFeatures
from tests.redis_server import RedisServer

FIRST = Publication(
    view="profile",
    generation="g1",
    table="features_profile",
    table_id="id",
    version=3,
    rows_version=2,
    published_at=10,
    through=20,
    entity=(ServedColumn("customer", "string"),),
    columns=(
        ServedColumn("town", "string"),
        ServedColumn("tags", {"type": "array", "elementType": "string", "containsNull": True}),
    ),
    counts=(),
    ttl=None,
    run_id="run-1",
)
NASTY = [b"", b"1:a", "3:\u00e9😀".encode(), b"9:a\x00b:c|d%'\"", b"2:{}", b"3:a*?"]


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FeatureStore]:
    if request.param == "sqlite":
        opened: FeatureStore = SqliteFeatures(str(tmp_path / "folder" / "online.sqlite"))
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        server.connect().flushall()
        opened = RedisFeatures(server.url, "shop")
    with closing(opened):
        yield opened


def publish(store: FeatureStore, target: Publication, *changes: Change) -> None:
    pending = Pending("token", target)
    store.begin(pending)
    store.put(pending, changes)
    store.commit(pending)


def test_what_was_put_is_found_as_it_was(store: FeatureStore) -> None:
    keys = NASTY[1:]
    publish(store, FIRST, *(Change(key, b"content of " + key) for key in keys))
    found = store.find({"profile": [*reversed(keys), b"1:x", keys[0]], "other": [b"1:a"]})
    assert found.keys() == {"profile"}
    assert found["profile"].publication == FIRST
    assert found["profile"].records == [*(b"content of " + key for key in reversed(keys)), None, b"content of 1:a"]
    assert store.find({}) == {}


def test_a_scan_tells_every_record(store: FeatureStore) -> None:
    records = {b"%d" % number: b"-" for number in range(2 * PAGE + 1)}
    publish(store, FIRST, *(Change(key, content) for key, content in records.items()))
    publish(store, replace(FIRST, version=4), Change(b"0", None), Change(b"1", b"new"))
    scanned = {change.key: change.content for page in store.scan(FIRST) for change in page}
    del records[b"0"]
    assert scanned == {**records, b"1": b"new"}


def test_another_generation_is_seen_at_its_end_and_the_old_one_is_gone(store: FeatureStore) -> None:
    publish(store, FIRST, Change(b"1:a", b"old"))
    pending = Pending("token", replace(FIRST, generation="g2", version=4))
    store.begin(pending)
    store.put(pending, [Change(b"1:a", b"new")])
    assert store.find({"profile": [b"1:a"]})["profile"].records == [b"old"]
    assert store.read_states()["profile"].pending == pending
    store.commit(pending)
    found = store.find({"profile": [b"1:a"]})["profile"]
    assert (found.records, found.publication.version) == ([b"new"], 4)
    assert store.read_states()["profile"].pending is None
    store.forget("profile")
    assert (store.find({"profile": [b"1:a"]}), store.read_states()) == ({}, {})


def test_no_page_is_written_by_one_who_was_taken_over(store: FeatureStore) -> None:
    slow, quick = Pending("slow", FIRST), Pending("quick", FIRST)
    store.begin(slow)
    store.put(slow, [Change(b"1:a", b"slow")])
    store.begin(quick)
    with pytest.raises(ConflictError, match="another publishing of profile has begun"):
        store.put(slow, [Change(b"1:a", b"late"), Change(b"1:b", b"late")])
    with pytest.raises(ConflictError, match="another publishing of profile has begun"):
        store.commit(slow)
    store.commit(quick)
    assert store.find({"profile": [b"1:a", b"1:b"]})["profile"].records == [b"slow", None]


def test_views_whose_names_begin_alike_are_apart(store: FeatureStore) -> None:
    publish(store, replace(FIRST, view="a"), Change(b"1:a", b"of a"))
    publish(store, replace(FIRST, view="a_b"), Change(b"1:a", b"of a_b"))
    publish(store, replace(FIRST, view="a", generation="g2"))
    store.forget("a")
    assert store.find({"a_b": [b"1:a"]})["a_b"].records == [b"of a_b"]


def test_sqlite_readers_see_whole_transactions(tmp_path: Path) -> None:
    with (
        closing(SqliteFeatures(str(tmp_path / "x.sqlite"))) as writer,
        closing(SqliteFeatures(str(tmp_path / "x.sqlite"))) as reader,
    ):
        publish(writer, FIRST, Change(b"1:a", b"old"))
        with writer._write() as connection:
            connection.execute('UPDATE "rows:profile:g1" SET content = ?', (b"new",))
            assert reader.find({"profile": [b"1:a"]})["profile"].records == [b"old"]
        assert reader.find({"profile": [b"1:a"]})["profile"].records == [b"new"]


def test_a_file_that_was_removed_and_published_anew_is_served_by_readers_that_were_there(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(SqliteFeatures(str(path))) as writer, closing(SqliteFeatures(str(path))) as reader:
        publish(writer, FIRST, Change(b"1:a", b"old"))
        assert reader.find({"profile": [b"1:a"]})["profile"].records == [b"old"]
        for file in tmp_path.iterdir():
            file.unlink()
        assert reader.find({"profile": [b"1:a"]}) == {}
        publish(writer, FIRST, Change(b"1:a", b"new"))
        assert reader.find({"profile": [b"1:a"]})["profile"].records == [b"new"]


def test_a_full_disk_is_told_as_that_and_the_store_stays_as_it_was(tmp_path: Path) -> None:
    with closing(SqliteFeatures(str(tmp_path / "x.sqlite"))) as store:
        publish(store, FIRST, Change(b"1:a", b"old"))
        store._connect().execute("PRAGMA max_page_count = 12")
        with pytest.raises(SetupError, match="database or disk is full"):
            publish(store, FIRST, *(Change(b"%d" % number, bytes(3000)) for number in range(100)))
        assert store.find({"profile": [b"1:a"]})["profile"].records == [b"old"]


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    theirs, garbage = tmp_path / "theirs.db", tmp_path / "garbage.db"
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute("CREATE TABLE runs (id)")
    garbage.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    before = theirs.read_bytes()
    for path, message in (
        (theirs, "is an SQLite file of something else"),
        (garbage, "file is not a database"),
        (tmp_path, "unable to open"),
    ):
        with closing(SqliteFeatures(str(path))) as store, pytest.raises(SetupError, match=message):
            store.read_states()
    assert theirs.read_bytes() == before


def test_redis_that_lost_records_does_not_answer_that_nothing_is_known(redis_server: RedisServer) -> None:
    redis_server.connect().flushall()
    with closing(RedisFeatures(redis_server.url, "shop")) as store:
        publish(store, FIRST, Change(b"1:a", b"-"))
        redis_server.connect().delete("sparkml_ops:{shop}:rows:profile:g1")
        with pytest.raises(SetupError, match="records of profile are gone from Redis"):
            store.find({"profile": [b"1:a"]})


def test_redis_that_is_not_there_is_told_without_its_password(redis_server: RedisServer) -> None:
    for url, error in (("redis://:hidden@127.0.0.1:1/0", SetupError), ("redis://:hidden@[/0", ConfigError)):
        with closing(RedisFeatures(url, "shop")) as store, pytest.raises(error) as told:
            store.read_states()
        assert "hidden" not in str(told.value)
    wrong = redis_server.url.replace("p%40ss", "wrong")
    with closing(RedisFeatures(wrong, "shop")) as store, pytest.raises(SetupError, match="Redis cannot be used"):
        store.read_states()


def test_a_redis_store_is_sent_to_tasks_without_its_connection(redis_server: RedisServer) -> None:
    redis_server.connect().flushall()
    with closing(RedisFeatures(redis_server.url, "shop")) as store:
        publish(store, FIRST, Change(b"1:a", b"-"))
        with closing(pickle.loads(pickle.dumps(store))) as copy:
            assert copy.find({"profile": [b"1:a"]})["profile"].records == [b"-"]
