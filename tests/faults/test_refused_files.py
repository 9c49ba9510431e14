"""Files that cannot be trusted, by class: each refuses its batch, with the words of the refusal, and nothing is written."""

import bz2
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_shop import GOOD, HEADER, flip, nothing_was_written, parquet, shop, text

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.errors import ContractError, SetupError
from sparkml_ops.ingestion import ingest
from sparkml_ops.ingestion.damage import blaming_files
from sparkml_ops.ingestion.files import list_files
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.lake import Lake


def damage(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        file = parquet(folder, "a.parquet", id=[str(n) for n in range(500)], amount=[1.0] * 500, day=[None] * 500)
        file.write_bytes(change(file.read_bytes()))

    return make


def two(**other: Any) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        parquet(folder, "a.parquet")
        parquet(folder, "b.parquet", **other)

    return make


def nanoseconds(folder: Path) -> None:
    import pyarrow as pa

    parquet(folder, "a.parquet", more=pa.array([0], pa.timestamp("ns")))


TABLE = HEADER + b"".join(f"{n},1,2026-01-01\n".encode() for n in range(3000))
PACKED = gzip.compress(TABLE)
PARQUET = {"format": "parquet"}
PARTS = {"partition_columns": ["day"]}
REFUSALS: dict[str, tuple[Callable[[Path], None], dict[str, Any], str]] = {
    "0 bytes": (text("a.csv", b""), {}, r"0 bytes are in 1 file of 1: .*a\.csv"),
    "no header": (text("a.csv", b"\n1,2\n"), {}, r"a\.csv has no header line"),
    "rows without a header": (text("a.csv", b"1,2,2026-01-01\n"), {}, r"a\.csv: the columns are not those.*- id: declared, not there"),
    "renamed": (text("a.csv", b"ID,amount,day\n"), {}, r"- id: declared, not there; renamed to ID\?"),
    "removed": (text("a.csv", b"id,amount\n"), {}, r"- day: declared, not there"),
    "added": (text("a.csv", b"id,amount,day,more\n"), {"new_columns": "fail"}, r"\+ more: there, not declared"),
    "twice": (text("a.csv", b"id,id,amount,day\n"), {}, r"names \['id'\] twice"),
    "another delimiter": (text("a.csv", b"id;amount;day\n"), {}, "- id: declared, not there"),
    "utf-16 that nobody declared": (text("a.csv", "id,amount,day\n".encode("utf-16")), {}, "- id: declared, not there"),
    "gz that is cut": (text("a.csv.gz", PACKED[: len(PACKED) // 2]), {}, r"a\.csv\.gz cannot be read: Unexpected end of input stream.*Land the file whole"),
    "gz with a flipped byte": (text("a.csv.gz", flip(PACKED, len(PACKED) // 2)), {}, r"a\.csv\.gz cannot be read: "),
    "gz with a wrong sum": (text("a.csv.gz", flip(PACKED, len(PACKED) - 6)), {}, r"a\.csv\.gz cannot be read: gzip stream CRC failure"),
    "gz with more behind it": (text("a.csv.gz", PACKED + b"more"), {}, r"a\.csv\.gz cannot be read: "),
    "gz that is text": (text("a.csv.gz", TABLE), {}, r"a\.csv\.gz is not packed as \.gz files are"),
    "bz2 that is text": (text("a.csv.bz2", TABLE), {}, r"a\.csv\.bz2 is not packed as \.bz2 files are"),
    "bz2 that is cut": (text("a.csv.bz2", bz2.compress(TABLE)[:200]), {}, r"a\.csv\.bz2 cannot be read: unexpected end of stream"),
    "zst that is text": (text("a.csv.zst", TABLE), {}, r"a\.csv\.zst is not packed"),
    "text that is gz": (text("a.csv", PACKED), {}, r"a\.csv is packed with gzip"),
    "text that is zip": (text("a.json", b"PK\x03\x04more"), {"format": "json"}, r"a\.json is a zip archive"),
    "text that is parquet": (lambda folder: parquet(folder, "a.csv") and None, {}, r"a\.csv is Parquet"),
    "gz over lines that is cut": (text("a.csv.gz", PACKED[: len(PACKED) // 2]), {"multiline": True}, r"a\.csv\.gz cannot be read: "),
    "parquet that is text": (text("a.parquet", TABLE), PARQUET, r"a\.parquet does not begin as Parquet does, but with b'id,amo"),
    "parquet that is cut": (damage(lambda content: content[: len(content) // 2]), PARQUET, r"a\.parquet cannot be read: .*not a Parquet file"),
    "parquet of 4 bytes": (text("a.parquet", b"PAR1"), PARQUET, r"a\.parquet cannot be read: "),
    "parquet with a wrong beginning": (damage(lambda content: b"XXXX" + content[4:]), PARQUET, r"does not begin as Parquet"),
    "parquet with a wrong footer": (damage(lambda content: content[:-8] + b"\xff\xff\xff\x7f" + content[-4:]), PARQUET, r"a\.parquet cannot be read: "),
    "parquet with a flipped byte": (damage(lambda content: flip(content, 100)), PARQUET, r"a\.parquet cannot be read: .*CRC"),
    "parquet without a column": (two(day=None), PARQUET, r"b\.parquet: the columns.*- day: declared, not there"),
    "parquet with another case": (two(day=None, Day=["x"]), PARQUET, r"b\.parquet.*- day: declared, not there; renamed to Day"),
    "parquet with another type": (two(amount=["x"]), PARQUET, r"column amount is double in .*a\.parquet and string in .*b\.parquet"),
    "parquet that Spark does not know": (nanoseconds, PARQUET, r"a\.parquet: Spark cannot read a column of this file.*NANOS"),
    "no partition": (text("a.csv", b"id,amount\n"), PARTS, r"1 file of 1 has not one folder day=… in the path: .*a\.csv"),
    "a partition twice": (text("day=1/day=2/a.csv", b"id,amount\n"), PARTS, r"has not one folder day=…"),
    "a partition in the file too": (text("day=1/a.csv", HEADER), PARTS, r"the columns \['day'\] are in the file, and in its path too"),
}  # fmt: skip


@pytest.fixture(scope="module")
def one_lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One for all refusals: none of them writes, so each finds it as the one before."""
    return Lake(spark, str(tmp_path_factory.mktemp("refusals") / "lake" / "shop"), None, "shop", frozenset())


@pytest.mark.parametrize("case", REFUSALS)
def test_a_file_that_cannot_be_trusted_is_refused_and_named(
    case: str, spark: Any, tmp_path: Path, environment: Environment
) -> None:
    make, options, message = REFUSALS[case]
    (tmp_path / "landing").mkdir()
    make(tmp_path / "landing")
    source = shop(tmp_path / "landing", environment, **options).sources["orders"]
    with pytest.raises(ContractError, match=f"(?s){message}"):
        read_whole(spark, source)


def read_whole(spark: Any, source: Source) -> None:
    """What `ingest` does with files before it writes."""
    files = [file.path for file in list_files(spark, source, name="orders")]
    with blaming_files():
        KINDS[source.format].read(spark, source, files).write.format("noop").mode("overwrite").save()


@pytest.mark.parametrize(
    "case", ["0 bytes", "removed", "gz that is text", "gz with a wrong sum", "parquet with a flipped byte"]
)
def test_nothing_is_written_of_a_batch_with_such_a_file(
    case: str, one_lake: Lake, tmp_path: Path, environment: Environment
) -> None:
    """One for each moment at which it is noticed: when it is listed, by its header, its first bytes, while it is read."""
    make, options, message = REFUSALS[case]
    (tmp_path / "landing").mkdir()
    make(tmp_path / "landing")
    with pytest.raises(ContractError, match=f"(?s){message}"):
        ingest(shop(tmp_path / "landing", environment, **options), one_lake)
    assert nothing_was_written(one_lake)


@pytest.mark.parametrize("what", ["grows", "is replaced", "goes"])
def test_a_file_that_changes_while_it_is_read(
    what: str, one_lake: Lake, tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    file = tmp_path / "landing" / "a.csv"
    file.parent.mkdir()
    file.write_bytes(HEADER + GOOD)
    module = sys.modules["sparkml_ops.ingestion.ingest"]
    note_batch = module.note_batch

    def change(*arguments: Any) -> Any:
        noted = note_batch(*arguments)
        if what == "goes":
            file.unlink()
        else:
            file.write_bytes(HEADER + GOOD + (GOOD if what == "grows" else b""))
            os.utime(file, (1, 1))
        return noted

    monkeypatch.setattr(module, "note_batch", change)
    with pytest.raises(
        ContractError, match=r"(1 file changed while being read: .*a\.csv|a\.csv cannot be read: .*does not exist)"
    ):
        ingest(shop(file.parent, environment), one_lake)
    assert nothing_was_written(one_lake)


def test_what_cannot_be_listed_or_is_passed_over(lake: Lake, tmp_path: Path, environment: Environment) -> None:
    text("landing/_half.csv", b"")(tmp_path)
    text("landing/.hidden.csv", b"")(tmp_path)
    text("landing/b.csv._COPYING_", b"id")(tmp_path)
    with pytest.raises(SetupError, match="no file matches .*files whose names start with _ or . are passed over"):
        ingest(shop(tmp_path / "landing", environment), lake)
    text("landing/a.csv/b.csv", HEADER + GOOD)(tmp_path)  # a folder with the name of a file
    assert ingest(shop(tmp_path / "landing", environment), lake).sources[0].rows_clean == 1
