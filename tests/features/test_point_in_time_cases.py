"""6,000 random moments against a plain loop: ties, nulls, zones, corrections that came later, edges of the time to live.

The same cases are dealt in every way that there is: read by Spark and by the tasks themselves, into few buckets and into many, busy entities cut
into slices at instants that rows and moments lie on.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pyspark.sql import functions as F
from shop import NOON, make_use_case

from sparkml_ops.features import rounds
from sparkml_ops.features.dealing import Busy, Deal
from sparkml_ops.features.entities import hash_rows
from sparkml_ops.features.entity_hash import ENTITY_HASH, hash_column, tell_hash
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.rounds import ViewRows
from sparkml_ops.lake import grouping_rows, has_plain_files, open_lake, read_table, replace_table

SEED = 20240301
KEYS = (("customer",), ("customer", "shop"))
CUSTOMERS, MOMENTS = 400, 6_000
SCHEMA = "customer string, shop int, timestamp timestamp, _known_at timestamp, money double, note string"
TTLS = {"ever": None, "brief": 7, "once": 0}
ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8))]


@dataclass(frozen=True)
class Row:
    customer: str | None
    shop: int | None
    timestamp: int | None
    known_at: int | None
    money: float | None
    note: str | None


@dataclass(frozen=True)
class Case:
    id: int
    customer: str | None
    shop: int | None
    at: int | None


def draw_cases():
    """Minutes after noon; half of the rows are corrections or ties of one that is there."""
    draw = random.Random(SEED)
    rows, cases = [], []
    for number in range(CUSTOMERS):
        customer = draw.choice([f"e{number}", f"é|{number}", "" if number == 5 else f"e{number} "])
        for _ in range(draw.randint(0, 12) if number else 300):
            timestamp = draw.randint(0, 40)
            known_at = timestamp + draw.choice([0, 0, 1, 5, 30, -3])
            money = draw.choice([None, 0.0, -0.0, 1.5, float(draw.randint(0, 99))])
            row = Row(customer, draw.choice([1, 1, 2, None]), timestamp, known_at, money, draw.choice([None, "a", "b"]))
            rows.append(row)
            if draw.random() < 0.5:
                late = draw.choice([0, 0, 2, 15])
                rows.append(Row(row.customer, row.shop, timestamp, known_at + late, draw.choice([None, 7.0, 8.0]), "c"))
        cases += [
            Case(len(cases) + n, customer, draw.choice([1, 2, 2**31 - 1]), draw.randint(-3, 80))
            for n in range(MOMENTS // CUSTOMERS)
        ]
    rows += [Row(None, 1, 0, 0, 9.0, "x"), Row("e1", 1, None, 0, 9.0, "x"), Row("e1", 1, 0, None, 9.0, "x")]
    cases[7], cases[77] = Case(7, None, 1, 20), Case(77, "e5", 1, None)
    return rows, cases


def by_entity(keys):
    found = {}
    for row in ROWS:
        if None not in (row.timestamp, row.known_at):
            found.setdefault(tuple(getattr(row, key) for key in keys), []).append(row)
    return found


ROWS, CASES = draw_cases()
BY_ENTITY = {keys: by_entity(keys) for keys in (("customer",), ("customer", "shop"))}


def rank(row):
    """The stated order: timestamp, _known_at, then the contents in the order of their names, null below every value."""
    return (row.timestamp, row.known_at, row.money is not None, row.money or 0.0, row.note is not None, row.note or "")


def expected(case, by, ttl, as_known_at):
    if None in (case.at, *(getattr(case, key) for key in by)):
        return (None, None)
    seen = [
        row
        for row in BY_ENTITY[by].get(tuple(getattr(case, key) for key in by), [])
        if row.timestamp <= case.at and row.known_at <= (case.at if as_known_at is None else as_known_at)
    ]
    if not seen:
        return (None, None)
    newest = max(seen, key=rank)
    is_stale = ttl is not None and newest.timestamp < case.at - ttl
    return (None, None) if is_stale else (newest.money, newest.note)


def instant(minute, number=0):
    return None if minute is None else (NOON + timedelta(minutes=minute)).astimezone(ZONES[number % len(ZONES)])


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    """The rows as a table for each entity, as a build leaves them, in more than one row group a file."""
    lake = open_lake(make_use_case(tmp_path_factory.mktemp("cases")), spark)
    values = [
        (r.customer, r.shop, instant(r.timestamp, n), instant(r.known_at, n + 1), r.money, r.note)
        for n, r in enumerate(ROWS)
    ]
    rows = spark.createDataFrame(values, SCHEMA)
    with grouping_rows(lake, 1024):
        for by in KEYS:
            hash_ = hash_column(rows.schema, by)
            laid = rows.select("*", hash_).repartitionByRange(3, "timestamp").sortWithinPartitions(ENTITY_HASH)
            replace_table(lake, name_table(by), laid, write_id="rows")
    return lake


def name_table(by):
    return f"features_by_{len(by)}"


def open_all(lake, *, has_files):
    moments = lake.spark.createDataFrame(
        [(case.id, case.customer, case.shop, instant(case.at, case.id)) for case in CASES],
        "id long, customer string, shop long, at timestamp",
    )
    tables = {by: read_table(lake, name_table(by)) for by in KEYS}
    if not has_files:
        tables = {by: table.drop(ENTITY_HASH) for by, table in tables.items()}
    views = [
        ViewRows(
            f"{name}{len(by)}",
            by,
            ("money", "note"),
            tables[by],
            None if ttl is None else timedelta(minutes=ttl),
            has_plain_files=has_files,
        )
        for by in KEYS
        for name, ttl in TTLS.items()
    ]
    return moments, views


def look_up(lake, *, as_known_at=None, has_files=False):
    moments, views = open_all(lake, has_files=has_files)
    joined = join_point_in_time(moments, views, timestamp="at", as_known_at=instant(as_known_at))
    return {row["id"]: tuple(row)[4:] for row in joined.collect()}


def count_differences(found, as_known_at=None):
    wrong = [
        case
        for case in CASES
        if found[case.id]
        != tuple(value for by in KEYS for ttl in TTLS.values() for value in expected(case, by, ttl, as_known_at))
    ]
    assert len(found) == len(CASES)
    return len(wrong)


def test_every_moment_finds_the_row_that_a_plain_loop_finds(lake):
    found = look_up(lake)
    assert count_differences(found) == 0
    assert sum(values[1] is not None for values in found.values()) > 2_000


def test_tasks_that_read_the_files_themselves_find_the_same(lake):
    planned = rounds.plan_rounds(*open_all(lake, has_files=True), "at", None)
    assert all(len(source.groups) > 3 for one in planned for source in one.sources)
    assert all(has_plain_files(lake, name_table(by)) for by in KEYS)
    assert count_differences(look_up(lake, has_files=True)) == 0


@pytest.mark.parametrize("as_known_at", [-5, 20, 45, 500])
def test_a_restatement_sees_what_was_known_then(lake, as_known_at):
    assert count_differences(look_up(lake, as_known_at=as_known_at), as_known_at) == 0


@pytest.mark.parametrize("has_files", [False, True], ids=["spark", "files"])
def test_slices_of_busy_entities_find_the_same(lake, monkeypatch, has_files):
    import pyarrow as pa

    def deal_in_slices(sides, loads, *, parallelism):
        keys = [(row.customer, row.shop) for row in ROWS if row.customer is not None and row.shop is not None]
        busy = sorted(set(keys), key=str)[:: len(set(keys)) // 5]
        columns = [
            pa.chunked_array([[k[0] for k in busy]]),
            pa.chunked_array([pa.array([k[1] for k in busy], pa.int64())]),
        ]
        by = sides[0].entity
        rows = lake.spark.createDataFrame(busy, "customer string, shop long")
        small = [row[0] for row in rows.select(F.expr(tell_hash(rows.schema, by))).collect()]
        hashes = sorted(set(zip(hash_rows(columns[: len(by)]).tolist(), small, strict=True)))
        cuts = [int((NOON + timedelta(minutes=m)).timestamp() * 1e6) for m in (3, 4, 17, 17.5, 40)]
        fans = (1, 2, 1, 3, 1, 1)
        return Deal(5, tuple(Busy(*both, 5 + n * sum(fans), tuple(cuts), fans) for n, both in enumerate(hashes)))

    monkeypatch.setattr(rounds, "plan_deal", deal_in_slices)
    assert count_differences(look_up(lake, has_files=has_files)) == 0


def test_the_cases_hold_what_they_promise():
    """Corrections, ties, rows on both edges of the time to live."""
    keys = [(row.customer, row.shop, row.timestamp) for row in ROWS]
    assert len(keys) - len(set(keys)) > 1_000
    ties = [(*key, row.known_at) for key, row in zip(keys, ROWS, strict=True)]
    assert len(ties) - len(set(ties)) > 500
    ages = [
        case.at - row.timestamp
        for case in CASES[:300]
        for row in ROWS[:700]
        if case.at is not None and row.customer == case.customer
    ]
    assert {7, 8} <= set(ages)
    assert any(row.known_at is not None and row.timestamp is not None and row.known_at < row.timestamp for row in ROWS)
    assert datetime.now(UTC) > NOON
