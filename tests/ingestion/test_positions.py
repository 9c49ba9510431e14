"""A quarantined row names its line as an editor would count it, however the file was cut for reading."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.lake import Lake, read_table
from tests.ingestion.test_ingest import shop, take_in

BAD_LINES = [2, 5, 61, 62, 400]


@pytest.fixture
def small_blocks(spark: SparkSession) -> Iterator[None]:
    """Files are cut into blocks of a few lines."""
    spark.conf.set("spark.sql.files.maxPartitionBytes", "512")
    spark.conf.set("spark.sql.files.openCostInBytes", "1")
    yield
    spark.conf.unset("spark.sql.files.maxPartitionBytes")
    spark.conf.unset("spark.sql.files.openCostInBytes")


def write_lines(first_id: int) -> str:
    names = [f"x{line}" if line in BAD_LINES else str(first_id + line) for line in range(2, 402)]
    lines = ["id,amount,day", *(f"{name},1,2026-01-01" for name in names)]
    lines[2:4] = ["", lines[0]]  # line 3 is blank, line 4 repeats the header
    return "\n".join(lines) + "\n"


@pytest.mark.usefixtures("small_blocks")
def test_lines_are_counted_across_the_blocks_of_each_file(lake: Lake, landing: Path, environment: Environment) -> None:
    (landing / "a.csv").write_text(write_lines(1000))
    (landing / "b c.csv").write_text(write_lines(2000).replace("\n", "\r\n"))
    (landing / "c.csv.gz").write_bytes(gzip.compress(write_lines(3000).encode()))
    result = take_in(shop(landing, environment), lake).sources[0]
    assert (result.rows_in, result.rows_quarantined) == (3 * 398, 3 * len(BAD_LINES))
    found = {
        (row["_source_file"].rpartition("/")[2], row["line"], row["raw"].partition(",")[0])
        for row in read_table(lake, "quarantine_orders").collect()
    }
    assert found == {(file, line, f"x{line}") for file in ("a.csv", "b%20c.csv", "c.csv.gz") for line in BAD_LINES}


def test_lines_of_rows_with_doubled_keys_and_of_json(lake: Lake, landing: Path, environment: Environment) -> None:
    good = '{"id": %d, "amount": 1, "day": "2026-01-01"}'
    (landing / "a.json").write_text("\n".join([good % 1, "", good % 1, "{", good % 2]))
    take_in(shop(landing, environment, format="json"), lake)
    rows = read_table(lake, "quarantine_orders").orderBy("line").collect()
    assert [(row["line"], row["reasons"]) for row in rows] == [
        (3, ["key: id is there twice in the batch"]),
        (4, ["row: is not one JSON object, whole and alone"]),
    ]


def test_rows_of_parquet_are_counted(lake: Lake, landing: Path, environment: Environment) -> None:
    rows = lake.spark.range(100).selectExpr("int(id) id", "if(id in (7, 98), -1d, 1d) amount", "date'2026-01-01' day")
    rows.coalesce(1).write.parquet(str(landing / "p"))
    take_in(shop(landing, environment, format="parquet"), lake)
    assert sorted(row["line"] for row in read_table(lake, "quarantine_orders").collect()) == [8, 99]
