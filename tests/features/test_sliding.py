"""Sliding windows against an oracle that does, slowly, what the definition says."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml_ops.features.change_points import Clock
from sparkml_ops.features.sliding import FILLED, Plan, Series, WindowColumn, slide_windows

OPERATIONS = ("count", "sum", "mean", "std", "min", "max", "p10", "p50", "p99")
WHOLE = 10_000  # one part of time that holds every drawn time


def figure(operation, values):
    """What one operation gives for the values of one window."""
    if operation == "count":
        return len(values)
    if not values or (operation == "std" and len(values) < 2):
        return None
    exact = [Fraction(value) for value in values]
    known = {
        "sum": lambda: float(sum(exact)),
        "mean": lambda: float(sum(exact) / len(exact)),
        "std": lambda: float(np.std(values, ddof=1)),
        "min": lambda: min(values),
        "max": lambda: max(values),
    }
    return known[operation]() if operation in known else float(np.percentile(values, int(operation[1:])))


def oracle(events, windows, delay):
    """Rows by (entity, change point): the figures of every operation and window."""
    rows = {}
    for entity, time, value in events:
        if value is None:
            continue
        for window in windows:
            if delay < window:
                rows[entity, time + delay] = rows[entity, time + window] = None
    for entity, moment in rows:
        figures = {}
        for window in windows:
            inside = [
                value
                for other, time, value in events
                if other == entity and value is not None and time + delay <= moment and moment - window < time <= moment
            ]
            figures |= {f"{operation}_{window}": figure(operation, inside) for operation in OPERATIONS}
        rows[entity, moment] = figures
    return rows


def plan_of(windows, delay, part_length=WHOLE):
    columns = tuple(
        WindowColumn(f"{operation}_{window}", operation, window) for operation in OPERATIONS for window in windows
    )
    return Plan(("entity",), "time", "part", part_length, Clock(delay), (Series(columns, "value"),))


def slide(events, plan, part=0):
    names = [entity for entity, _, _ in events]
    table = pa.table(
        {
            "entity": pa.array(names),
            "time": pa.array([time for _, time, _ in events], pa.int64()),
            "part": pa.array([part] * len(events), pa.int64()),
            "value": pa.array([value for _, _, value in events], pa.float64()),
        }
    )
    rows = slide_windows(table, plan).to_pylist()
    found = {(row.pop("entity"), row.pop("time")): row for row in rows}
    for row in found.values():
        assert row.pop(FILLED) == any(figure for name, figure in row.items() if name.startswith("count"))
    assert len(found) == len(rows), "a change point came twice"
    return found


events_of = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 60),
        st.one_of(st.none(), st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(events_of, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True), st.integers(0, 12))
def test_rows_are_those_of_the_definition(events, windows, delay):
    found, expected = slide(events, plan_of(windows, delay)), oracle(events, windows, delay)
    assert found.keys() == expected.keys()
    for point, figures in expected.items():
        assert found[point].keys() == figures.keys()
        for name, expected_figure in figures.items():
            close = None if expected_figure is None else pytest.approx(expected_figure, rel=1e-9, abs=1e-9)
            assert found[point][name] == close, (point, name)


@settings(max_examples=100, deadline=None)
@given(
    events_of, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True), st.integers(0, 12), st.integers(5, 30)
)
def test_parts_of_time_give_the_same_bits_as_the_whole(events, windows, delay, length):
    whole = slide(events, plan_of(windows, delay))
    parts = {}
    for part in range(110 // length + 1):
        begin, end = part * length, (part + 1) * length
        matters = [event for event in events if event[1] + delay < end and event[1] + max(windows) >= begin]
        if matters:
            parts |= slide(matters[::-1], plan_of(windows, delay, length), part)
    assert parts == whole


@settings(max_examples=100, deadline=None)
@given(
    events_of, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True), st.integers(0, 60), st.integers(0, 60)
)
def test_a_range_of_time_gives_the_same_bits_as_the_whole(events, windows, first, last):
    whole = slide(events, plan_of(windows, 3))
    found = slide(events, replace(plan_of(windows, 3), within=(first, last)))
    assert found == {point: figures for point, figures in whole.items() if first <= point[1] <= last}


def test_entities_of_several_columns_keep_their_values_and_types():
    table = pa.table(
        {
            "shop": pa.array([1, 1, 2], pa.int32()),
            "day": pa.array([date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 1)]),
            "time": pa.array([5, 6, 7], pa.int64()),
            "part": pa.array([0, 0, 0], pa.int64()),
            "value": pa.array([1.0, 2.0, 3.0]),
        }
    )
    series = (Series((WindowColumn("total", "sum", 100),), "value"),)
    found = slide_windows(table, Plan(("shop", "day"), "time", "part", 50, Clock(0), series)).drop([FILLED])
    assert found.schema.field("shop").type == pa.int32()
    assert found.to_pylist() == [
        {"shop": 1, "day": date(2024, 1, 1), "time": 5, "total": 1.0},
        {"shop": 1, "day": date(2024, 1, 2), "time": 6, "total": 2.0},
        {"shop": 2, "day": date(2024, 1, 1), "time": 7, "total": 3.0},
    ]


def test_times_of_many_years_in_microseconds_do_not_overflow():
    year = 365 * 86_400_000_000
    table = pa.table(
        {
            "entity": pa.array([f"e{number}" for number in range(5_000)]),
            "time": pa.array([number * year // 50 for number in range(5_000)], pa.int64()),
            "part": pa.array([0] * 5_000, pa.int64()),
            "value": pa.array([1.0] * 5_000),
        }
    )
    series = (Series((WindowColumn("n", "count", year),), "value"),)
    plan = Plan(("entity",), "time", "part", 200 * year, Clock(0), series)
    found = slide_windows(table, plan)
    assert found.column("n").to_pylist() == [1, 0] * 5_000
