"""What is left out of an increment, and what a request looks like by day."""

from datetime import UTC, date, datetime
from typing import Any

from sparkml_ops.lake import Lake
from sparkml_ops.scoring.calendar import ScoringDay, fill_gaps
from sparkml_ops.scoring.increment import digest_features, select_changed

KEY, COLUMNS = ["customer"], ["amount", "town"]
EARLY, NOON, LATE = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (6, 12, 18))


def test_only_new_newer_and_changed_rows_are_scored(lake: Lake) -> None:
    published = lake.spark.createDataFrame(
        [(n, NOON, 1, 10.0, "a") for n in range(6)] + [(6, NOON, 1, None, "a"), (7, NOON, 2, 10.0, "a")],
        "customer int, as_of timestamp, model_version int, amount double, town string",
    ).withColumn("features_digest", digest_features(COLUMNS))
    published = published.unionByName(
        lake.spark.createDataFrame(
            [(8, NOON, 1, 10.0, "a", None)],
            "customer int, as_of timestamp, model_version int, amount double, town string, features_digest long",
        )
    )
    asked = {
        0: (NOON, 10.0, "a", False),  # as it is published
        1: (LATE, 10.0, "a", True),  # a newer moment
        2: (EARLY, 10.0, "a", False),  # a newer moment is published
        3: (NOON, 11.0, "a", True),  # a feature changed
        4: (NOON, None, "a", True),  # a feature went missing
        5: (NOON, 10.0, None, True),
        6: (NOON, None, "a", False),  # it was missing before too
        7: (NOON, 10.0, "a", True),  # another version published it
        8: (NOON, 10.0, "a", True),  # published before digests were kept
        9: (NOON, 10.0, "a", True),  # new
    }
    rows: list[Any] = [(key, at, amount, town) for key, (at, amount, town, _) in asked.items()]
    features = lake.spark.createDataFrame(rows, "customer int, at timestamp, amount double, town string")
    changed = select_changed(features, published, key=KEY, as_of="at", version=1, columns=COLUMNS)
    assert changed.columns == features.columns
    assert {row.customer for row in changed.collect()} == {key for key, (*_, is_due) in asked.items() if is_due}


def test_a_missing_value_is_told_by_its_column(lake: Lake) -> None:
    rows = lake.spark.createDataFrame([(1.0, None), (None, 1.0), (1.0, 1.0)], "amount double, town double")
    found = [row[0] for row in rows.select(digest_features(COLUMNS)).collect()]
    assert len(set(found)) == len(found)


def test_days_that_nothing_is_asked_of_are_gaps() -> None:
    def make_day(day: date | None, asked: int = 5) -> ScoringDay:
        return ScoringDay(day, asked, 0, asked, 0, 0, 0, 0)

    found = fill_gaps([make_day(date(2026, 1, 4)), make_day(None), make_day(date(2026, 1, 2))])
    days = [date(2026, 1, 2), date(2026, 1, 3), date(2026, 1, 4)]
    assert [(one.day, one.asked) for one in found] == [(None, 5), (days[0], 5), (days[1], 0), (days[2], 5)]
    assert fill_gaps([]) == []
    assert fill_gaps([make_day(None)]) == [make_day(None)]
