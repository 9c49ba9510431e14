"""A table of a real PostgreSQL server: each row once, whatever commits late, dies or looks odd."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ContractError, SetupError, SparkMLOpsError
from sparkml_ops.ingestion import find_batches, ingest, replay
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.ingestion.ingest import SourceResult
from sparkml_ops.ingestion.readers import jdbc_errors
from sparkml_ops.ingestion.readers.jdbc import list_ranges, read_ranges
from sparkml_ops.lake import Lake, query_tables, read_table, table_version
from tests.one_source import describe_shop
from tests.postgres import PASSWORD, USER, Postgres, start_postgres

LONG_AGO = "2026-01-01 00:00:00"
Shop = Callable[..., UseCase]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as running:
        yield running


@pytest.fixture
def postgres(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    monkeypatch.setattr(jdbc_errors, "WAITS_SECONDS", (0.5, 1.0, 3.0))
    server.run("DROP TABLE IF EXISTS orders; CREATE TABLE orders (id bigint, amount numeric, at timestamptz)")
    return server


@pytest.fixture
def shop(postgres: Postgres, environment: Environment) -> Shop:
    def build(*, jdbc: dict[str, Any] | None = None, path: str = postgres.url, **options: Any) -> UseCase:
        section = {"table": "public.orders", "user": USER, "password": PASSWORD, "high_water": "at", "lag": "0s"}
        orders = {
            "path": path,
            "format": "jdbc",
            "jdbc": {name: value for name, value in (section | (jdbc or {})).items() if value is not None},
            "key": ["id"],
            "columns": {
                "id": {"type": "long"},
                "amount": {"type": "double", "between": [0, 100]},
                "at": {"type": "timestamp"},
            },
            "max_violation_ratio": 0.9,
        } | options
        return describe_shop(environment, orders=orders, moment="at")

    return build


def take_in(use_case: UseCase, lake: Lake, **options: Any) -> SourceResult:
    return ingest(use_case, lake, **options).sources[0]


def read(lake: Lake, source: Source, pieces: Sequence[LandedFile]) -> list[dict[str, Any]]:
    """The rows of pieces as they are kept: each value as text."""
    rows = read_ranges(lake.spark, source, [piece.path for piece in pieces]).collect()
    return sorted((json.loads(row["_raw"]) for row in rows), key=lambda row: str(row["id"]))


def ids(lake: Lake) -> list[int]:
    return sorted(row["id"] for row in read_table(lake, "clean_orders").collect())


def insert(postgres: Postgres, first: int, last: int, *, at: str = LONG_AGO) -> None:
    postgres.run(
        f"INSERT INTO orders SELECT id, id % 100, timestamptz '{at}+00' + id * interval '1us' FROM generate_series({first}, {last}) id"
    )


def test_each_range_is_taken_in_once_to_the_microsecond(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    insert(postgres, 1, 3)
    assert take_in(shop(), lake).rows_clean == 3
    assert take_in(shop(), lake).status == "no_change"
    insert(postgres, 4, 5)
    planned = find_batches(shop(), lake, ["orders"])["orders"]
    result = take_in(shop(), lake)
    assert planned is not None
    assert (result.rows_in, result.rows_clean, result.batch_id) == (2, 2, planned.batch_id)
    assert ids(lake) == [1, 2, 3, 4, 5]
    files = query_tables(lake, "SELECT path FROM ingested_files ORDER BY started_at")[0].collect()
    assert [row["path"] for row in files] == [
        "public.orders: at up to 2026-01-01 00:00:00.000003",
        "public.orders: at after 2026-01-01 00:00:00.000003 up to 2026-01-01 00:00:00.000005",
    ]
    row = read_table(lake, "clean_orders").where("id = 5").first()
    assert row is not None
    assert row["_source_file"] == files[1]["path"]
    assert take_in(shop(), lake, full=True).rows_clean == 5


def test_rows_of_a_transaction_that_commits_late_wait_for_the_lag(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    insert(postgres, 1, 1)
    with postgres.transaction("INSERT INTO orders VALUES (2, 2, now() - interval '10 min');"):
        postgres.run("INSERT INTO orders VALUES (3, 3, now() - interval '5 min')")
        take_in(shop(jdbc={"lag": "1h"}), lake)
        assert ids(lake) == [1], "a younger row is there, and must not move the mark past the one that is not there yet"
    # An hour later, in effect.
    take_in(shop(jdbc={"lag": "1m"}), lake)
    assert ids(lake) == [1, 2, 3]


def test_a_row_without_a_mark_is_told_and_nothing_is_written(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    insert(postgres, 1, 2)
    postgres.run("INSERT INTO orders VALUES (3, 3, NULL), (4, 4, NULL)")
    with pytest.raises(ContractError, match='2 rows of public.orders have no "at", so no range would ever have them'):
        find_batches(shop(), lake, ["orders"])
    query = f"SELECT id, amount, coalesce(at, '{LONG_AGO}+00') AS at FROM orders;"
    assert take_in(shop(jdbc={"table": None, "query": query}), lake).rows_clean == 4


def test_updated_rows_come_again_and_are_merged(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    insert(postgres, 1, 3)
    take_in(shop(mode="merge"), lake)
    postgres.run(f"UPDATE orders SET amount = 99, at = '{LONG_AGO}+00'::timestamptz + interval '1 day' WHERE id = 2")
    assert take_in(shop(mode="merge"), lake).rows_in == 1
    rows = read_table(lake, "clean_orders").orderBy("id").collect()
    assert [(row["id"], row["amount"]) for row in rows] == [(1, 1.0), (2, 99.0), (3, 3.0)]


@pytest.mark.parametrize(
    ("column", "values", "more"),
    [
        ("timestamp", "'2026-01-01 00:00:00.000001', '2026-01-01 23:59:59.999999'", "'2026-01-02'"),
        ("date", "'2026-01-01', '2026-01-01'", "'2026-01-02'"),
        ("bigserial", "1, 9007199254740993", "9007199254740994"),
        ("numeric(38,0)", "-5, 98765432109876543210", "98765432109876543211"),
    ],
)
def test_marks_of_every_type(lake: Lake, postgres: Postgres, shop: Shop, column: str, values: str, more: str) -> None:
    postgres.run(f"ALTER TABLE orders ADD COLUMN mark {column}; ALTER TABLE orders ALTER COLUMN mark DROP NOT NULL")
    for at, value in enumerate(values.split(", ")):
        postgres.run(f"INSERT INTO orders VALUES ({at}, 1, now(), {value})")
    source = shop(jdbc={"high_water": "mark"}).sources["orders"]
    first = list_ranges(lake.spark, source, name="orders", taken=[])
    assert list_ranges(lake.spark, source, name="orders", taken=first) == first
    postgres.run(f"INSERT INTO orders VALUES (7, 1, now(), {more})")
    both = list_ranges(lake.spark, source, name="orders", taken=first)
    assert [[row["id"] for row in read(lake, source, [piece])] for piece in both] == [["0", "1"], ["7"]]


def test_partitions_read_every_row_once_also_those_without_a_number(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    postgres.run(
        f"ALTER TABLE orders ADD COLUMN part int; INSERT INTO orders SELECT id, 1, '{LONG_AGO}+00', "
        "CASE WHEN id % 10 = 0 THEN NULL ELSE id * id END FROM generate_series(1, 100) id"
    )
    source = shop(jdbc={"partition_by": "part", "partitions": 4, "fetch_rows": 7}).sources["orders"]
    pieces = list_ranges(lake.spark, source, name="orders", taken=[])
    assert read_ranges(lake.spark, source, [pieces[0].path]).rdd.getNumPartitions() == 4
    assert sorted(int(row["id"]) for row in read(lake, source, pieces)) == list(range(1, 101))
    near = shop(jdbc={"partition_by": "parts", "partitions": 4}).sources["orders"]
    with pytest.raises(ConfigError, match="jdbc.partition_by: there is no column 'parts'; .*; did you mean 'part'"):
        read(lake, near, pieces)


def test_a_backend_that_is_killed_while_it_reads_loses_and_repeats_nothing(
    lake: Lake, postgres: Postgres, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    insert(postgres, 1, 200)
    slow = "SELECT id, amount, at, pg_sleep(0.02)::text AS slept FROM orders"
    use_case = shop(jdbc={"table": None, "query": slow, "fetch_rows": 10})
    killed: list[str] = []

    def kill() -> None:
        victims = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        while not killed and time.monotonic() < give_up:
            reading = f"{victims} AND application_name = 'sparkml_ops' AND query LIKE '%CAST%' AND clock_timestamp() - query_start > '0.3s'"
            killed.extend(postgres.run(reading).split())
            time.sleep(0.1)

    give_up = time.monotonic() + 300
    killer = threading.Thread(target=kill)
    killer.start()
    result = take_in(use_case, lake)
    killer.join()
    assert killed == ["t"]
    assert "trying again" in caplog.text
    assert (result.rows_in, ids(lake)) == (200, list(range(1, 201)))


def test_a_server_that_restarts_is_waited_for_and_one_that_is_gone_is_told(
    lake: Lake, postgres: Postgres, shop: Shop
) -> None:
    insert(postgres, 1, 2)
    postgres.control("stop", "-m", "immediate")
    starter = threading.Timer(1.0, postgres.control, ["start"])
    starter.start()
    try:
        assert take_in(shop(), lake).rows_clean == 2
    finally:
        starter.join()
    gone = shop(path=postgres.url.replace(str(postgres.port), "1"))
    with pytest.raises(SetupError, match=r"127.0.0.1:1/shop cannot be reached: .*refused.* It was tried 4 times"):
        find_batches(gone, lake, ["orders"])


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"password": "wrong-p4ss"}, SetupError, "refuses the user: .*Check `sources.orders.jdbc.user`"),
        ({"table": "public.order"}, ConfigError, 'refuses the question: .*relation "public.order" does not exist'),
        ({"high_water": "att"}, ConfigError, "there is no column 'att'; there are: id, amount, at; did you mean 'at'"),
        ({"high_water": "amount"}, ContractError, "the greatest amount is 1.5, which cannot end a range"),
        (
            {"table": None, "query": "SELECT 1/0 AS id, 1 AS amount, now() AS at"},
            ContractError,
            "cannot give the rows: .*division by zero",
        ),
    ],
)
def test_what_the_database_refuses_is_told_without_the_password(
    lake: Lake, postgres: Postgres, shop: Shop, change: dict[str, Any], kind: type[SparkMLOpsError], told: str
) -> None:
    postgres.run("INSERT INTO orders VALUES (1, 1.5, now())")
    use_case = shop(jdbc=change)
    with pytest.raises(kind, match=told) as raised:
        take_in(use_case, lake)
    for secret in (PASSWORD, "wrong-p4ss"):
        assert secret not in str(raised.value)
        assert secret not in repr(use_case)
        assert secret not in use_case.model_dump_json()


def test_values_that_no_other_database_has_are_clean_or_kept_as_they_came(
    lake: Lake, postgres: Postgres, shop: Shop
) -> None:
    postgres.run("DROP TYPE IF EXISTS mood CASCADE; CREATE TYPE mood AS ENUM ('sad', 'naïve')")
    postgres.run(
        "CREATE TABLE IF NOT EXISTS odd (id int, n numeric, u uuid, j jsonb, a int[], b bytea, m mood, t timestamp, d double precision, "
        'at timestamptz, "Order No" text); TRUNCATE odd; INSERT INTO odd VALUES '
        "(1, 12345678901234567890123456789012345678901234567890.5, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "
        "'{\"k\": [1, null]}', '{1,NULL,3}', '\\x00ff', 'naïve', '2026-03-29 02:30:00.000001', 0.1, '2026-01-01 00:00:00.123456+02', "
        "E'a\\tb\\n\"c\"\\\\ 😀'), "
        "(2, 'NaN', NULL, NULL, NULL, NULL, NULL, 'infinity', 'NaN', '-infinity', ''), "
        "(3, 1e-30, NULL, NULL, NULL, NULL, NULL, '0044-03-15 BC', '-infinity', '2026-01-01', NULL)"
    )  # fmt: skip
    text = {"type": "string", "nullable": True}
    columns = dict.fromkeys(("n", "u", "j", "a", "b", "m", "Order_No"), text) | {
        "id": {"type": "int"}, "t": {"type": "timestamp"}, "d": {"type": "double"}, "at": {"type": "timestamp"},
    }  # fmt: skip
    query = 'SELECT *, "Order No" AS "Order_No" FROM odd'
    use_case = shop(jdbc={"table": None, "query": query}, columns=columns, null_values=["<none>"])
    result = take_in(use_case, lake)
    assert (result.rows_clean, result.rows_quarantined) == (1, 2)
    row = read_table(lake, "clean_orders").first()
    assert row is not None
    assert (row["n"], row["u"], row["j"], row["a"], row["b"], row["m"]) == (
        "12345678901234567890123456789012345678901234567890.5", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"k": [1, null]}',
        "{1,NULL,3}", "\\x00ff", "naïve",
    )  # fmt: skip
    assert row["Order_No"] == 'a\tb\n"c"\\ 😀'
    shown = query_tables(lake, "SELECT string(t) AS t, d, string(at) AS at FROM clean_orders")[0].first()
    assert shown is not None
    assert tuple(shown) == ("2026-03-29 02:30:00.000001", 0.1, "2025-12-31 22:00:00.123456")
    kept = {row["raw"] for row in read_table(lake, "quarantine_orders").collect()}
    assert any('"n":"NaN"' in raw and '"t":"infinity"' in raw and '"at":"-infinity"' in raw for raw in kept)
    assert any('"t":"0044-03-15 00:00:00 BC"' in raw for raw in kept)


def test_quarantined_rows_are_replayed_from_what_was_kept(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    postgres.run(f"INSERT INTO orders VALUES (1, 50, '{LONG_AGO}+00'), (2, 500.25, '{LONG_AGO}+00')")
    assert take_in(shop(), lake).rows_quarantined == 1
    postgres.run("DELETE FROM orders")
    wider = {"id": {"type": "long"}, "amount": {"type": "double", "between": [0, 1000]}, "at": {"type": "timestamp"}}
    assert replay(shop(columns=wider), lake, "orders").rows_decided == 1
    rows = read_table(lake, "clean_orders").orderBy("id").collect()
    assert [(row["id"], row["amount"]) for row in rows] == [(1, 50.0), (2, 500.25)]


def test_a_batch_that_was_cut_off_ends_with_the_rows_that_it_began_with(
    lake: Lake, postgres: Postgres, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(postgres, 1, 3)
    postgres.run("UPDATE orders SET amount = 500 WHERE id = 3")
    verb = sys.modules["sparkml_ops.ingestion.ingest"]

    def cut_off(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verb, "write_quarantine", cut_off)
        with pytest.raises(KeyboardInterrupt):
            take_in(shop(), lake)
    postgres.run(
        f"DELETE FROM orders WHERE id = 3; UPDATE orders SET at = '{LONG_AGO}+00'::timestamptz + interval '1 day' WHERE id = 1"
    )
    insert(postgres, 4, 4)
    version = table_version(lake, "landed_orders")
    result = take_in(shop(mode="incremental"), lake)
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (3, 2, 1)
    assert table_version(lake, "landed_orders") == version


def test_a_snapshot_is_read_in_one_query_and_replaces_what_was_there(
    lake: Lake, postgres: Postgres, shop: Shop
) -> None:
    insert(postgres, 1, 3)
    use_case = shop(mode="snapshot", jdbc={"high_water": None})
    assert take_in(use_case, lake).rows_clean == 3
    postgres.run("DELETE FROM orders WHERE id = 2")
    take_in(use_case, lake)
    assert ids(lake) == [1, 3]
    marked = shop(mode="snapshot").sources["orders"]
    first = list_ranges(lake.spark, marked, name="orders", taken=[])
    assert list_ranges(lake.spark, marked, name="orders", taken=first) == first
    insert(postgres, 4, 4)
    (whole,) = list_ranges(lake.spark, marked, name="orders", taken=first)
    assert [row["id"] for row in read(lake, marked, [whole])] == ["1", "3", "4"]


def test_a_column_that_the_contract_has_and_the_table_has_not(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    insert(postgres, 1, 1)
    postgres.run("ALTER TABLE orders RENAME amount TO amounts")
    with pytest.raises(
        ContractError,
        match=r"jdbc: public.orders: the columns are not .*\n  - amount: declared, not there; renamed to amounts",
    ):
        take_in(shop(), lake)


def test_nothing_is_there_yet(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    with pytest.raises(SetupError, match="has nothing to take in yet: not one range"):
        take_in(shop(), lake)


def test_the_password_and_how_to_read_are_no_part_of_the_contract(lake: Lake, postgres: Postgres, shop: Shop) -> None:
    insert(postgres, 1, 2)
    take_in(shop(), lake)
    postgres.run(
        "DROP USER IF EXISTS reader; CREATE USER reader PASSWORD 'another one'; GRANT SELECT ON orders TO reader"
    )
    other = {"user": "reader", "password": "another one", "partition_by": "id", "partitions": 2, "lag": "1s"}
    assert take_in(shop(jdbc=other), lake).status == "no_change"
    postgres.run("DROP OWNED BY reader; DROP USER reader")
