"""What a batch's columns hold, in `metrics`; nothing of personal data but how much of it there is."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, query_tables

COLUMNS = {
    "id": {"type": "int"},
    "amount": {"type": "double", "nullable": True, "between": [0, 1000]},
    "town": {"type": "string"},
    "email": {"type": "string", "pii": True},
    "at": {"type": "timestamp"},
}


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    rows = [
        f"{i},{'' if i == 3 else i * 10},{'Rome' if i < 4 else 'Oslo'},p{i}@secret.example,2026-01-0{i} 00:00:00"
        for i in range(1, 6)
    ]
    (tmp_path / "a.csv").write_text(
        "\n".join(["id,amount,town,email,at", *rows, "6,-1,Bonn,bad@secret.example,2026-01-06 00:00:00"])
    )
    return tmp_path


def people(landed: Path, environment: Environment, **options: Any) -> UseCase:
    source = Source.model_validate(
        {"path": f"{landed}/*.csv", "format": "csv", "key": ["id"], "columns": COLUMNS, "max_violation_ratio": 0.5}
        | options
    )
    return UseCase.model_construct(name="shop", sources={"people": source}, environment=environment)


def figures(lake: Lake) -> dict[str, Any]:
    rows = query_tables(lake, "SELECT subject, name, value, details FROM metrics WHERE scope = 'profile'")[0].collect()
    return {f"{row.subject}.{row.name}": (row.value, json.loads(row.details)) for row in rows}


def test_figures_of_the_rows_that_are_taken_in(lake: Lake, landed: Path, environment: Environment) -> None:
    ingest(people(landed, environment), lake)
    found = figures(lake)
    values = {name: value for name, (value, _) in found.items()}
    assert {name: values[f"people.amount.{name}"] for name in ("nulls", "min", "mean", "max", "distinct", "p50")} == {
        "nulls": 1, "min": 10, "mean": 30, "max": 50, "distinct": 4, "p50": 20,
    }  # fmt: skip
    assert (values["people.town.shortest"], values["people.town.longest"], values["people.town.nulls"]) == (4, 4, 0)
    assert found["people.town.distinct"] == (2, {"rows": 5, "one_in": 1, "top": [["Rome", 3], ["Oslo", 2]]})
    assert values["people.at.min"] == 1767225600  # 2026-01-01 UTC
    assert {name for name in values if ".email." in name} == {
        f"people.email.{n}" for n in ("nulls", "shortest", "longest", "distinct")
    }


def test_what_costs_more_is_of_a_sample_that_says_so(
    lake: Lake, landed: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["sparkml_ops.ingestion.profile"], "SAMPLE_ROWS", 2)
    ingest(people(landed, environment), lake)
    found = figures(lake)
    _, details = found["people.id.distinct"]
    assert details["one_in"] == 3
    assert 0 <= details["rows"] < 5
    assert found["people.id.max"][0] == 5


def test_personal_data_reaches_neither_figures_nor_the_log_of_a_table(
    lake: Lake, landed: Path, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    columns = {"handle": "upper(email)", "year": "year(at)"}
    ingest(people(landed, environment, derive=columns), lake)
    ingest(people(landed, environment, derive={"handle": "upper(email)"}), lake)  # replaces a table that has statistics
    log = "".join(file.read_text() for file in Path(lake.root).rglob("_delta_log/*.json"))
    assert "secret.example" not in log + log.lower() + caplog.text
    assert '\\"town\\":\\"Oslo\\"' in log  # of the other columns there are statistics
    assert not [name for name in figures(lake) if "handle.p" in name or "handle.min" in name]
