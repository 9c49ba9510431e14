"""Columns that the contract does not declare, under `new_columns: add`: they come, stay away, and come back as something else."""

from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.catalog import describe_tables
from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, read_table, table_exists, table_version
from tests.ingestion import test_ingest

PLAIN = "id,amount,day\n1,10,2026-01-01\n"
MORE = "id,more,amount,day\n2,x,20,2026-01-02\n"


def shop(landing: Path, environment: Environment, **options: Any) -> UseCase:
    return test_ingest.shop(landing, environment, **{"new_columns": "add"} | options)


def take_in(use_case: UseCase, lake: Lake, landing: Path, name: str, text: str) -> None:
    (landing / name).write_text(text)
    assert ingest(use_case, lake).sources[0].rows_clean == len(text.splitlines()) - 1


def clean(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted((row.id, row.amount, row.more) for row in read_table(lake, "clean_orders").collect())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "merge"},
        {"mode": "merge", "merge": {"order_by": ["day"], "history": True, "future_tolerance": "9999d"}},
    ],
    ids=["incremental", "merge", "history"],
)
def test_a_column_comes_and_goes(lake: Lake, landing: Path, environment: Environment, options: dict[str, Any]) -> None:
    use_case = shop(landing, environment, **options)
    take_in(use_case, lake, landing, "a.csv", PLAIN)
    take_in(use_case, lake, landing, "b.csv", MORE)
    assert clean(lake) == [(1, 10.0, None), (2, 20.0, "x")]
    take_in(use_case, lake, landing, "c.csv", PLAIN.replace("\n1,", "\n3,"))
    assert clean(lake) == [(1, 10.0, None), (2, 20.0, "x"), (3, 10.0, None)]


def test_a_replaced_file_may_bring_one(lake: Lake, landing: Path, environment: Environment) -> None:
    use_case = shop(landing, environment)
    take_in(use_case, lake, landing, "a.csv", PLAIN)
    (landing / "a.csv").write_text(MORE)
    ingest(use_case, lake, sources=["orders"], replaced=[str(landing / "a.csv")])
    assert clean(lake) == [(2, 20.0, "x")]


def test_another_case_is_refused_and_the_table_is_as_it_was(
    lake: Lake, landing: Path, environment: Environment
) -> None:
    use_case = shop(landing, environment)
    take_in(use_case, lake, landing, "a.csv", MORE)
    before = table_version(lake, "clean_orders")
    (landing / "b.csv").write_text(MORE.replace("more", "More").replace("\n2,", "\n3,"))
    with pytest.raises(ContractError, match="~ more: string in the table; More: string in the batch"):
        ingest(use_case, lake)
    assert table_version(lake, "clean_orders") == before


def test_what_is_refused_leaves_no_tombstones_either(lake: Lake, landing: Path, environment: Environment) -> None:
    order = {"order_by": ["day"], "deleted_when": "amount = 0", "future_tolerance": "9999d"}
    use_case = shop(landing, environment, mode="merge", merge=order)
    take_in(use_case, lake, landing, "a.csv", MORE)
    (landing / "b.csv").write_text("id,More,amount,day\n2,x,0,2026-01-03\n")
    with pytest.raises(ContractError, match="~ more: string in the table"):
        ingest(use_case, lake)
    assert not table_exists(lake, "deleted_orders")


def test_another_type_is_refused(lake: Lake, tmp_path: Path, environment: Environment) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "parquet"
    folder.mkdir()
    use_case = shop(folder, environment, format="parquet", path=str(folder))

    def land(name: str, key: int, more: Any) -> None:
        columns = {"id": pa.array([key], pa.int32()), "amount": [1.0], "day": pa.array([0], pa.date32()), "more": more}
        pq.write_table(pa.table(columns), folder / name)

    land("a.parquet", 1, pa.array([7], pa.int64()))
    assert ingest(use_case, lake).sources[0].rows_clean == 1
    land("b.parquet", 2, pa.array(["x"]))
    with pytest.raises(ContractError, match="~ more: bigint in the table; more: string in the batch"):
        ingest(use_case, lake)
    assert clean(lake) == [(1, 1.0, 7)]


def test_nullability_flips_back_and_forth(lake: Lake, landing: Path, environment: Environment) -> None:
    columns = {"id": {"type": "int"}, "amount": {"type": "double"}, "day": {"type": "date"}}
    strict = shop(landing, environment, columns=columns, new_columns="ignore", max_violation_ratio=0.5)
    take_in(strict, lake, landing, "a.csv", PLAIN)
    assert describe_tables(strict, lake, tables=["clean_orders"]) == ("clean_orders",)
    (landing / "b.csv").write_text("id,amount,day\n2,,2026-01-02\n3,30,2026-01-03\n")
    assert ingest(strict, lake).sources[0].violations == (("amount: is null", 1),)
    loose_columns = columns | {"amount": {"type": "double", "nullable": True}}
    loose = shop(landing, environment, columns=loose_columns, new_columns="ignore")
    assert ingest(loose, lake).sources[0].rows_clean == 3
    assert amounts(lake) == [(1, 10.0), (2, None), (3, 30.0)]
    describe_tables(loose, lake, tables=["clean_orders"])
    assert ingest(strict, lake).sources[0].rows_quarantined == 1
    assert amounts(lake) == [(1, 10.0), (3, 30.0)]


def amounts(lake: Lake) -> list[tuple[int, float | None]]:
    return sorted((row.id, row.amount) for row in read_table(lake, "clean_orders").collect())


def test_a_column_that_is_no_key_any_more_may_be_null(lake: Lake, landing: Path, environment: Environment) -> None:
    before = shop(landing, environment)
    take_in(before, lake, landing, "a.csv", PLAIN)
    assert describe_tables(before, lake, tables=["clean_orders"]) == ("clean_orders",)
    columns = {"id": {"type": "int", "nullable": True}, "amount": {"type": "double"}, "day": {"type": "date"}}
    after = shop(landing, environment, columns=columns, key=["day"])
    (landing / "b.csv").write_text("id,amount,day\n,20,2026-01-02\n")
    assert ingest(after, lake).sources[0].rows_clean == 2
    assert {row.id for row in read_table(lake, "clean_orders").collect()} == {1, None}
