"""Changes of rows: the latest by their own order holds, in whatever order and files they come."""

from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.ingestion import SourceResult, ingest, read_quarantine, replay
from sparkml_ops.ingestion import merge as merge_module
from sparkml_ops.lake import Lake, merge_rows, query_tables, read_table, table_exists, table_version
from tests.ingestion.test_ingest import shop

COLUMNS = {
    "id": {"type": "long"},
    "price": {"type": "double"},
    "op": {"type": "string", "in": ["c", "u", "d", "r"]},
    "at": {"type": "timestamp"},
    "seq": {"type": "int"},
}
ORDER = {"order_by": ["at", "seq"], "deleted_when": "op = 'd'"}


def feed(landing: Path, environment: Environment, **options: Any) -> UseCase:
    """A feed of changes; the dataset, which is not looked at here, wants a day."""
    given = {
        "mode": "merge",
        "merge": ORDER,
        "columns": COLUMNS,
        "derive": {"day": "date(at)"},
        "max_violation_ratio": 1.0,
    }
    given |= options
    return shop(landing, environment, **given)


def line(key: object, price: object, minute: int, *, op: str = "u", seq: object = 1) -> str:
    return f"{key},{price},{op},2026-01-01 00:{minute:02d}:00,{seq}"


class Feed:
    """Lands files and takes each in as a batch of its own."""

    def __init__(self, lake: Lake, landing: Path, use_case: UseCase) -> None:
        self.lake, self.landing, self.use_case, self.files = lake, landing, use_case, 0

    def land(self, *lines: str) -> None:
        self.files += 1
        (self.landing / f"{self.files:03d}.csv").write_text("\n".join(["id,price,op,at,seq", *lines]) + "\n")

    def take(self, *lines: str, full: bool = False) -> SourceResult:
        if lines:
            self.land(*lines)
        return ingest(self.use_case, self.lake, full=full).sources[0]

    def prices(self) -> dict[int, float]:
        rows = read_table(self.lake, "clean_orders").collect()
        assert len({row["id"] for row in rows}) == len(rows), "a key is there twice"
        return {row["id"]: row["price"] for row in rows}

    def reasons(self) -> list[tuple[str, ...]]:
        return sorted(tuple(row["reasons"]) for row in read_quarantine(self.lake, "orders").collect())


@pytest.fixture
def changes(lake: Lake, landing: Path, environment: Environment) -> Feed:
    return Feed(lake, landing, feed(landing, environment))


def told(result: SourceResult) -> tuple[int, ...]:
    """Rows in = put in + deleted + superseded + quarantined."""
    parts = (result.rows_clean, result.rows_deleted, result.rows_superseded, result.rows_quarantined)
    assert result.rows_in == sum(parts)
    return parts


def test_a_late_change_is_superseded_and_counted(changes: Feed) -> None:
    changes.take(line(1, 10, 1), line(2, 20, 5))
    result = changes.take(line(1, 11, 3), line(2, 19, 4), line(3, 30, 1))
    assert told(result) == (2, 0, 1, 0)
    assert changes.prices() == {1: 11.0, 2: 20.0, 3: 30.0}
    details = query_tables(changes.lake, "SELECT details FROM runs ORDER BY ended_at DESC LIMIT 1")[0].first()[
        "details"
    ]
    assert {name: details[name] for name in ("rows_in", "rows_put_in", "rows_superseded")} == {
        "rows_in": "3", "rows_put_in": "2", "rows_superseded": "1",
    }  # fmt: skip
    figures = query_tables(
        changes.lake, f"SELECT value FROM metrics WHERE name = 'rows_superseded' AND batch_id = '{result.batch_id}'"
    )[0]
    assert [row["value"] for row in figures.collect()] == [1.0]


def test_of_a_batch_the_latest_holds_and_the_second_column_breaks_ties(changes: Feed) -> None:
    result = changes.take(line(1, 10, 1), line(1, 12, 2, seq=2), line(1, 11, 2), line(1, 9, 0))
    assert (told(result), changes.prices()) == ((1, 0, 3, 0), {1: 12.0})


def test_a_deletion_that_comes_first_is_remembered_and_a_later_row_brings_the_key_back(changes: Feed) -> None:
    changes.take(line(9, 1, 1))
    assert told(changes.take(line(1, "", 5, op="d"))) == (0, 1, 0, 0)
    assert told(changes.take(line(1, 10, 4))) == (0, 0, 1, 0)
    assert changes.prices() == {9: 1.0}
    assert told(changes.take(line(1, 11, 6))) == (1, 0, 0, 0)
    assert told(changes.take(line(1, "", 5, op="d", seq=2), line(9, "", 2, op="d"))) == (0, 1, 1, 0)
    assert changes.prices() == {1: 11.0}


def test_a_deletion_needs_no_more_than_key_order_and_what_tells_it(changes: Feed) -> None:
    changes.take(line(1, 10, 1))
    result = changes.take(line(1, "", 2, op="d"), line(2, "", 2, op="u"), line("", "", 3, op="d"))
    assert told(result) == (0, 1, 0, 2)
    assert changes.reasons() == [("id: is null", "key: id is null"), ("price: is null",)]


def test_copies_are_superseded_and_contradictions_go_to_quarantine(changes: Feed) -> None:
    same = line(1, 10, 1)
    first = changes.take(same, same, line(2, 20, 1), line(2, 21, 1), line(2, 19, 0))
    assert told(first) == (2, 0, 1, 2)
    assert changes.prices() == {1: 10.0, 2: 19.0}
    again = changes.take(same, line(2, 19, 0, op="d"))
    assert told(again) == (0, 0, 1, 1)
    other = changes.take(line(1, 11, 1), line(2, 19, 0))
    assert told(other) == (0, 0, 1, 1)
    assert set(changes.reasons()) == {("merge: another row of the key has the same order and other values",)}
    assert changes.prices() == {1: 10.0, 2: 19.0}


def test_a_change_without_an_order_or_from_the_future_goes_to_quarantine(changes: Feed) -> None:
    ahead = "1,99,u,9999-12-31 00:00:00,1"
    result = changes.take(line(1, 10, 1), ahead, line(2, 20, 1, seq=""), "3,30,u,,1")
    assert (told(result), changes.prices()) == ((1, 0, 0, 3), {1: 10.0})
    assert changes.reasons() == [
        ("at: is null", "merge: at is null"),
        ("at: is outside 1678 … 2261", "merge: at is more than 1d ahead of the batch"),
        ("seq: is null", "merge: seq is null"),
    ]


def test_keys_are_what_they_are(lake: Lake, landing: Path, environment: Environment) -> None:
    """Text byte by byte, whole numbers past 2^53 to the unit, one zero."""
    columns = {**COLUMNS, "id": {"type": "string"}}
    texts = Feed(lake, landing, feed(landing, environment, columns=columns))
    composed, apart = "\u00e9", "e\u0301"
    texts.take(line(composed, 1, 1), line(apart, 2, 1), line('" a"', 3, 1), line("a", 4, 1), line('""', 5, 1))
    result = texts.take(line(composed, 10, 2), line(apart, 20, 2), line("a", 40, 2))
    assert told(result) == (3, 0, 0, 0)
    assert texts.prices() == {composed: 10.0, apart: 20.0, " a": 3.0, "a": 40.0}


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        ("long", (["9007199254740992", "9007199254740993"], ["9007199254740993"]), {2**53: 1.0, 2**53 + 1: 2.0}),
        ("double", (["0.0", "NaN"], ["-0.0"]), {0.0: 2.0}),
    ],
)
def test_numbers_as_keys(
    lake: Lake,
    landing: Path,
    environment: Environment,
    kind: str,
    keys: tuple[list[str], list[str]],
    expected: object,
) -> None:
    numbers = Feed(lake, landing, feed(landing, environment, columns={**COLUMNS, "id": {"type": kind}}))
    first, second = keys
    numbers.take(*[line(key, 1, 1) for key in first])
    assert told(numbers.take(*[line(key, 2, 2) for key in second])) == (len(second), 0, 0, 0)
    assert numbers.prices() == expected


def test_a_batch_that_changes_nothing_leaves_the_table_as_it_is(changes: Feed) -> None:
    changes.take(line(1, 10, 2))
    version = table_version(changes.lake, "clean_orders")
    changes.land()
    assert told(changes.take()) == (0, 0, 0, 0)
    assert told(changes.take(line(1, 9, 1), line(1, 10, 2))) == (0, 0, 2, 0)
    assert told(changes.take(line(1, "x", 3), line(2, "", 3))) == (0, 0, 0, 2)
    assert table_version(changes.lake, "clean_orders") == version
    assert changes.take().status == "no_change"
    assert not table_exists(changes.lake, "deleted_orders")


def test_a_column_of_nothing_but_nulls_is_merged(lake: Lake, landing: Path, environment: Environment) -> None:
    columns = {**COLUMNS, "price": {"type": "double", "nullable": True}}
    nulls = Feed(lake, landing, feed(landing, environment, columns=columns))
    nulls.take(line(1, 10, 1), line(2, "", 1))
    assert told(nulls.take(line(1, "", 2), line(2, "", 1))) == (1, 0, 1, 0)
    assert nulls.prices() == {1: None, 2: None}


def test_a_replayed_row_goes_through_the_same_merge(changes: Feed, environment: Environment) -> None:
    strict = {**COLUMNS, "price": {"type": "double", "between": [0, 50]}}
    narrow = feed(changes.landing, environment, columns=strict)
    wide, changes.use_case = changes.use_case, narrow
    changes.take(line(1, 10, 3), line(2, 20, 1), line(3, 30, 1))
    changes.take(line(1, 99, 2), line(2, 98, 2), line(4, 97, 1))
    result = replay(wide, changes.lake, "orders")
    assert (result.rows_open, result.rows_decided, result.rows_left) == (3, 3, 0)
    assert changes.prices() == {1: 10.0, 2: 98.0, 3: 30.0, 4: 97.0}
    assert replay(wide, changes.lake, "orders").rows_open == 0


@pytest.mark.parametrize("commits", [1, 2], ids=["after the tombstones", "after the rows"])
def test_a_batch_that_is_cut_off_is_gone_on_with_as_it_was_begun(
    changes: Feed, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    changes.take(line(1, 10, 1), line(2, 20, 1))
    changes.land(line(1, "", 2, op="d"), line(2, 21, 2), line(2, 19, 0))
    with monkeypatch.context() as patch:
        cut_off_after(commits, patch)
        with pytest.raises(KeyboardInterrupt):
            changes.take()
    changes.land(line(1, 11, 1, seq=9))
    assert told(changes.take()) == (1, 1, 1, 0)
    assert told(changes.take()) == (0, 0, 1, 0)
    assert changes.prices() == {2: 21.0}


@pytest.mark.parametrize("commits", [1, 2], ids=["after the tombstones", "after the rows"])
def test_a_replay_that_is_cut_off_is_made_good_by_the_next(
    changes: Feed, environment: Environment, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    strict = {**COLUMNS, "op": {"type": "string", "in": ["u"]}}
    wide, changes.use_case = changes.use_case, feed(changes.landing, environment, columns=strict)
    changes.take(line(1, 10, 1), line(2, 20, 1), line(1, "", 2, op="d"), line(2, 21, 2, op="c"))
    with monkeypatch.context() as patch:
        cut_off_after(commits, patch)
        with pytest.raises(KeyboardInterrupt):
            replay(wide, changes.lake, "orders")
    replay(wide, changes.lake, "orders")
    assert changes.prices() == {2: 21.0}
    assert {row["status"] for row in read_quarantine(changes.lake, "orders").collect()} == {"replayed"}


def cut_off_after(commits: int, patch: pytest.MonkeyPatch) -> None:
    """Stop the program when so many merges were committed."""
    done = []

    def merge_and_stop(*arguments: Any, **options: Any) -> Any:
        result = merge_rows(*arguments, **options)
        done.append(result)
        if len(done) == commits:
            raise KeyboardInterrupt
        return result

    patch.setattr(merge_module, "merge_rows", merge_and_stop)


def test_a_feed_of_a_delta_table_s_changes_also_where_a_key_is_changed(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    columns = {
        "id": {"type": "int"}, "price": {"type": "double"}, "day": {"type": "date"},
        "change": {"type": "string"}, "version": {"type": "long"},
    }  # fmt: skip
    use_case = shop(
        landing, environment, columns=columns, mode="merge",
        derive={"is_after": "if(change in ('insert', 'update_postimage'), 1, 0)"},
        merge={"order_by": ["version", "is_after"], "deleted_when": "change in ('delete', 'update_preimage')"},
    )  # fmt: skip
    header, day = "id,price,day,change,version\n", "2026-01-01"
    (landing / "a.csv").write_text(
        f"{header}1,10,{day},insert,1\n2,20,{day},insert,1\n1,10,{day},update_preimage,2\n1,11,{day},update_postimage,2\n"
    )
    ingest(use_case, lake)
    (landing / "b.csv").write_text(f"{header}2,20,{day},update_preimage,3\n5,20,{day},update_postimage,3\n")
    result = ingest(use_case, lake).sources[0]
    assert told(result) == (1, 1, 0, 0)
    assert sorted((row["id"], row["price"]) for row in read_table(lake, "clean_orders").collect()) == [(1, 11), (5, 20)]
