"""A record answers at every later moment as the whole table would; keys and values lose nothing on the way."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from online_shop import NOON, minutes
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.features import ViewRows, join_point_in_time
from sparkml_ops.serving.answers import AnswerPlan, answer, plan_answers
from sparkml_ops.serving.keys import describe_key, make_key
from sparkml_ops.serving.publication import Publication, ServedColumn, to_microseconds
from sparkml_ops.serving.records import CONTENT, KEY, digest_row, find_row, holds_until, make_records, move_record
from sparkml_ops.serving.values import find_unservable, render_instant

Row = tuple[int, int, int]


def publication_of(schema: Any, entity: list[str], **more: Any) -> Publication:
    columns = [ServedColumn(field.name, field.dataType.jsonValue()) for field in schema]
    features = tuple(c for c in columns if c.name not in {*entity, "timestamp", "_known_at"})
    keys = tuple(c for c in columns if c.name in entity)
    fixed = {
        "view": "v",
        "generation": "g",
        "table": "t",
        "table_id": "i",
        "version": 0,
        "rows_version": 0,
        "run_id": "r",
    }
    rest = {"published_at": 0, "through": 0, "counts": (), "ttl": None} | more
    return Publication(**fixed, entity=keys, columns=features, **rest)


def oracle(rows: list[Row], moment: int) -> Row | None:
    """The row that counts: of those that are visible, the one with the greatest (timestamp, _known_at)."""
    visible = [row for row in rows if row[0] <= moment and row[1] <= moment]
    return max(visible, default=None)


def test_a_record_says_at_every_later_moment_what_the_table_says(spark: SparkSession) -> None:
    """300 entities with late corrections, rows known before their time, ties and gaps, published at 50 with a horizon until 80."""
    chance = random.Random(5)
    table: dict[int, list[Row]] = {}
    for entity in range(300):
        times = {(chance.randrange(100), chance.randrange(-10, 40)) for _ in range(chance.randrange(1, 9))}
        table[entity] = [(at, at + late, number) for number, (at, late) in enumerate(sorted(times))]
    flat = [(entity, *row) for entity, rows in table.items() for row in rows]
    rows = spark.createDataFrame(flat, "e long, t long, k long, n long").select(
        "e", F.timestamp_micros("t").alias("timestamp"), F.timestamp_micros("k").alias("_known_at"), "n"
    )
    publication = publication_of(rows.schema, ["e"])
    made = make_records(rows.repartition(3), publication, at=50, through=80).select("e", CONTENT).collect()
    records = {row["e"]: row[CONTENT].encode() for row in made}
    later = make_records(rows, publication, at=60, through=80).select("e", CONTENT).collect()
    assert records.keys() == table.keys()
    outdated = 0
    for entity, history in table.items():
        until = holds_until(records[entity])
        for moment in range(50, 130):
            if until is not None and moment >= until:
                outdated += 1
                continue
            found, expected = find_row(records[entity], moment), oracle(history, moment)
            assert (found and (*found[:2], json.loads(found[2])["0"])) == expected, (entity, moment)
    assert 0 < outdated < 300 * 80
    # What a publishing makes later, a reader makes of the earlier record.
    assert {row["e"]: row[CONTENT].encode() for row in later} == {e: move_record(r, 60) for e, r in records.items()}


def test_an_answer_is_what_the_point_in_time_lookup_gives(spark: SparkSession) -> None:
    """Time to live, counts, rows that become known, entities that are not there: by the road that training and scoring take."""
    chance = random.Random(11)
    flat = [
        (f"customer {entity}", minutes(at), minutes(at + 3), entity * 1000 + at, at % 4)
        for entity in range(40)
        for at in chance.sample(range(-60, 60), k=3)
    ]
    schema = "customer string, timestamp timestamp, _known_at timestamp, n long, seen long"
    rows = spark.createDataFrame(flat, schema).coalesce(1)
    ttl, counts = timedelta(minutes=20), ("seen",)
    whole = {"published_at": to_microseconds(NOON), "ttl": to_microseconds(NOON + ttl) - to_microseconds(NOON)}
    publication = publication_of(rows.schema, ["customer"], counts=counts, **whole)
    made = make_records(rows, publication, at=publication.published_at, through=to_microseconds(minutes(90)))
    records = {row["customer"]: row[CONTENT].encode() for row in made.select("customer", CONTENT).collect()}
    asked = [(f"customer {entity}", minutes(at)) for entity in range(42) for at in range(0, 90, 7)] + [(None, NOON)]
    view = ViewRows("view", ("customer",), ("n", "seen"), rows, ttl, frozenset(counts))
    moments = spark.createDataFrame(asked, "customer string, at timestamp").coalesce(1)
    looked_up = join_point_in_time(moments, [view], timestamp="at").selectExpr(
        "customer", "unix_micros(at)", "view__n", "view__seen"
    )
    plan = plan_answers(publication)
    differing = [
        (customer, at, expected, found)
        for customer, at, *expected in looked_up.collect()
        if (found := tell(plan, records.get(customer), at, is_whole=customer is not None)) != expected
    ]
    assert differing == []
    assert {tell_status(plan, records.get(customer), at) for customer, at in asked} == {"fresh", "expired", "missing"}


def tell(plan: AnswerPlan, record: bytes | None, moment: int, *, is_whole: bool) -> list[Any]:
    return list(answer(plan, record, moment=moment, is_whole=is_whole)["features"].values())


def tell_status(plan: AnswerPlan, record: bytes | None, moment: datetime) -> str:
    return str(answer(plan, record, moment=to_microseconds(moment))["status"])


ENTITIES = [
    ("a", "b:c"), ("a:b", "c"), ("", "ab"), ("ab", ""), ("a|b", "c"), ("a", "|bc"), ("1:a", ""), ("é", "😀"), ("e\u0301", "😀"),
    ("a\u0000", "b"), ("a", "\u0000b"), ('"', "\\"), ("\n", "\t"), (" ", ""), ("", " "), ("A", "b"), ("a", "B"),
]  # fmt: skip


def test_keys_are_the_same_from_a_row_and_from_a_request_and_never_collide(spark: SparkSession) -> None:
    sql = (
        "first string, second string, whole long, tiny byte, flag boolean, day date, at timestamp, small decimal(10,7), "
        "big decimal(38,10), timestamp timestamp, _known_at timestamp, n long"
    )
    numbers = [
        (2**63 - 1, -128, True, date(1969, 12, 31), datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), "0.0000001", "0"),
        (-(2**63), 127, False, date(2024, 2, 29), datetime(2024, 3, 1, 12, tzinfo=UTC), "-12.5000000", "-" + "9" * 28),
    ]
    values = [(*texts, *numbers[at % 2][:5], *map(Decimal, numbers[at % 2][5:])) for at, texts in enumerate(ENTITIES)]
    rows = spark.createDataFrame([(*row, NOON, NOON, at) for at, row in enumerate(values)], sql)
    names = rows.columns[:9]
    publication = publication_of(rows.schema, names)
    at = to_microseconds(NOON)
    made = make_records(rows, publication, at=at, through=at).select(KEY, CONTENT).collect()
    keys = {json.loads(row[CONTENT].split("\n")[1].split(" ", 2)[2])["0"]: row[KEY].encode() for row in made}
    asked = [
        dict(
            zip(
                names,
                (*row[:5], row[5].isoformat(), row[6].isoformat(), format(row[7], "f"), format(row[8], "f")),
                strict=True,
            )
        )
        for row in values
    ]
    assert [make_key(publication.entity, entity) for entity in asked] == [keys[at] for at in range(len(values))]
    assert len(set(keys.values())) == len(ENTITIES)
    # As texts of a URL, and in other ways of writing the same.
    as_texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in asked[0].items()}
    other = as_texts | {"at": "1970-01-01T01:59:59.999999+02:00", "small": "0.00000010", "big": "-0.0"}
    assert {make_key(publication.entity, as_texts), make_key(publication.entity, other)} == {keys[0]}
    assert make_key(publication.entity, {**asked[0], "flag": None}) is None
    assert describe_key(publication.entity, keys[0]).endswith(
        "day=1969-12-31, at=1969-12-31T23:59:59.999999+00:00, small=0.0000001, big=0.0000000000"
    )


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("string", 1), ("string", "\ud800"), ("string", ["a"]), ("long", "1.0"), ("long", 1.0), ("long", True), ("long", "٣"),
        ("long", " 1"), ("long", ""), ("long", "9" * 50), ("boolean", 1), ("boolean", "True"), ("date", "2024-02-30"), ("date", 5),
        ("date", "yesterday"), ("timestamp", "noon"), ("decimal(5,2)", "1e3"), ("decimal(5,2)", "NaN"), ("decimal(5,2)", float("nan")),
        ("decimal(5,2)", {}), ("decimal(5,2)", True), ("timestamp", "0001-01-01T00:00:00+14:00x"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_told(column_type: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"`e`: expected .*, found "):
        make_key((ServedColumn("e", column_type),), {"e": value})


EVERY_TYPE = """
SELECT 'k' AS e, timestamp'2024-03-01 12:00:00' AS timestamp, timestamp'2024-03-01 12:00:00' AS _known_at,
  9007199254740993L AS beyond, 9223372036854775807L AS largest, 1Y AS tiny, 0.1D AS tenth, 1e-320D AS least, -0.0D AS minus_zero,
  double('NaN') AS nan, double('-Infinity') AS infinite, float('0.1') AS single, float('NaN') AS single_nan,
  cast('12.50' AS decimal(10,2)) AS money, cast('-0.0000001' AS decimal(38,7)) AS least_money, true AS flag,
  date'0001-01-01' AS first_day, timestamp'1969-12-31 23:59:59.999999' AS before_1970, timestamp_ntz'2024-03-31 02:30:00' AS local,
  'a"\\\\\\n\\u0001é😀\\u2028' AS text, '' AS empty, X'00ff' AS bytes, array(1L, null, 9007199254740993L) AS numbers,
  array(double('NaN'), 1.5D) AS floats, array(timestamp'2024-03-01 12:00:00', null) AS instants, map('b', 1L, '', null) AS by_text,
  map(2, cast('1.10' AS decimal(4,2))) AS by_number, map('x', array(named_struct('at', timestamp'2024-03-01 12:00:00', 'n', null))) AS nested,
  named_struct('a', null, 'b', X'01') AS record, cast(null AS map<string,timestamp>) AS no_map, cast(null AS struct<a:timestamp>) AS no_record,
  cast(array() AS array<string>) AS nothing, cast(null AS double) AS no_number
"""


def test_every_value_comes_back_as_it_is(spark: SparkSession) -> None:
    rows = spark.sql(EVERY_TYPE)
    publication = publication_of(rows.schema, ["e"], published_at=to_microseconds(NOON))
    at = to_microseconds(NOON)
    record = make_records(rows, publication, at=at, through=at).first()[CONTENT].encode()
    told = json.loads(json.dumps(answer(plan_answers(publication), record, moment=at), allow_nan=False))
    assert told["features"] == {
        "beyond": 9007199254740993, "largest": 9223372036854775807, "tiny": 1, "tenth": 0.1, "least": 1e-320, "minus_zero": 0.0,
        "nan": None, "infinite": "-Infinity", "single": 0.1, "single_nan": None, "money": "12.50", "least_money": "-0.0000001",
        "flag": True, "first_day": "0001-01-01", "before_1970": "1969-12-31T23:59:59.999999Z", "local": "2024-03-31T02:30:00.000",
        "text": 'a"\\\n\u0001é😀\u2028', "empty": "", "bytes": "AP8=", "numbers": [1, None, 9007199254740993], "floats": [None, 1.5],
        "instants": ["2024-03-01T12:00:00.000000Z", None], "by_text": {"b": 1, "": None}, "by_number": [[2, "1.10"]],
        "nested": {"x": [{"at": "2024-03-01T12:00:00.000000Z", "n": None}]}, "record": {"a": None, "b": "AQ=="}, "no_map": None,
        "no_record": None, "nothing": [], "no_number": None,
    }  # fmt: skip
    assert str(told["features"]["minus_zero"]) == "-0.0"


def test_instants_beyond_pythons_years_are_told() -> None:
    assert render_instant(253402300800 * 10**6) == "10000-01-01T00:00:00.000000Z"
    assert render_instant(to_microseconds(datetime(1, 1, 1, tzinfo=UTC))) == "0001-01-01T00:00:00.000000Z"


def test_types_without_a_form_in_json_are_found(spark: SparkSession) -> None:
    schema = spark.sql(
        "SELECT array(INTERVAL 1 DAY) AS a, parse_json('1') AS b, map(1, named_struct('c', INTERVAL 1 MONTH)) AS c"
    ).schema
    found = [find_unservable(field.dataType.jsonValue()) for field in schema]
    assert found == ["interval day", "variant", "interval month"]


def test_age_is_counted_to_the_microsecond() -> None:
    publication = Publication(
        "v", "g", "t", "i", 0, 0, 0, 0, (), (ServedColumn("n", "long"),), ("n",), ttl=timedelta(minutes=1) // timedelta(microseconds=1), run_id="r"
    )  # fmt: skip
    plan, record = plan_answers(publication), b'-\n100 200 {"0":7}'
    moments = {199: "missing", 200: "fresh", 100 + 60_000_000: "fresh", 101 + 60_000_000: "expired"}
    told = {moment: answer(plan, record, moment=moment) for moment in moments}
    assert {moment: each["status"] for moment, each in told.items()} == moments
    assert [each["features"]["n"] for each in told.values()] == [0, 7, 7, 0]
    assert answer(plan, None, moment=1, is_whole=False)["features"] == {"n": None}


def test_a_digest_tells_rows_apart_that_a_hash_alone_would_not(spark: SparkSession) -> None:
    schema = "e string, timestamp timestamp, _known_at timestamp, a double, b double, c array<double>"
    values = [
        (0.0, 1.0, None),
        (-0.0, 1.0, None),
        (None, 1.0, None),
        (1.0, None, None),
        (None, None, [1.0]),
        (None, None, [None, 1.0]),
        (float("nan"), 1.0, None),
    ]
    rows = spark.createDataFrame([("k", NOON, NOON, *each) for each in values], schema).coalesce(1)
    publication = publication_of(rows.schema, ["e"])
    digests = rows.select(*(digest_row(rows, publication, seed=seed) for seed in (1, 2))).collect()
    assert [len({row[seed] for row in digests}) for seed in (0, 1)] == [len(values)] * 2
    assert all(row[0] != row[1] for row in digests)
