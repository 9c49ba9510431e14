"""The error falls by the square root of the rows."""

import math

import numpy as np
import pytest

from sparkml_ops.promotion.rows_needed import (
    estimate_rows,
    format_rows,
    tell_rows_for_confidence,
    tell_rows_for_days,
    tell_rows_for_difference,
    tell_rows_for_share,
)


def test_half_the_error_takes_four_times_the_rows() -> None:
    assert estimate_rows(1000, excess=0.01, error=0.02) == pytest.approx(4000)
    assert estimate_rows(1000, excess=0.0, error=0.02) == math.inf
    assert estimate_rows(1000, excess=5e-324, error=1e300) == math.inf


def test_the_rows_that_are_told_show_a_gain_of_drawn_means() -> None:
    """A gain of 0.1 standard deviations at 95 %: (1.645 / 0.1)² = 271 rows, whatever number they are estimated from."""
    random = np.random.default_rng(0)
    differences = random.normal(0.1, 1, (400, 100)).mean(axis=1)
    width = 2 * 1.96 * float(differences.std())
    told = tell_rows_for_confidence(100, 0.1, width=width, confidence=0.95)
    assert told in {
        f"; if the difference stays as it is, about {rows} rows would show it" for rows in range(240, 310, 10)
    }


@pytest.mark.parametrize(("excess", "error"), [(-0.1, 0.2), (0.0, 0.2), (0.3, 0.2), (math.nan, 0.2)])
def test_nothing_is_told_where_rows_are_not_what_lacks(excess: float, error: float) -> None:
    assert tell_rows_for_difference(100, excess=excess, error=error) == ""


def test_days_and_shares() -> None:
    assert tell_rows_for_days(600, 3) == "; at 200 rows a day these are about 1,000 rows"
    assert tell_rows_for_days(600, 5) == tell_rows_for_days(0, 0) == ""
    assert tell_rows_for_share(10, 1000, minimum=500) == "at this share it takes about 50,000 judged rows"
    assert tell_rows_for_share(0, 1000, minimum=500) == "more rows of the same kind may have none either"


@pytest.mark.parametrize(
    ("rows", "shown"),
    [(7.0, "about 7"), (99.2, "about 100"), (12_345.0, "about 13,000"), (math.inf, "more than 1,000,000,000,000")],
)
def test_an_estimate_is_rounded_up_to_two_digits(rows: float, shown: str) -> None:
    assert format_rows(rows) == shown
