"""Folders outside the lake: there complete, or not there."""

import json
from pathlib import Path

import pytest

from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Lake
from sparkml_ops.lake.folders import MANIFEST, draft_folder


def test_a_folder_is_seen_only_when_it_is_complete(lake: Lake, tmp_path: Path) -> None:
    place = tmp_path / "out" / "größe 1"
    with draft_folder(lake, str(place)) as draft:
        draft.save(lake.spark.range(3), "parquet")
        draft.note({"rows": 3})
        assert not place.exists()
    assert lake.spark.read.parquet(str(place)).count() == 3
    assert json.loads((place / MANIFEST).read_text()) == {"rows": 3}
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_block_that_ends_with_an_error_leaves_nothing(lake: Lake, tmp_path: Path) -> None:
    place = tmp_path / "out" / "rows"
    draft = draft_folder(lake, str(place))
    draft.__enter__().note({})
    assert draft.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is not True
    assert list(place.parent.iterdir()) == []


def test_only_an_export_is_replaced_and_only_when_that_is_said(lake: Lake, tmp_path: Path) -> None:
    place, mine = tmp_path / "rows", tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for content in ("first", "second"):
        with draft_folder(lake, str(place), replace=True) as draft:
            draft.note({"content": content})
    assert json.loads((place / MANIFEST).read_text()) == {"content": "second"}
    with pytest.raises(ConfigError, match="is there already; nothing was written"), draft_folder(lake, str(place)):
        pass
    for replace in (True, False):  # --replace is no advice where it would not help
        with (
            pytest.raises(ConfigError, match="was not written by an export, and is not replaced"),
            draft_folder(lake, str(mine), replace=replace),
        ):
            pass
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "rows"]


@pytest.mark.parametrize("to", ["", "/", "s3://", "s3://bucket", "dbfs:x", "..", "a\0b"])
def test_what_is_no_place_is_refused(lake: Lake, to: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a folder to write to"), draft_folder(lake, to):
        pass


def test_a_place_that_cannot_be_written_to_is_told_without_a_traceback(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for to, why in (
        (str(tmp_path / "file" / "rows"), ""),
        ("nothing://host/rows", 'No FileSystem for scheme "nothing"'),
    ):
        with pytest.raises(ConfigError, match=f"cannot be written to: .*{why}"), draft_folder(lake, to):
            pass


def test_csv_tells_a_missing_text_from_an_empty_one_and_refuses_what_it_cannot_hold(lake: Lake, tmp_path: Path) -> None:
    rows = lake.spark.sql(
        "SELECT 1 AS id, '' AS a, CAST(NULL AS STRING) AS b, 'say \"hi\", \\n' AS c, TIMESTAMP'2024-03-01 12:00:00' AS at"
    )
    with draft_folder(lake, str(tmp_path / "rows")) as draft:
        draft.save(rows, "csv")
    text = next((tmp_path / "rows").glob("*.csv")).read_text()
    assert text == 'id,a,b,c,at\n1,"",,"say ""hi"", \n",2024-03-01T12:00:00.000000Z\n'
    nested = lake.spark.sql("SELECT array(1) AS xs")
    with (
        pytest.raises(ConfigError, match="csv cannot hold these rows"),
        draft_folder(lake, str(tmp_path / "no")) as draft,
    ):
        draft.save(nested, "csv")
    assert not (tmp_path / "no").exists()
