"""Values as people read them, and distributions over equal bins."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sparkml_ops.reporting.formats import (
    format_count,
    format_figure,
    format_instant,
    format_interval,
    format_number_of,
    format_seconds,
    format_share,
    shorten,
)
from sparkml_ops.reporting.shares import BINS, share_bins, spread_counts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.78123, "0.781"), (0.78, "0.780"), (12.345, "12.3"), (99.96, "100"), (4560.2, "4,560"), (0.0, "0"),
        (0.000012, "1.2e-05"), (-0.0234, "-0.0234"), (None, "–"), (float("nan"), "–"), (float("inf"), "–"),
    ],
)  # fmt: skip
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert format_figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.2345, "23.4%"), (0.0, "0%"), (0.0004, "<0.1%"), (1.0, "100.0%"), (None, "–")]
)
def test_shares_are_percent(value: float | None, text: str) -> None:
    assert format_share(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.81, "0.8 s"), (48.4, "48 s"), (79.4, "1 min 19 s"), (7500, "2 h 5 min"), (None, "–")]
)
def test_durations_have_units(value: float | None, text: str) -> None:
    assert format_seconds(value) == text


def test_intervals_and_counts() -> None:
    assert format_interval(0.781, 0.775, 0.787) == "0.781 [0.775, 0.787]"
    assert format_interval(0.781, None, None) == "0.781"
    assert (format_count(336776), format_count(None)) == ("336,776", "–")
    assert (format_number_of(1, "row"), format_number_of(1200, "row")) == ("1 row", "1,200 rows")


def test_instants_are_utc() -> None:
    assert format_instant(datetime(2024, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=-5)))) == "2024-03-01 06:30 UTC"
    assert format_instant(datetime(2024, 3, 1, tzinfo=UTC)) == "2024-03-01 00:00 UTC"


def test_long_texts_are_cut() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"


def test_share_of_rows_by_bin() -> None:
    assert share_bins({}) == ()
    assert share_bins({0: 1, 19: 3})[::19] == (0.25, 0.75)


def test_counts_are_spread_over_their_width() -> None:
    spread = spread_counts([0.0, 0.1, 1.0], [0, 60, 40, 0, 7])
    assert len(spread) == BINS
    assert sum(spread) == pytest.approx(1)
    assert spread[0] == spread[1] == pytest.approx(0.3)
    assert spread[2] == pytest.approx(0.4 * 0.05 / 0.9)


def test_a_reference_without_rows_gives_no_shares() -> None:
    assert spread_counts([], [0, 0]) == ()
    assert spread_counts([0.5, 0.5], [0, 9, 0, 0]) == (0.0,) * BINS
