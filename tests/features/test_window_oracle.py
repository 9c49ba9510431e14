"""Thousands of random entities against the oracle: 0 differences.

A case is an entity with up to eight events, whose times meet each other and the edges of windows by design: on days
on which clocks change, before 1970, a microsecond beside an edge. Many cases are one Spark job.
"""

import math
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from shop import view_of
from window_oracle import DAY, Asked, expect_row, expect_rows

from sparkml_ops.features.compute import compute_features

SEED = 20240331
CASES = 320
HOUR = DAY // 24
UNITS = {"s": HOUR // 3600, "m": HOUR // 60, "h": HOUR, "d": DAY}
NUMBERS = ("count", "sum", "mean", "std", "min", "max", "p25", "p50", "p99")
VALUES = ("count", "count_distinct", "first", "last", "last_3", "most_frequent")
BASES = [
    int(datetime(*day, tzinfo=UTC).timestamp()) * 1_000_000
    for day in ((2024, 3, 31), (2024, 10, 27), (1969, 12, 31), (2013, 7, 1), (1900, 1, 1))
]
AMOUNTS = [None, math.nan, math.inf, -math.inf, -0.0, 0.0, 0.1, 0.2, 0.3, -7.5, 1e15, 3.0, 3.0, 4.0]
OF_TYPE = {
    "text": (pa.string(), [None, "", "a", "b", "a", "é", "東", "😀", "B", "a "]),
    "number": (pa.int64(), [None, 2**53, 2**53 + 1, -(2**62), 0, 0, 1]),
    "price": (pa.decimal128(20, 2), [None, Decimal("0.10"), Decimal("0.30"), Decimal("123456789012345678.91"), Decimal("-1.00")]),
    "flag": (pa.bool_(), [None, True, False]),
    "day": (pa.date32(), [None, date(1960, 1, 1), date(2024, 2, 29), date(2024, 2, 29), date(1970, 1, 1)]),
    "seen": (pa.timestamp("us", "UTC"), [None, datetime(2024, 3, 31, 2, 30, tzinfo=UTC), datetime(1950, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]),
    "small": (pa.float32(), [None, math.nan, math.inf, -0.0, 0.0, 0.5, 0.5]),
}  # fmt: skip
BUCKETS = {"web": "web", "Shop_2": "Shop 2"}


@dataclass(frozen=True)
class Scenario:
    """One view: its accuracy, how long events take to be known, its windows, and the types that are tried.

    Where the delay is `each`, every event says itself when it was known.
    """

    accuracy: str
    delay: str
    windows: tuple[str, ...]
    fields: tuple[str, ...]


SCENARIOS = [
    Scenario("temporal", "0s", ("1s", "1h", "7d"), ("text", "small")),
    Scenario("temporal", "15m", ("30m", "1d"), ("number", "flag")),
    Scenario("temporal", "0s", ("1h", "36500d"), ("price", "day")),
    Scenario("temporal", "2h", ("1h", "3h"), ("seen", "text")),
    Scenario("snapshot", "0s", ("1d", "7d"), ("text", "price")),
    Scenario("snapshot", "5h", ("1d", "2d"), ("flag", "number")),
    Scenario("snapshot", "36h", ("2d", "30d"), ("seen", "day")),
    Scenario("snapshot", "24h", ("2d", "3650d"), ("small", "text")),
    Scenario("temporal", "each", ("30m", "1d"), ("text", "number")),
    Scenario("snapshot", "each", ("1d", "7d"), ("seen", "flag")),
]


def microseconds(text):
    return 0 if text == "each" else int(text[:-1]) * UNITS[text[-1]]


def draw_times(draw, scenario, count):
    """Times that meet: each is the base, or another one moved by a window, the delay, a day, or a microsecond."""
    moves = [0, 1, -1, HOUR, DAY, DAY - 1, *map(microseconds, (*scenario.windows, scenario.delay))]
    times = [draw.choice(BASES) + draw.choice([0, 0, 5 * HOUR, 19 * HOUR, 12 * HOUR + 7])]
    while len(times) < count:
        times.append(draw.choice(times) + draw.choice([1, -1]) * draw.choice(moves))
    return times


def draw_known(draw, scenario, time):
    if scenario.delay != "each":
        return time + microseconds(scenario.delay)
    late = [0, 1, -HOUR, *map(microseconds, scenario.windows), microseconds(scenario.windows[0]) - 1]
    return draw.choice([time + draw.choice(late), time + HOUR - time % HOUR, time + DAY - time % DAY])


def draw_events(scenario, number):
    """Events by entity."""
    draw = random.Random(SEED + number)
    cases = {}
    for case in range(CASES):
        cases[f"c{case}"] = [
            {
                "t": time,
                "k": draw_known(draw, scenario, time),
                "amount": draw.choice(AMOUNTS),
                "channel": draw.choice([None, "web", "Shop 2", "phone"]),
                **{field: draw.choice(OF_TYPE[field][1]) for field in scenario.fields},
            }
            for time in draw_times(draw, scenario, draw.randint(1, 8))
        ]
    return cases


def ask_all(scenario):
    windows = {window: microseconds(window) for window in scenario.windows}
    first, second = scenario.fields
    return [
        Asked("amount", (*NUMBERS, "last", "most_frequent"), windows),
        Asked(first, VALUES, windows),
        Asked(second, VALUES, dict([*windows.items()][:1]), only_positive=True),
        Asked("amount", ("sum", "count"), windows, by=("channel", BUCKETS), stem="part"),
        Asked(first, ("last_2", "count_distinct"), windows, by=("channel", BUCKETS), stem="part2", only_positive=True),
    ]


def to_view(scenario, asked):
    aggregates = [
        {"of": ask.of, "ops": list(ask.ops), "windows": list(ask.windows)}
        | ({"by": {ask.by[0]: list(ask.by[1].values())}} if ask.by else {})
        | ({"where": "amount > 0"} if ask.only_positive else {})
        | ({"name": ask.stem} if ask.stem else {})
        for ask in asked
    ]
    known = {"known_at": "known"} if scenario.delay == "each" else {"available_after": scenario.delay}
    return view_of(accuracy=scenario.accuracy, aggregate=aggregates, **known)


def to_table(cases, scenario):
    rows = [{"customer": name, **event} for name, events in cases.items() for event in events]
    random.Random(0).shuffle(rows)
    types = {
        "customer": pa.string(),
        "t": pa.timestamp("us", "UTC"),
        "k": pa.timestamp("us", "UTC"),
        "amount": pa.float64(),
        "channel": pa.string(),
    }
    types |= {field: OF_TYPE[field][0] for field in scenario.fields}
    table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()})
    return table.rename_columns({"t": "at", "k": "known"})


def is_same(found, expected, column):
    calculated = column.startswith(("amount_sum", "amount_mean", "amount_std", "amount_p", "part_sum"))
    if calculated and found is not None and expected is not None:
        return found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    return found == expected and type(found) is type(expected) and str(found) != "-0.0"


@pytest.mark.parametrize(
    "number", range(len(SCENARIOS)), ids=lambda number: "-".join([SCENARIOS[number].delay, *SCENARIOS[number].fields])
)
def test_the_table_is_the_oracles(spark, number):
    scenario = SCENARIOS[number]
    cases, asked = draw_events(scenario, number), ask_all(scenario)
    view = to_view(scenario, asked)
    table = compute_features(spark.createDataFrame(to_table(cases, scenario)), view, name="purse").toArrow()
    assert table.column_names == ["customer", "timestamp", "_known_at", *view.column_names(), "_entity_hash"]
    assert table.column("timestamp") == table.column("_known_at")
    instants = table.column("timestamp").cast(pa.int64()).to_pylist()
    found = {}
    for row, instant in zip(table.drop(["timestamp", "_known_at"]).to_pylist(), instants, strict=True):
        assert (row["customer"], instant) not in found, "a change point came twice"
        found[row.pop("customer"), instant] = row
    snapshot = scenario.accuracy == "snapshot"
    expected = {
        (name, instant): row
        for name, events in cases.items()
        for instant, row in expect_rows(events, asked, snapshot=snapshot).items()
    }
    # An event that comes late begins an epoch, even where it is in no window by then: such a row says once more what holds.
    again = found.keys() - expected.keys() if scenario.delay == "each" else set()
    assert len(again) < len(expected) / 20
    expected |= {(name, instant): expect_row(cases[name], asked, instant, snapshot=snapshot) for name, instant in again}
    assert found.keys() == expected.keys()
    differences = [
        (point, column, found[point][column], figure)
        for point, row in expected.items()
        for column, figure in row.items()
        if not is_same(found[point][column], figure, column)
    ]
    assert differences == []
    assert len(expected) > CASES


def test_the_cases_are_as_ugly_as_they_are_meant_to_be():
    draw = [draw_events(scenario, number) for number, scenario in enumerate(SCENARIOS)]
    events = [event for cases in draw for case in cases.values() for event in case]
    times = [[event["t"] for event in case] for cases in draw for case in cases.values()]
    assert len(times) == CASES * len(SCENARIOS) == 3200
    assert sum(len(case) == 1 for case in times) > 100
    assert sum(len(set(case)) < len(case) for case in times) > 300
    assert sum(event["t"] < 0 for event in events) > 1000
    assert sum(event["t"] % DAY == 0 for event in events) > 500
