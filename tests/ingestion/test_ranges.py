"""A range ends where no row can come to any more, and the next begins there."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from sparkml_ops.ingestion.readers.ranges import (
    Mark,
    MarkRange,
    end_of_range,
    parse_mark,
    parse_range,
    split_conditions,
)

NOON = datetime(2026, 1, 2, 12)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("2026-01-01 12:00:00.123456+02", datetime(2026, 1, 1, 10, 0, 0, 123456)),
        ("2026-01-01 12:00:00", datetime(2026, 1, 1, 12)),
        ("2026-01-01", date(2026, 1, 1)),
        ("-98765432109876543210", Decimal(-98765432109876543210)),
        ("2026-01-01 12:00:00.123456700", None),
        ("infinity", None),
        ("NaN", None),
        ("1.5", None),
        ("0044-03-15 BC", None),
    ],
)
def test_a_mark_is_exact_or_none(text: str, mark: Mark | None) -> None:
    assert parse_mark(text) == mark


@pytest.mark.parametrize(
    ("newest", "lag", "end"),
    [
        (datetime(2026, 1, 1), timedelta(minutes=5), datetime(2026, 1, 1)),
        (datetime(2026, 1, 2, 11, 59), timedelta(minutes=5), datetime(2026, 1, 2, 11, 55)),
        (datetime(2030, 1, 1), timedelta(0), NOON),
        (date(2026, 1, 2), timedelta(0), date(2026, 1, 1)),
        (date(2026, 1, 1), timedelta(hours=13), date(2025, 12, 31)),
        (Decimal(7), timedelta(hours=1), Decimal(7)),
    ],
)
def test_a_range_ends_where_nothing_is_still_to_come(newest: Mark, lag: timedelta, end: Mark) -> None:
    assert end_of_range(newest, NOON, lag) == end


@pytest.mark.parametrize(
    ("low", "high", "condition"),
    [
        (None, datetime(2026, 1, 1), "c <= {ts '2026-01-01 00:00:00.000000'}"),
        (
            datetime(2026, 1, 1),
            datetime(2026, 1, 1, 0, 0, 0, 5),
            "c > {ts '2026-01-01 00:00:00.000000'} AND c <= {ts '2026-01-01 00:00:00.000005'}",
        ),
        (date(2026, 1, 1), date(2026, 1, 3), "c > {d '2026-01-01'} AND c <= {d '2026-01-03'}"),
        (Decimal(-5), Decimal(98765432109876543210), "c > -5 AND c <= 98765432109876543210"),
    ],
)
@pytest.mark.parametrize("column", ["c", "Last Change", "after up to"])
def test_the_name_of_a_range_tells_it_whole(low: Mark | None, high: Mark, condition: str, column: str) -> None:
    named = MarkRange('public."my: orders"', column, low, high)
    assert parse_range(str(named)) == named
    assert named.condition("c") == condition


def test_what_names_no_range() -> None:
    assert parse_range("public.orders at 2026-01-01T00:00:00+00:00") is None
    assert parse_range("file:/landing/a.csv") is None


@pytest.mark.parametrize(("low", "high", "partitions"), [(0, 99, 8), (-7, 7, 3), (5, 6, 10), (0, 2**62, 4)])
def test_every_number_has_one_partition(low: int, high: int, partitions: int) -> None:
    conditions = split_conditions("n", low, high, partitions)
    assert len(conditions) == min(partitions, high - low + 1)
    for number in [low - 1, low, (low + high) // 2, high, high + 1]:
        met = [eval(text.replace(" OR n IS NULL", "").replace("AND", "and"), {"n": number}) for text in conditions]
        assert met.count(True) == 1
    assert [text for text in conditions if "IS NULL" in text] == conditions[:1]


def test_one_number_is_not_parted() -> None:
    assert split_conditions("n", 5, 5, 8) == []
