"""Every version of a row, and whatever the order of the files: the same table."""

import random
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.lake import Lake, read_table, table_version
from tests.ingestion.test_merge import ORDER, Feed, feed, line, told

MIDNIGHT = datetime(2026, 1, 1)
Version = tuple[int, float, int, int | None]
"""Key, price, first minute, first minute that is no more in it."""


def history(lake: Lake) -> list[Version]:
    rows = read_table(lake, "clean_orders").collect()

    def minute(at: datetime | None) -> int | None:
        return None if at is None else round((at - MIDNIGHT).total_seconds() / 60)

    versions = [(r["id"], r["price"], minute(r["valid_from"]), minute(r["valid_to"])) for r in rows]
    return sorted(versions, key=lambda version: (version[0], version[2]))


@pytest.fixture
def versions(lake: Lake, landing: Path, environment: Environment) -> Feed:
    return Feed(lake, landing, feed(landing, environment, merge=ORDER | {"history": True}))


def test_a_late_change_splits_an_interval_and_a_deletion_ends_one(versions: Feed) -> None:
    versions.take(line(1, 10, 1), line(1, 50, 5), line(2, 20, 1))
    assert history(versions.lake) == [(1, 10, 1, 5), (1, 50, 5, None), (2, 20, 1, None)]
    assert told(versions.take(line(1, 30, 3), line(2, "", 4, op="d"))) == (1, 1, 0, 0)
    assert history(versions.lake) == [(1, 10, 1, 3), (1, 30, 3, 5), (1, 50, 5, None), (2, 20, 1, 4)]
    assert told(versions.take(line(2, 22, 6), line(2, 19, 3), line(1, "", 2, op="d"))) == (2, 1, 0, 0)
    assert history(versions.lake) == [
        (1, 10, 1, 2), (1, 30, 3, 5), (1, 50, 5, None), (2, 20, 1, 3), (2, 19, 3, 4), (2, 22, 6, None),
    ]  # fmt: skip


def test_of_one_moment_the_latest_counts_and_what_comes_again_changes_nothing(versions: Feed) -> None:
    versions.take(line(1, 10, 1), line(1, 20, 2), line(1, 21, 2, seq=3))
    assert history(versions.lake) == [(1, 10, 1, 2), (1, 21, 2, None)]
    version = table_version(versions.lake, "clean_orders")
    assert told(versions.take(line(1, 10, 1), line(1, 21, 2, seq=3), line(1, 20, 2))) == (0, 0, 3, 0)
    assert told(versions.take(line(1, 22, 2, seq=3))) == (0, 0, 0, 1)
    assert table_version(versions.lake, "clean_orders") == version
    assert told(versions.take(line(1, "", 2, op="d", seq=4), line(1, 30, 0))) == (1, 1, 0, 0)
    assert history(versions.lake) == [(1, 30, 0, 1), (1, 10, 1, 2)]


def test_only_versions_next_to_a_change_are_written(versions: Feed) -> None:
    versions.take(*[line(key, minute, minute) for key in (1, 2) for minute in (1, 3, 5)])
    versions.take(line(1, 4, 4))
    change = versions.lake.spark.sql(f"DESCRIBE HISTORY delta.`{versions.lake.root}/clean_orders` LIMIT 1").first()
    metrics = change["operationMetrics"]
    assert (metrics["numTargetRowsInserted"], metrics["numTargetRowsUpdated"]) == ("1", "1")


Event = tuple[int, int, int, float | None]
"""Key, minute, sequence, price; no price for a deletion."""


def make_events(*, keys: int, seed: int) -> list[Event]:
    """For each key up to eight changes of few moments, with deletions, copies and sequences at one moment."""
    chosen = random.Random(seed)
    events: dict[tuple[int, int, int], Event] = {}
    for key in range(keys):
        for _ in range(chosen.randint(1, 8)):
            place = (key, chosen.randint(0, 6), chosen.randint(1, 2))
            price = None if chosen.random() < 0.3 else float(chosen.randint(1, 99))
            events.setdefault(place, (*place, price))
    copies = chosen.sample(sorted(events), len(events) // 5)
    return [*events.values(), *(events[place] for place in copies)]


def expect_rows(events: list[Event], *, keeps_history: bool) -> Any:
    """The table, told by a few lines of plain Python that know nothing of batches."""
    by_key: dict[int, dict[int, Event]] = defaultdict(dict)
    for event in sorted(events, key=lambda e: e[:3]):
        by_key[event[0]][event[1]] = event
    if not keeps_history:
        latest = {key: changes[max(changes)] for key, changes in by_key.items()}
        return {key: event[3] for key, event in latest.items() if event[3] is not None}
    rows: list[Version] = []
    for key, changes in by_key.items():
        moments = [*sorted(changes), None]
        rows += [
            (key, price, start, end)
            for start, end in pairwise(moments)
            if start is not None and (price := changes[start][3]) is not None
        ]
    return sorted(rows, key=lambda row: (row[0], row[2]))


def to_line(event: Event) -> str:
    key, minute, sequence, price = event
    return line(key, "" if price is None else price, minute, op="d" if price is None else "u", seq=sequence)


@pytest.mark.parametrize("keeps_history", [False, True], ids=["current rows", "history"])
def test_files_in_any_order_make_the_same_table(
    lake: Lake, landing: Path, environment: Environment, *, keeps_history: bool
) -> None:
    """Each key is an example: its changes are spread over three files at random."""
    events = make_events(keys=150, seed=7)
    random.Random(11).shuffle(events)
    files = [[to_line(event) for event in events[part::3]] for part in range(3)]
    use_case = feed(landing, environment, merge=ORDER | {"history": keeps_history})
    changes = Feed(lake, landing, use_case)

    def table() -> Any:
        return history(lake) if keeps_history else changes.prices()

    expected = expect_rows(events, keeps_history=keeps_history)
    for lines in files:
        told(changes.take(*lines))
    assert table() == expected
    told(changes.take(*files[0]))
    assert table() == expected, "a file that is taken in again under another name changed something"
    told(changes.take(full=True))
    assert table() == expected
