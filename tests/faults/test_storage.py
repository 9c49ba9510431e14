"""Disks that are full or read-only: told as that, the tables as they were, and the next run ends what was begun."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_shop import shop
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment
from sparkml_ops.errors import SetupError
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, read_table
from sparkml_ops.lake.failed_writes import find_failed_write

ROWS = 500


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    rows = "".join(f"{number},{number % 101},2026-01-01\n" for number in range(ROWS))
    (folder / "a.csv").write_text(f"id,amount,day\n{rows}x,none,2026-01-01\n")
    return folder


@pytest.mark.parametrize("free_kilobytes", [24, 48, 96, 128])
def test_a_full_disk_is_told_and_what_was_begun_ends_once_there_is_room(
    spark: SparkSession, disk: Path, landing: Path, environment: Environment, free_kilobytes: int
) -> None:
    lake, use_case = Lake(spark, str(disk / "shop"), None, "shop", frozenset()), shop(landing, environment)
    filler = disk / "filler"
    filler.write_bytes(b"\0" * (2048 - free_kilobytes) * 1024)
    with pytest.raises(
        SetupError, match=r"a disk is full\. the lake \(.*/disk/shop\) has 0\.\d MB free; Spark's scratch space"
    ):
        ingest(use_case, lake)
    filler.unlink()
    ingest(use_case, lake)
    numbers = [row.id for row in read_table(lake, "clean_orders").select("id").collect()]
    assert sorted(numbers, key=int) == [str(number) for number in range(ROWS)]
    assert [row.raw for row in read_table(lake, "quarantine_orders").collect()] == ["x,none,2026-01-01"]


def test_a_disk_that_is_read_only_is_told_before_anything_starts(
    spark: SparkSession, disk: Path, landing: Path, environment: Environment
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    lake = Lake(spark, str(disk / "shop"), None, "shop", frozenset())
    with pytest.raises(SetupError, match="cannot write to the lake at .*/disk/shop: Read-only file system"):
        ingest(shop(landing, environment), lake)
    assert list(disk.iterdir()) == []


def test_a_lake_under_a_file_is_told(spark: SparkSession, landing: Path, environment: Environment) -> None:
    lake = Lake(spark, str(landing / "a.csv" / "shop"), None, "shop", frozenset())
    with pytest.raises(SetupError, match=r"cannot write to the lake at .*/a\.csv/shop: Not a directory"):
        ingest(shop(landing, environment), lake)


def test_an_error_of_something_else_is_left_alone() -> None:
    full = OSError(28, "No space left on device")
    wrapped = RuntimeError("writing failed")
    wrapped.__cause__ = full
    assert find_failed_write(wrapped) == find_failed_write(full) == "a disk is full"
    assert find_failed_write(ValueError("the disk jockey is full of ideas")) is None
