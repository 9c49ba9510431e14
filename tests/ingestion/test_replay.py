"""Quarantine is worked off: each row is taken in once, or put aside once, or stays."""

import sys
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ContractError, TableNotFoundError
from sparkml_ops.ingestion import discard, ingest, read_quarantine, replay, summarise_quarantine
from sparkml_ops.ingestion import replay as replay_verb
from sparkml_ops.lake import Lake, query_tables, read_table, table_version
from tests.ingestion.test_ingest import clean, shop, take_in

FILE = "id,amount,day\n1,10,2026-01-01\n2,500,2026-01-02\n3,600,2026-01-03\nx,1,2026-01-04\n3,5\n"
WIDER = {"id": {"type": "int"}, "amount": {"type": "double", "between": [0, 550]}, "day": {"type": "date"}}


@pytest.fixture
def strict(lake: Lake, landing: Path, environment: Environment) -> UseCase:
    """One row is clean; four are in quarantine."""
    (landing / "a.csv").write_text(FILE)
    use_case = shop(landing, environment)
    result = take_in(use_case, lake).sources[0]
    assert (result.rows_clean, result.rows_quarantined) == (1, 4)
    return use_case


@pytest.fixture
def mended(strict: UseCase, landing: Path, environment: Environment) -> UseCase:
    return shop(landing, environment, columns=WIDER)


def statuses(lake: Lake) -> dict[str, str]:
    return {row["raw"]: row["status"] for row in read_quarantine(lake, "orders").collect()}


def test_a_mended_contract_takes_in_what_keeps_it_now_and_only_once(lake: Lake, mended: UseCase) -> None:
    first = replay(mended, lake, "orders")
    assert (first.rows_open, first.rows_decided, first.rows_left) == (4, 1, 3)
    assert clean(lake) == [(1, 10.0, "2026-01-01"), (2, 500.0, "2026-01-02")]
    assert statuses(lake) == {
        "2,500,2026-01-02": "replayed", "3,600,2026-01-03": "open", "x,1,2026-01-04": "open", "3,5": "open",
    }  # fmt: skip
    versions = {table: table_version(lake, table) for table in ("clean_orders", "quarantine_decisions")}
    again = replay(mended, lake, "orders")
    assert (again.rows_open, again.rows_decided, again.rows_left) == (3, 0, 3)
    assert versions == {table: table_version(lake, table) for table in versions}
    runs = query_tables(lake, "SELECT details FROM runs WHERE step = 'quarantine:orders' ORDER BY ended_at")[
        0
    ].collect()
    assert [run.details["rows_decided"] for run in runs] == ["1", "0"]


def test_after_a_replay_the_source_goes_on_under_the_mended_contract(
    lake: Lake, mended: UseCase, landing: Path
) -> None:
    replay(mended, lake, "orders")
    assert ingest(mended, lake).sources[0].status == "no_change"
    (landing / "b.csv").write_text("id,amount,day\n7,540,2026-01-07\n2,1,2026-01-07\n")
    result = ingest(mended, lake).sources[0]
    assert (result.rows_in, result.rows_clean, result.violations) == (2, 1, (("key: id is in the table already", 1),))
    assert [row[0] for row in clean(lake)] == [1, 2, 7]


def test_without_a_replay_a_mended_contract_takes_in_all_anew(lake: Lake, mended: UseCase) -> None:
    assert ingest(mended, lake).sources[0].rows_clean == 2
    assert replay(mended, lake, "orders").rows_open == 3


def test_full_after_a_replay_doubles_nothing(lake: Lake, mended: UseCase) -> None:
    replay(mended, lake, "orders")
    ingest(mended, lake, full=True)
    assert [row[0] for row in clean(lake)] == [1, 2]
    assert "replayed" not in statuses(lake).values()


def test_a_key_that_came_in_meanwhile_stays_in_quarantine(
    lake: Lake, mended: UseCase, landing: Path, strict: UseCase
) -> None:
    (landing / "b.csv").write_text("id,amount,day\n2,20,2026-01-02\n")
    ingest(strict, lake)
    assert replay(mended, lake, "orders").rows_decided == 0
    assert clean(lake) == [(1, 10.0, "2026-01-01"), (2, 20.0, "2026-01-02")]


@pytest.mark.parametrize("cut_off_after", ["_decide", "write_clean", "note_batch"])
def test_a_replay_that_is_cut_off_is_made_good_by_the_next(
    lake: Lake, mended: UseCase, monkeypatch: pytest.MonkeyPatch, cut_off_after: str
) -> None:
    module = sys.modules[replay_verb.__module__]
    original = getattr(module, cut_off_after)

    def cut_off(*arguments: Any, **options: Any) -> Any:
        original(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, cut_off_after, cut_off)
        with pytest.raises(KeyboardInterrupt):
            replay(mended, lake, "orders")
    replay(mended, lake, "orders")
    assert clean(lake) == [(1, 10.0, "2026-01-01"), (2, 500.0, "2026-01-02")]
    assert statuses(lake)["2,500,2026-01-02"] == "replayed"
    assert sorted(statuses(lake).values()) == ["open", "open", "open", "replayed"]


def test_discarded_rows_stay_with_the_reason_and_are_never_replayed(
    lake: Lake, strict: UseCase, mended: UseCase
) -> None:
    result = discard(strict, lake, "orders", why="the vendor's tests")
    assert (result.rows_open, result.rows_decided, result.rows_left) == (4, 4, 0)
    assert discard(strict, lake, "orders", why="again").rows_decided == 0
    assert replay(mended, lake, "orders").rows_open == 0
    row = read_table(lake, "quarantine_decisions").first()
    assert row is not None
    assert (row["decision"], row["why"], bool(row["decided_by"])) == ("discarded", "the vendor's tests", True)
    counted = summarise_quarantine(read_quarantine(lake, "orders")).collect()
    assert {(row["status"], row["rows"]) for row in counted} == {("discarded", 1), ("discarded", 2)}


def test_only_one_batch_is_discarded(lake: Lake, strict: UseCase, landing: Path) -> None:
    (landing / "b.csv").write_text("id,amount,day\ny,1,2026-01-02\n8,1,2026-01-08\n")
    batch = ingest(strict, lake).sources[0].batch_id
    assert discard(strict, lake, "orders", why="typing error", batch=batch).rows_left == 4
    with pytest.raises(ConfigError, match="batch 'nope' has no open rows in quarantine; batches that have: "):
        discard(strict, lake, "orders", why="typing error", batch="nope")


def test_what_cannot_be_asked(lake: Lake, strict: UseCase, landing: Path, environment: Environment) -> None:
    with pytest.raises(ConfigError, match=r"unknown source 'nope'; shop has \['orders'\]"):
        replay(strict, lake, "nope")
    with pytest.raises(ConfigError, match="a reason is needed"):
        discard(strict, lake, "orders", why="  ")
    other = shop(landing, environment, columns={**WIDER, "more": {"type": "int", "nullable": True}})
    with pytest.raises(
        ContractError, match=r"other columns now than clean_orders:\n  \+ more: in the contract, not in"
    ):
        replay(other, lake, "orders")


def test_a_type_that_the_table_has_not_is_told_before_anything_is_written(
    lake: Lake, landing: Path, environment: Environment, strict: UseCase
) -> None:
    other = shop(landing, environment, columns={**WIDER, "id": {"type": "long"}})
    with pytest.raises(
        ContractError, match=r"other columns now than clean_orders:\n  ~ id: int in the table, bigint in the"
    ):
        replay(other, lake, "orders")
    assert set(statuses(lake).values()) == {"open"}


def test_nothing_was_ever_ingested(lake: Lake, landing: Path, environment: Environment) -> None:
    with pytest.raises(TableNotFoundError, match="has no table clean_orders"):
        replay(shop(landing, environment), lake, "orders")


def test_rows_that_are_kept_as_json_are_read_once_more(lake: Lake, landing: Path, environment: Environment) -> None:
    rows = lake.spark.sql(
        "SELECT int(id) AS id, double(id) * 100 AS amount, date'2026-01-01' + int(id) AS day FROM range(1, 7)"
    )
    rows.coalesce(1).write.format("parquet").save(str(landing / "part"))
    assert take_in(shop(landing, environment, format="parquet"), lake).sources[0].rows_clean == 1
    replay(shop(landing, environment, format="parquet", columns=WIDER), lake, "orders")
    assert clean(lake) == [(i, 100.0 * i, f"2026-01-0{i + 1}") for i in range(1, 6)]


def test_an_expression_that_fails_in_a_replay_is_told_as_the_user_s(
    lake: Lake, strict: UseCase, landing: Path, environment: Environment
) -> None:
    failing = shop(landing, environment, columns=WIDER, expect=["1 / (amount - 500) < 1"])
    with pytest.raises(ContractError, match="`derive`, `expect` or `deleted_when` failed with DIVIDE_BY_ZERO"):
        replay(failing, lake, "orders")
    assert set(statuses(lake).values()) == {"open"}
    assert clean(lake) == [(1, 10.0, "2026-01-01")]
