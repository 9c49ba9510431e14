"""CSV: lines are taken apart by their own file's header, and a line that cannot be is kept whole."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from sparkml_ops.config.sources import Source
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.ingestion.readers.csv import OPEN_QUOTE, OTHER_COLUMNS
from sparkml_ops.ingestion.readers.lines import NOT_TEXT


def read(spark: SparkSession, *files: Path, **options: Any) -> list[Row]:
    columns = {name: {"type": "string"} for name in ("a", "b", "c")}
    source = Source.model_validate({"path": "x", "format": "csv", "key": ["a"], "columns": columns} | options)
    return KINDS["csv"].read(spark, source, [str(file) for file in files]).where("_is_row").collect()


def write(folder: Path, *lines: str | bytes, name: str = "a.csv", header: str = "a,b,c", end: bytes = b"\n") -> Path:
    file = folder / name
    file.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + end for line in (header, *lines)))
    return file


SOUND = [
    ("1,2,3", ("1", "2", "3")),
    ('1,"x,y",3', ("1", "x,y", "3")),
    ('1,"x ""y"" z",3', ("1", 'x "y" z', "3")),
    ('"1","2","3"', ("1", "2", "3")),
    ("1, 2 ,3", ("1", " 2 ", "3")),
    ('1,5" pipe,3', ("1", '5" pipe', "3")),
    ('1,"a ,"" b",3', ("1", 'a ," b', "3")),
    (",,", (None, None, None)),
    ('1,"",3', ("1", None, "3")),
    ("#1,2,3", ("#1", "2", "3")),
    ("1,名前 \u202e 🛫,3", ("1", "名前 \u202e 🛫", "3")),
    ("1,a\x00b,3", ("1", "a\x00b", "3")),
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_sound_lines(spark: SparkSession, tmp_path: Path, end: bytes) -> None:
    rows = read(spark, write(tmp_path, *(line for line, _ in SOUND), end=end))
    assert [(row["_raw"], (row.a, row.b, row.c), row["_malformed"]) for row in rows] == [
        (line, values, None) for line, values in SOUND
    ]


BROKEN = [
    ("1,2", OTHER_COLUMNS),
    ("1,2,3,4", OTHER_COLUMNS),
    ("1,2,3,", OTHER_COLUMNS),
    ('"1,2,3"', OTHER_COLUMNS),
    ('1,"2,3', OPEN_QUOTE),
    ('1,2,"3', OPEN_QUOTE),
    ('1,2,"3""', OPEN_QUOTE),
    ('"', OPEN_QUOTE),
]


def test_broken_lines_are_kept_as_they_came(spark: SparkSession, tmp_path: Path) -> None:
    rows = read(spark, write(tmp_path, *(line for line, _ in BROKEN)))
    assert [(row["_raw"], row["_malformed"]) for row in rows] == BROKEN


def test_bytes_that_are_not_utf8_are_not_bent_in_silence(spark: SparkSession, tmp_path: Path) -> None:
    file = write(tmp_path, "1,M\u00fcnchen,3", "2,M\u00fcnchen,3".encode("iso-8859-1"))
    assert [(row.b, row["_malformed"]) for row in read(spark, file)] == [
        ("M\u00fcnchen", None),
        ("M\ufffdnchen", NOT_TEXT),
    ]


def test_a_declared_encoding(spark: SparkSession, tmp_path: Path) -> None:
    file = write(tmp_path, "2,M\u00fcnchen,3".encode("iso-8859-1"))
    assert [(row.b, row["_malformed"]) for row in read(spark, file, encoding="iso-8859-1")] == [("M\u00fcnchen", None)]


def test_utf16_is_refused_by_its_header(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,c\n1,2,3\n", encoding="utf-16")
    with pytest.raises(ContractError, match=r"a\.csv: the columns are not those of the contract"):
        read(spark, tmp_path / "a.csv")


def test_each_file_has_its_own_header_and_may_repeat_it(spark: SparkSession, tmp_path: Path) -> None:
    first = write(tmp_path, "1,2,3", "a,b,c", "", "  ", "4,5,6")
    second = write(tmp_path, "9,8,7", name="b.csv", header="\ufeffc,b,a")
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress(b"b,a,c\n2,1,3\n"))
    rows = read(spark, first, second, packed)
    assert sorted((row.a, row.b, row.c) for row in rows) == [
        ("1", "2", "3"), ("1", "2", "3"), ("4", "5", "6"), ("7", "8", "9"),
    ]  # fmt: skip
    assert {Path(row["_source_file"]).name for row in rows} == {"a.csv", "b.csv", "c.csv.gz"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "has no header line"),
        ("a,b,c,b", r"names \['b'\] twice"),
        ("a,b,c,", "has a column without a name"),
        ("a,b", "- c: declared, not there"),
        ("a,b,C", "- c: declared, not there; renamed to C"),
        ("1,2,3", "- a: declared, not there"),
        ("a;b;c", "- a: declared, not there"),
    ],
)
def test_headers_that_cannot_be_used(spark: SparkSession, tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        read(spark, write(tmp_path, "1,2,3", header=header))


def test_odd_names_and_separators(spark: SparkSession, tmp_path: Path) -> None:
    file = write(tmp_path, "1|2|3|4", header="a|b|c|x`y.z ,;{}", name="odd [1] {x}*?.csv")
    assert [row["x`y.z ,;{}"] for row in read(spark, file, delimiter="|", new_columns="ignore")] == ["4"]
