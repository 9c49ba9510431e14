"""JSON lines: a line is one object, or it goes to quarantine whole."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.sources import Source
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.ingestion.readers.json import NO_OBJECT


def read(spark: SparkSession, *files: Path, **options: Any) -> list[tuple[Any, ...]]:
    """Rows as (id, text, malformed), in the order of the lines."""
    columns = {"id": {"type": "long"}, "text": {"type": "string"}}
    source = Source.model_validate({"path": "x", "format": "json", "key": ["id"], "columns": columns} | options)
    rows = KINDS["json"].read(spark, source, [str(file) for file in files]).where("_is_row").collect()
    return [(row["id"], row["text"], row["_malformed"] is not None) for row in rows]


SOUND = [
    ('{"id": 1, "text": "a"}', "1", "a"),
    ('  {"id": 1, "text": "a"}  ', "1", "a"),
    ('\ufeff{"id": 1}', "1", None),
    ('{"id": 1, "text": null}', "1", None),
    ('{"id": 9007199254740993}', "9007199254740993", None),
    ('{"id": 1.10, "text": 123456789012345678901.123456789}', "1.1", "123456789012345678901.123456789"),
    ('{"id": true, "text": {"deep": [1, {"deeper": "]}"}]}}', "true", '{"deep":[1,{"deeper":"]}"}]}'),
    ('{"id": "a]b", "text": "}{"}', "a]b", "}{"),
    ('{"ID": 1, "other": 2}', None, None),
    ("{}", None, None),
]


@pytest.mark.parametrize(("line", "number", "text"), SOUND)
def test_a_sound_line(spark: SparkSession, tmp_path: Path, line: str, number: str | None, text: str | None) -> None:
    (tmp_path / "a.json").write_text(line + "\n")
    assert read(spark, tmp_path / "a.json") == [(number, text, False)]


BROKEN = [
    '{"id": 1}{"id": 2}',
    '{"id": 1} {"id": 2}',
    '{"id": 1},{"id": 2}',
    '{"id": 1}]',
    '{"id": 1}],[{"id": 2}',
    '{"id": 1}]} {"id": 2}',
    '{"id": [1]}} {"id": 2}',
    '{"id": 1},"":{"id": 2}',
    '{"id": 1} # one',
    '{"id": 1, "id": 2}',
    '{"id": NaN}',
    "{'id': 1}",
    '{"id": 1',
    "[1, 2]",
    '[{"id": 1}]',
    '"text"',
    "null",
    "7",
    "]",
    "nonsense",
    '{"text": "a\x00b"}',
]


def test_a_broken_line_is_kept_whole_and_called_malformed(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\n".join(BROKEN) + "\n")
    source = Source.model_validate({"path": "x", "format": "json", "key": ["id"], "columns": {"id": {"type": "long"}}})
    rows = KINDS["json"].read(spark, source, [str(tmp_path / "a.json")]).where("_is_row").collect()
    assert [(row["_raw"], row["_malformed"]) for row in rows] == [(line, NO_OBJECT) for line in BROKEN]


def test_empty_lines_are_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('\n  \n{"id": 1}\r\n\n{"id": 2}')
    assert [row[0] for row in read(spark, tmp_path / "a.json")] == ["1", "2"]


def test_files_may_be_gzipped(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"id": 1}\n{"id": 2}{"id": 3}\n'))
    assert read(spark, tmp_path / "a.json.gz") == [("1", None, False), (None, None, True)]


def test_new_keys_are_found_wherever_they_are(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"id": 1}\n{"id": 2, "a`b": 3}\n')
    source = Source.model_validate(
        {"path": "x", "format": "json", "key": ["id"], "columns": {"id": {"type": "long"}}, "new_columns": "add"}
    )
    rows = KINDS["json"].read(spark, source, [str(tmp_path / "a.json")]).where("_is_row").collect()
    assert [row["a`b"] for row in rows] == [None, "3"]


def test_keys_that_are_data_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\n".join(f'{{"k{n}": 1}}' for n in range(2001)) + "\n")
    with pytest.raises(ContractError, match="more than 2000 different keys.*new_columns: ignore"):
        read(spark, tmp_path / "a.json", new_columns="fail")
