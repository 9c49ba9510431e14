"""A first contract from real files: it is sound, the files keep it, and its comments say what was seen."""

import gzip
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from sparkml_ops.config.sources import Source
from sparkml_ops.errors import ConfigError, SetupError
from sparkml_ops.ingestion import infer_contract

HEADER = "id;when;day;amount;size;zip;kind;flag;empty;order note;big"


def write_rows(folder: Path) -> None:
    rows = [
        f"{i};2026-01-{i % 28 + 1:02d} 10:00:00;2026-01-{i % 28 + 1:02d};{i / 4};{i};{i:05d};{'ab'[i % 2]};true;NA;x {i};{i * 10**10}"
        for i in range(1, 101)
    ]
    (folder / "a.csv").write_text("\n".join([HEADER, *rows[:50], "only;three;values"]) + "\n")
    (folder / "b.csv.gz").write_bytes(gzip.compress("\n".join([HEADER, *rows[50:]]).encode()))


def test_a_contract_from_csv(spark: SparkSession, tmp_path: Path) -> None:
    write_rows(tmp_path)
    text = infer_contract(spark, str(tmp_path), name="orders")
    source = Source.model_validate(yaml.safe_load(text)["sources"]["orders"])
    assert {name: rule.type for name, rule in source.columns.items()} == {
        "id": "int", "when": "timestamp", "day": "date", "amount": "double", "size": "int", "zip": "string",
        "kind": "string", "flag": "boolean", "empty": "string", "big": "long",
    }  # fmt: skip
    assert (source.key, source.delimiter, source.columns["kind"].allowed) == (["id"], ";", ["a", "b"])
    assert [name for name, rule in source.columns.items() if rule.nullable] == ["empty"]
    lines = [line.strip() for line in text.splitlines()]
    assert "id: {type: int} # all different, 1 … 100" in lines
    assert (
        "zip: {type: string} # all different, 00001 … 00100, 5 characters, digits that start with 0 are no numbers"
        in lines
    )
    assert "empty: {type: string, nullable: true} # nothing but nulls" in lines
    assert "columns: # 100 rows were read; 1 more could not be taken apart and would go to quarantine" in lines
    assert any(line.startswith('# "order note": passed over') for line in lines)


def test_a_contract_from_json_and_parquet(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "a.jsonl").write_text('{"a": 1, "b": "x"}\n{"a": 1, "c": {"d": 1}}\n')
    text = infer_contract(spark, str(tmp_path / "j"), name="events")
    assert "key: […] # no column names a row alone: say which do together" in text
    assert "a: {type: int} # 1 different, 1 … 1" in text
    assert "b: {type: string, nullable: true} # 50.0% null, 1 different, x … x, 1 character\n" in text
    spark.sql("SELECT id, double(id) / 2 AS half, date'2026-01-01' AS day FROM range(5)").write.parquet(
        str(tmp_path / "p")
    )
    text = infer_contract(spark, str(tmp_path / "p"), name="halves")
    assert "half: {type: double} # all different, 0 … 2" in text


def test_what_gives_no_contract(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no file matches"):
        infer_contract(spark, str(tmp_path / "nothing"), name="a")
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(ConfigError, match="no row can be read"):
        infer_contract(spark, str(tmp_path), name="a")
    (tmp_path / "b.xlsx").write_text("a,b\n")
    with pytest.raises(ConfigError, match=r"the names do not tell one format: .*b\.xlsx"):
        infer_contract(spark, str(tmp_path), name="a")
    with pytest.raises(ConfigError, match="'a b' is no name of a source"):
        infer_contract(spark, str(tmp_path), name="a b")
