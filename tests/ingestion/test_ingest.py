"""Rows in = rows clean + rows quarantined, whatever the files hold and wherever it was killed."""

from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ContractError, SetupError
from sparkml_ops.ingestion import IngestResult, ingest
from sparkml_ops.lake import Lake, query_tables, read_table, table_exists, table_version
from tests.one_source import describe_shop

GOOD = "id,amount,day\n1,10.5,2026-01-01\n2,20,2026-01-02\n"


def shop(landing: Path, environment: Environment, **options: Any) -> UseCase:
    """A use case with one source; the other parts are not looked at here."""
    orders = {
        "path": str(landing / "*"),
        "format": "csv",
        "key": ["id"],
        "columns": {"id": {"type": "int"}, "amount": {"type": "double", "between": [0, 100]}, "day": {"type": "date"}},
        "max_violation_ratio": 0.9,
    } | options
    return describe_shop(environment, orders=orders)


def take_in(use_case: UseCase, lake: Lake, **options: Any) -> IngestResult:
    return ingest(use_case, lake, **options)


def clean(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted((r.id, r.amount, str(r.day)) for r in read_table(lake, "clean_orders").collect())


def quarantined(lake: Lake) -> list[tuple[str, list[str]]]:
    return sorted((row.raw, row.reasons) for row in read_table(lake, "quarantine_orders").collect())


def test_good_rows_are_typed_and_bad_rows_keep_their_raw_text_and_reasons(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    (landing / "a.csv").write_text(GOOD + "x,NA,2026-01-03\n3,1000,2026-01-04\n")
    result = take_in(shop(landing, environment), lake).sources[0]
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (4, 2, 2)
    assert clean(lake) == [(1, 10.5, "2026-01-01"), (2, 20.0, "2026-01-02")]
    assert quarantined(lake) == [
        ("3,1000,2026-01-04", ["amount: is outside 0 … 100"]),
        ("x,NA,2026-01-03", ["id: is no int", "amount: is null", "key: id is null"]),
    ]
    run = query_tables(lake, "SELECT status, details, outputs FROM runs")[0].collect()[0]
    assert (run.status, run.details["rows_in"], [o["rows"] for o in run.outputs]) == ("succeeded", "4", [2, 2])


def test_columns_are_matched_by_name_in_each_file(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.csv").write_text("id,amount,day\n1,10,2026-01-01\n")
    (landing / "b.csv").write_text("day,extra,id,amount\n2026-01-02,z,2,20\n")
    with pytest.raises(
        ContractError, match=r"b\.csv: the columns are not those of the contract:\n  \+ extra: there, not declared"
    ):
        take_in(shop(landing, environment), lake)
    assert not table_exists(lake, "clean_orders")
    take_in(shop(landing, environment, new_columns="ignore"), lake)
    assert clean(lake) == [(1, 10.0, "2026-01-01"), (2, 20.0, "2026-01-02")]


def test_ragged_and_quoted_lines_are_neither_lost_nor_shifted(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    (landing / "a.csv").write_bytes(
        "\ufeffid,amount,day\r\n1,10,2026-01-01\r\n2,20\r\n3,30,2026-01-03,extra\r\n".encode()
        + b'"4","40","2026-01-04"\r\n'
    )
    result = take_in(shop(landing, environment), lake).sources[0]
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (4, 2, 2)
    assert [row[0] for row in clean(lake)] == [1, 4]
    assert quarantined(lake) == [
        ("2,20", ["row: has more or fewer values than the header has columns"]),
        ("3,30,2026-01-03,extra", ["row: has more or fewer values than the header has columns"]),
    ]


def test_a_second_run_writes_nothing_and_a_new_file_is_appended(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    use_case = shop(landing, environment)
    (landing / "a.csv").write_text(GOOD)
    take_in(use_case, lake)
    before = {
        t: table_version(lake, t) for t in ("clean_orders", "quarantine_orders", "runs", "metrics", "ingested_files")
    }
    assert take_in(use_case, lake).sources[0].status == "no_change"
    assert before == {t: table_version(lake, t) for t in before}
    (landing / "b.csv").write_text("id,amount,day\n9,1,2026-01-09\n")
    result = take_in(use_case, lake).sources[0]
    assert (result.rows_in, len(clean(lake))) == (1, 3)


def test_keys_are_unique_in_the_batch_and_against_the_table(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    use_case = shop(landing, environment)
    (landing / "a.csv").write_text(GOOD + "2,99,2026-01-05\n")
    first = take_in(use_case, lake).sources[0]
    assert (first.rows_clean, first.rows_quarantined) == (2, 1)
    (landing / "b.csv").write_text("id,amount,day\n1,5,2026-01-01\n7,5,2026-01-07\n")
    second = take_in(use_case, lake).sources[0]
    assert (second.rows_clean, dict(second.violations)) == (1, {"key: id is in the table already": 1})
    assert [row[0] for row in clean(lake)] == [1, 2, 7]


def test_a_merge_updates_by_key(lake: Lake, landing: Path, environment: Environment) -> None:
    use_case = shop(landing, environment, mode="merge")
    (landing / "a.csv").write_text(GOOD)
    take_in(use_case, lake)
    (landing / "b.csv").write_text("id,amount,day\n2,50,2026-01-02\n3,30,2026-01-03\n")
    take_in(use_case, lake)
    assert clean(lake) == [(1, 10.5, "2026-01-01"), (2, 50.0, "2026-01-02"), (3, 30.0, "2026-01-03")]


def test_a_batch_past_its_budget_is_refused_whole(lake: Lake, landing: Path, environment: Environment) -> None:
    use_case = shop(landing, environment, max_violation_ratio=0.1)
    (landing / "a.csv").write_text(GOOD)
    take_in(use_case, lake)
    before = clean(lake)
    (landing / "b.csv").write_text("id,amount,day\n8,1,2026-01-08\n9,-1,2026-01-09\n")
    with pytest.raises(
        ContractError, match=r"refused whole: 1 of 2 rows \(50.0%\).*\n +1 rows  amount: is outside 0 … 100"
    ):
        take_in(use_case, lake)
    assert clean(lake) == before
    (landing / "b.csv").write_text("id,amount,day\n8,1,2026-01-08\n9,1,2026-01-09\n")
    take_in(use_case, lake)  # nothing of the refused batch was written, so its file may be mended
    assert [row[0] for row in clean(lake)] == [1, 2, 8, 9]


@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_other_policies(lake: Lake, landing: Path, environment: Environment, policy: str) -> None:
    use_case = shop(landing, environment, on_violation=policy)
    (landing / "a.csv").write_text(GOOD + "3,1000,2026-01-03\n")
    if policy == "fail":
        with pytest.raises(ContractError, match="0.0% may \\(on_violation: fail\\)"):
            take_in(use_case, lake)
        assert not table_exists(lake, "clean_orders")
    else:
        result = take_in(use_case, lake).sources[0]
        assert (result.rows_clean, result.rows_quarantined, dict(result.violations)) == (
            3,
            0,
            {"amount: is outside 0 … 100": 1},
        )


def test_each_rule_has_its_own_severity(lake: Lake, landing: Path, environment: Environment) -> None:
    columns = {
        "id": {"type": "int", "on_violation": "fail"},
        "amount": {"type": "double", "between": [0, 100], "on_violation": "warn"},
        "day": {"type": "date"},
    }
    expect = ["day >= date'2026-01-01'", {"rule": "amount <> 13", "on_violation": "warn"}]
    use_case = shop(landing, environment, columns=columns, expect=expect)
    (landing / "a.csv").write_text(GOOD + "3,1000,2026-01-03\n4,13,2026-01-04\n5,13,1999-01-01\n6,1000,x\n")
    result = take_in(use_case, lake).sources[0]
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (6, 4, 2)
    assert dict(result.violations) == {
        "amount: is outside 0 … 100": 2,
        "day: is no date": 1,
        "expect: amount <> 13": 2,
        "expect: day >= date'2026-01-01'": 1,
    }
    assert [row[0] for row in clean(lake)] == [1, 2, 3, 4]
    (landing / "b.csv").write_text("id,amount,day\n8,1,2026-01-08\nx,1,2026-01-09\n")
    with pytest.raises(ContractError, match=r"0.0% may \(on_violation: fail\)\.\n +1 rows  id: is no int\n"):
        take_in(use_case, lake)


def test_volume_and_freshness_are_held_against_the_batches_before(
    lake: Lake, landing: Path, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    columns = {"id": {"type": "int"}, "amount": {"type": "double"}, "day": {"type": "date"}}
    volume = {"changed_more_than": 0.5}
    old = {"of": "day", "within": "1d", "on_violation": "warn"}
    use_case = shop(landing, environment, columns=columns, volume=volume, freshness=old)
    (landing / "a.csv").write_text(GOOD)
    take_in(use_case, lake)
    warning = "the newest day is 2026-01-02 00:00:00 UTC"
    assert warning in caplog.text
    noted = query_tables(lake, "SELECT details['warnings'] AS warnings FROM runs")[0].collect()
    assert [row.warnings.startswith(warning) for row in noted] == [True]
    (landing / "b.csv").write_text("id,amount,day\n" + "".join(f"{i},1,2026-01-03\n" for i in range(10, 20)))
    with pytest.raises(ContractError, match="refused whole: 10 rows came in where 2 are usual"):
        take_in(use_case, lake)
    assert len(clean(lake)) == 2
    strict = shop(landing, environment, columns=columns, freshness={"of": "day", "within": "1d"})
    with pytest.raises(ContractError, match="refused whole: the newest day is 2026-01-03"):
        take_in(strict, lake)


def test_a_value_that_floods_a_column_refuses_the_batch(lake: Lake, landing: Path, environment: Environment) -> None:
    columns = {
        "id": {"type": "int", "pii": True},
        "amount": {"type": "double", "nullable": True},
        "day": {"type": "date"},
    }
    use_case = shop(landing, environment, columns=columns, skew={"of": ["id", "amount", "day"], "at_most": 0.5})
    (landing / "a.csv").write_text("id,amount,day\n1,0,1970-01-01\n2,,1970-01-01\n3,NA,2026-01-01\nx,0,2026-01-01\n")
    with pytest.raises(ContractError, match=r"whole: 2 of 3 rows \(66\.7%\) have '1970-01-01' as day, 50\.0% may"):
        take_in(use_case, lake)
    assert not table_exists(lake, "clean_orders")
    assert not table_exists(lake, "quarantine_orders")


def test_volume_is_compared_file_by_file(lake: Lake, landing: Path, environment: Environment) -> None:
    use_case = shop(landing, environment, volume={"changed_more_than": 0.5})
    for name in ("a", "b", "c"):  # a first batch of three files, then one
        (landing / f"{name}.csv").write_text(
            f"id,amount,day\n{ord(name)},1,2026-01-01\n{ord(name) + 100},1,2026-01-01\n"
        )
    take_in(use_case, lake)
    (landing / "d.csv").write_text("id,amount,day\n1,1,2026-01-01\n2,1,2026-01-01\n")
    assert take_in(use_case, lake).sources[0].rows_clean == 2


@pytest.mark.parametrize("ends_after", ["note_batch", "write_clean", "write_quarantine", "_record_figures"])
def test_a_batch_that_ended_early_is_finished_with_the_same_rows(
    lake: Lake, landing: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, ends_after: str
) -> None:
    import sys

    from sparkml_ops.ingestion import ingest as _  # noqa: F401  # the module is shadowed by its verb

    module = sys.modules["sparkml_ops.ingestion.ingest"]
    use_case = shop(landing, environment)
    (landing / "a.csv").write_text(GOOD + "bad,1,2026-01-03\n")
    original = getattr(module, ends_after)

    def end_here(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, ends_after, end_here)
        with pytest.raises(KeyboardInterrupt):
            take_in(use_case, lake)
    (landing / "b.csv").write_text("id,amount,day\n9,1,2026-01-09\n")
    take_in(use_case, lake)  # finishes the first batch
    take_in(use_case, lake)  # and takes in the file that landed meanwhile
    assert [row[0] for row in clean(lake)] == [1, 2, 9]
    assert len(quarantined(lake)) == 1


def test_a_changed_contract_takes_everything_in_anew(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.csv").write_text(GOOD)
    take_in(shop(landing, environment), lake)
    take_in(shop(landing, environment, derive={"cents": "cast(amount * 100 AS bigint)"}), lake)
    assert sorted(r.cents for r in read_table(lake, "clean_orders").collect()) == [1050, 2000]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"source orders: 0 bytes are in 1 file of 2: .*a\.csv"),
        ("\n", "has no header line"),
        ("id,amount,id\n1,2,3\n", r"names \['id'\] twice"),
        ("id,,day\n1,2,3\n", "has a column without a name"),
        ("id,amount\n1,2\n", "- day: declared, not there"),
        ("ID;amount;day\n1;2;3\n", "- id: declared, not there"),
    ],
)
def test_a_file_with_an_ugly_header_is_refused_and_named(
    lake: Lake, landing: Path, environment: Environment, content: str, message: str
) -> None:
    (landing / "a.csv").write_text(content)
    (landing / "b.csv").write_text(GOOD)
    with pytest.raises(ContractError, match=message):
        take_in(shop(landing, environment), lake)
    assert not table_exists(lake, "clean_orders")


@pytest.mark.parametrize(
    "name", ["a b.csv", "été.csv", "a%20b.csv", "a[1].csv", "x{y}.csv", "a;b='c'.csv", "deep/er/a.csv", "d=1/a.csv"]
)
def test_a_file_with_an_ugly_name_is_read_once(lake: Lake, landing: Path, environment: Environment, name: str) -> None:
    (landing / name).parent.mkdir(parents=True, exist_ok=True)
    (landing / name).write_text(GOOD)
    (landing / "_half.csv").write_text("")
    use_case = shop(landing, environment)
    assert take_in(use_case, lake).sources[0].rows_clean == 2
    assert take_in(use_case, lake).sources[0].status == "no_change"


def test_a_header_without_rows_is_an_empty_batch(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.csv").write_text("id,amount,day\n")
    result = take_in(shop(landing, environment), lake).sources[0]
    assert (result.status, result.rows_in, clean(lake)) == ("ingested", 0, [])


def test_no_file_at_all_is_told_with_the_path(lake: Lake, landing: Path, environment: Environment) -> None:
    with pytest.raises(SetupError, match=r"source orders: no file matches .*landing/\*"):
        take_in(shop(landing, environment), lake)


def test_an_unknown_source_is_told(lake: Lake, landing: Path, environment: Environment) -> None:
    with pytest.raises(ConfigError, match=r"unknown sources \['order'\]; shop has \['orders'\]"):
        take_in(shop(landing, environment), lake, sources=["order"])


def test_an_expression_that_fails_on_a_row_says_what_to_do(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.csv").write_text(GOOD)
    with pytest.raises(ContractError, match="failed with DIVIDE_BY_ZERO.*try_divide"):
        take_in(shop(landing, environment, derive={"worse": "id / 0"}), lake)
    assert not table_exists(lake, "clean_orders")


def test_json_lines_and_parquet_keep_the_same_contract(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.json").write_text(
        '{"id": 1, "amount": 10.5, "day": "2026-01-01"}\nnot json\n{"id": 2, "amount": "x", "day": "2026-01-02"}\n'
    )
    result = take_in(shop(landing, environment, format="json"), lake).sources[0]
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (3, 1, 2)
    folder = landing / "parquet"
    lake.spark.sql(
        "SELECT 5 AS id, 2.5D AS amount, DATE'2026-01-05' AS day UNION ALL SELECT 6, 250D, DATE'2026-01-06'"
    ).write.parquet(str(folder))
    other = Lake(lake.spark, lake.root + "_parquet", None, "shop", frozenset())
    result = take_in(shop(landing, environment, format="parquet", path=str(folder / "*.parquet")), other).sources[0]
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (2, 1, 1)


def test_a_lake_that_cannot_be_written_is_told_before_anything_runs(
    tmp_path: Path, landing: Path, environment: Environment, spark: Any
) -> None:
    (tmp_path / "file").write_text("in the way")
    (landing / "a.csv").write_text(GOOD)
    blocked = Lake(spark, str(tmp_path / "file" / "lake"), None, "shop", frozenset())
    with pytest.raises(SetupError, match="cannot write to the lake at"):
        take_in(shop(landing, environment), blocked)
    assert {path.name for path in tmp_path.iterdir()} == {"landing", "file"}


def test_a_rule_that_is_written_twice_does_not_count_its_rows_twice(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    (landing / "a.csv").write_text(GOOD)
    result = take_in(shop(landing, environment, expect=["amount > 15", "amount > 15"]), lake)
    assert (result.sources[0].rows_in, result.sources[0].rows_clean, result.sources[0].rows_quarantined) == (2, 1, 1)


def test_a_replaced_file_gives_its_rows_anew_and_no_others(lake: Lake, landing: Path, environment: Environment) -> None:
    use_case = shop(landing, environment)
    (landing / "a.csv").write_text(GOOD)
    (landing / "b c.csv").write_text("id,amount,day\n5,5,2026-01-05\n6,x,2026-01-06\n")
    take_in(use_case, lake)
    (landing / "b c.csv").write_text("id,amount,day\n6,6,2026-01-06\n2,1,2026-01-02\n5,50,2026-01-05\n")
    with pytest.raises(ContractError, match=r"1 file changed .*--replaced /.*/b c\.csv"):
        take_in(use_case, lake)
    result = take_in(use_case, lake, sources=["orders"], replaced=[str(landing / "b c.csv")]).sources[0]
    assert (result.rows_in, result.rows_clean, dict(result.violations)) == (
        3,
        2,
        {"key: id is in the table already": 1},
    )
    assert clean(lake) == [
        (1, 10.5, "2026-01-01"),
        (2, 20.0, "2026-01-02"),
        (5, 50.0, "2026-01-05"),
        (6, 6.0, "2026-01-06"),
    ]
    assert [raw for raw, _ in quarantined(lake)] == ["2,1,2026-01-02"]
    assert take_in(use_case, lake).sources[0].status == "no_change"
    (landing / "b c.csv").write_text("id,amount,day\n")
    take_in(use_case, lake, sources=["orders"], replaced=[str(landing / "b c.csv")])
    assert [row[0] for row in clean(lake)] == [1, 2]


def test_what_cannot_be_replaced(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.csv").write_text(GOOD)
    use_case = shop(landing, environment)
    take_in(use_case, lake)
    with pytest.raises(
        ConfigError, match=r"a\.csv has not changed since it was ingested, or never was; files that have: none"
    ):
        take_in(use_case, lake, replaced=[str(landing / "a.csv")])
    with pytest.raises(ConfigError, match="has the mode merge: only files of an incremental source can be replaced"):
        take_in(shop(landing, environment, mode="merge"), lake, replaced=[str(landing / "a.csv")])
