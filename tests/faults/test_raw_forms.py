"""Parquet of many hands, and folders that tell columns: nothing is bent to fit, and nothing guessed."""

from pathlib import Path
from typing import Any

from bad_shop import flip, parquet, rows_by_file, shop, text
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion import ingest
from sparkml_ops.ingestion.damage import blaming_files
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.ingestion.readers.json import IN_PATH
from sparkml_ops.lake import Lake

PARTS = {"partition_columns": ["day"]}


def test_the_path_tells_columns(lake: Lake, tmp_path: Path, environment: Environment) -> None:
    columns = {"id": {"type": "string"}, "day": {"type": "date", "nullable": True}, "city": {"type": "string"}}
    options = {"columns": columns, "partition_columns": ["day", "city"]}
    for name, content in {
        "day=2026-01-01/city=S%C3%A3o%2FPaulo/a.csv": b"id\n1\n",
        "day=__HIVE_DEFAULT_PARTITION__/city=a b+c%25/a.csv": b"id\n2\n",
        "day=soon/city=50%/a.csv": b"id\n3\n",
    }.items():
        text(name, content)(tmp_path / "landing")
    ingest(shop(tmp_path / "landing", environment, **options), lake)
    rows = sorted((r.id, str(r.day), r.city) for rows in rows_by_file(lake, "clean_orders").values() for r in rows)
    assert rows == [("1", "2026-01-01", "São/Paulo"), ("2", "None", "a b+c%")]
    assert [(row.raw, row.reasons) for row in rows_by_file(lake, "quarantine_orders")["a.csv"]] == [
        ("3", ["day: is no date"])
    ]


def test_an_object_that_has_what_its_path_tells(lake: Lake, tmp_path: Path, environment: Environment) -> None:
    text("day=2026-01-01/a.json", b'{"id": "1", "amount": 1}\n{"id": "2", "amount": 1, "day": "2026-01-02"}\n')(
        tmp_path
    )
    ingest(shop(tmp_path / "day=*", environment, format="json", **PARTS), lake)
    assert [str(row.day) for row in rows_by_file(lake, "clean_orders")["a.json"]] == ["2026-01-01"]
    assert [row.reasons for row in rows_by_file(lake, "quarantine_orders")["a.json"]] == [[IN_PATH]]


def test_parquet_of_many_hands(lake: Lake, tmp_path: Path, environment: Environment) -> None:
    """Columns in another order and of another width, null where there is nothing, nested, and with more than was declared."""
    import pyarrow as pa

    columns = {
        "id": {"type": "string"},
        "n": {"type": "long", "nullable": True},
        "more": {"type": "string", "nullable": True},
    }
    wide = {"amount": None, "day": None}
    parquet(tmp_path, "a.parquet", n=pa.array([1], pa.int32()), more=[{"deep": [1]}], **wide)
    parquet(tmp_path, "b.parquet", more=[{"deep": [2]}], id=["b"], n=pa.array([2**40], pa.int64()), other=[1], **wide)
    parquet(tmp_path, "c.parquet", id=["c"], n=pa.nulls(1), more=pa.nulls(1), **wide)
    ingest(shop(tmp_path / "*.parquet", environment, format="parquet", columns=columns, new_columns="ignore"), lake)
    rows = sorted((r.id, r.n, r.more) for rows in rows_by_file(lake, "clean_orders").values() for r in rows)
    assert rows == [("a", 1, '{"deep":[1]}'), ("b", 2**40, '{"deep":[2]}'), ("c", None, None)]


def test_numbers_of_parquet_are_not_bent_to_fit(lake: Lake, tmp_path: Path, environment: Environment) -> None:
    """A fraction is no whole number, and no number says whether it counts seconds or thousandths of them."""
    import pyarrow as pa

    columns = {
        "id": {"type": "string"},
        "n": {"type": "long", "nullable": True},
        "at": {"type": "timestamp", "nullable": True},
    }
    parquet(
        tmp_path,
        "whole.parquet",
        id=["a", "b", "c"],
        n=[1.0, 1.7, None],
        at=pa.array([0] * 3, pa.timestamp("us")),
        amount=None,
        day=None,
    )
    parquet(tmp_path, "epoch.parquet", id=["d"], n=[float(2**40)], at=pa.array([1735689600000]), amount=None, day=None)
    for name, clean, reasons in (
        ("whole", [("a", 1), ("c", None)], ["n: is no long"]),
        ("epoch", [], ["at: is no timestamp"]),
    ):
        other = Lake(lake.spark, f"{lake.root}_{name}", None, "shop", frozenset())
        ingest(shop(tmp_path / f"{name}.parquet", environment, format="parquet", columns=columns), other)
        rows = rows_by_file(other, "clean_orders").get(f"{name}.parquet", [])
        assert sorted((row.id, row.n) for row in rows) == clean
        assert [row.reasons for row in rows_by_file(other, "quarantine_orders")[f"{name}.parquet"]] == [reasons]


def test_fifty_flipped_bytes_of_a_parquet_file(spark: Any, tmp_path: Path) -> None:
    """Spark writes a checksum with each page: what is read in spite of a flipped byte is what was written."""
    columns = {"id": {"type": "long"}, "name": {"type": "string"}}
    source = Source.model_validate({"path": "x", "format": "parquet", "key": ["id"], "columns": columns})
    spark.range(3000).select("id", F.md5(F.col("id").cast("string")).alias("name")).coalesce(1).write.parquet(
        str(tmp_path / "p")
    )
    file = next((tmp_path / "p").glob("*.parquet"))
    content = file.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8

    def read() -> Any:
        with blaming_files():
            rows = KINDS["parquet"].read(spark, source, [str(file)])
            return rows.agg(F.count("id"), F.sum(F.xxhash64("id", "name").cast("decimal(38,0)"))).first()

    told: list[str] = []
    whole = read()
    for at in range(4, len(content) - footer, (len(content) - footer) // 50):
        file.with_name(f".{file.name}.crc").unlink(missing_ok=True)  # Hadoop's own sums are left out of most copies
        file.write_bytes(flip(content, at))
        try:
            assert read() == whole
        except ContractError as error:
            told.append(str(error))
    assert len(told) > 40
    assert all(file.name in message for message in told)
