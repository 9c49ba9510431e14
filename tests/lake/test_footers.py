"""What files tell of themselves, and what they do not."""

from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_ops.lake import Lake, append_files, arrow_files, read_table
from sparkml_ops.lake.arrow_files import ArrowFile
from sparkml_ops.lake.footers import ascend_apart, read_footers

LONG = "a" * 9000
"""Of so long a text Parquet's writers tell no bounds."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two row groups, of which one has no bounds for the text, and the number ascends."""
    monkeypatch.setattr(arrow_files, "_GROUP_BYTES", 1)
    path = tmp_path / "part-1.parquet"
    with ArrowFile(path, "snappy", "number") as written:
        written.put(pa.table({"text": ["b", "c"], "number": [1, 2]}))
        written.put(pa.table({"text": ["a", LONG, None], "number": [3, 4, 5]}))
    return path


def test_bounds_that_one_part_does_not_tell_are_not_known(file: Path) -> None:
    (footer,) = read_footers([file])
    text, number = footer.columns["text"], footer.columns["number"]
    assert (text.nulls, text.least, text.greatest) == (1, None, None)
    assert (number.nulls, number.least, number.greatest) == (0, 1, 5)
    assert ascend_apart([footer], "number")
    assert not ascend_apart([footer], "text")


def test_no_row_is_passed_over_for_bounds_that_are_not_known(lake: Lake, file: Path) -> None:
    schema = lake.spark.createDataFrame([], "text string, number bigint").schema
    append_files(lake, "words", read_footers([file]), schema, write_id="a")
    rows = read_table(lake, "words")
    assert [row["number"] for row in rows.where("text = 'a'").collect()] == [3]
    assert rows.where("text IS NULL").count() == 1
    assert rows.where("text > 'b'").count() == 1


def test_files_that_overlap_do_not_ascend_apart(tmp_path: Path) -> None:
    parts = {
        "low": [1, 2],
        "high": [3, 9],
        "between": [2, 3],
        "fallen": [20, 10],
        "twice": [30, 30],
        "with null": [40, None],
    }
    for name, numbers in parts.items():
        with ArrowFile(tmp_path / name, "snappy", "number") as written:
            written.put(pa.table({"number": pa.array(numbers, pa.int64())}))
    footers = {name: read_footers([tmp_path / name])[0] for name in parts}
    assert ascend_apart([footers["high"], footers["low"]], "number")
    for other in ("between", "fallen", "twice", "with null"):
        assert not ascend_apart([footers["low"], footers["high"], footers[other]], "number")
