"""Sums and order statistics of windows, against numpy on each window alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml_ops.features.window_ranks import rank_values
from sparkml_ops.features.window_sums import sum_windows

NUMBERS = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e9, 1e9))


@st.composite
def windows_of_values(draw):
    values = np.array(draw(st.lists(NUMBERS, max_size=40)), dtype=float)
    cut = st.integers(0, len(values))
    cuts = np.sort(np.array(draw(st.lists(st.tuples(cut, cut), min_size=1, max_size=20))), axis=1)
    return values, cuts[:, 0], cuts[:, 1]


@settings(max_examples=300, deadline=None)
@given(windows_of_values())
def test_sums_equal_numpys(drawn):
    values, starts, ends = drawn
    sums = sum_windows(values, starts, ends)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        window = values[start:end]
        size = np.abs(window).max(initial=0)
        assert sums.count[number] == len(window)
        assert np.isclose(sums.total[number], window.sum(), rtol=0, atol=1e-14 * size * len(window))
        if len(window) > 1:
            assert np.isclose(sums.deviation()[number], window.std(ddof=1), rtol=1e-9, atol=1e-14 * size)
        else:
            assert np.isnan(sums.deviation()[number])


@settings(max_examples=300, deadline=None)
@given(windows_of_values(), st.integers(0, 100))
def test_percentiles_equal_numpys(drawn, percent):
    values, starts, ends = drawn
    found = rank_values(values).percentile(starts, ends, percent)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        window = values[start:end]
        expected = np.percentile(window, percent) if len(window) else np.nan
        assert np.isclose(found[number], expected, rtol=1e-9, atol=1e-12, equal_nan=True)


def test_a_huge_value_leaves_no_trace_in_later_windows():
    values = np.array([1e300, 0.1, 0.2, 0.3])
    sums = sum_windows(values, np.array([0, 1]), np.array([4, 4]))
    assert np.isclose(sums.total[1], 0.6, rtol=1e-15)
    assert np.isclose(sums.deviation()[1], 0.1, rtol=1e-15)


def test_an_infinite_value_stays_in_its_own_windows():
    values = np.array([np.inf, 1.0, 2.0])
    sums = sum_windows(values, np.array([0, 1]), np.array([2, 3]))
    assert sums.total.tolist() == [np.inf, 3.0]
    assert rank_values(values).percentile(np.array([0, 1]), np.array([3, 3]), 100).tolist() == [np.inf, 2.0]


def test_equal_values_have_no_spread():
    sums = sum_windows(np.full(7, 0.1), np.array([0]), np.array([7]))
    assert sums.deviation().tolist() == [0.0]


def test_an_empty_window_is_exactly_empty():
    nowhere = np.array([0, 3])
    sums = sum_windows(np.array([1.0, 2.0, 3.0]), nowhere, nowhere)
    assert sums.count.tolist() == [0, 0]
    assert sums.total.tolist() == [0.0, 0.0]
    assert np.isnan(sums.mean()).all()
    assert np.isnan(rank_values(np.array([])).percentile(np.array([0]), np.array([0]), 50)).all()
