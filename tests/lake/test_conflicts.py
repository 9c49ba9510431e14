"""Another writer's commit between reading and writing: tried again from what is there by then, and not for ever."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from delta.exceptions import ConcurrentAppendException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.errors import ConflictError, ContractError
from sparkml_ops.lake import Lake, MergeRules, append_once, commits, merge_rows, read_table, writes
from tests.lake.test_tables import content, orders


def wait_for(file: Path) -> None:
    until = time.monotonic() + 120
    while not file.exists():
        assert time.monotonic() < until, f"{file} never came"
        time.sleep(0.05)


def hold_back(rows: DataFrame, folder: Path) -> DataFrame:
    """The rows, which say that they are being read, and come once they may."""

    def pass_on(parts: Iterator[Any]) -> Iterator[Any]:
        # Python workers cannot import this module, so all that is needed stands here.
        (folder / "reading").touch()
        until = time.monotonic() + 120
        while not (folder / "go").exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield from parts

    return rows.coalesce(1).mapInPandas(pass_on, rows.schema)


def merge_while(lake: Lake, rows: DataFrame, folder: Path, other: Callable[[], object]) -> None:
    """Merge rows; in the middle of it, another writer commits, who knows nothing of leases."""
    merge = threading.Thread(
        target=merge_rows,
        args=(lake, "orders", hold_back(rows, folder)),
        kwargs={"rules": MergeRules(["id"]), "write_id": "ours"},
    )
    merge.start()
    wait_for(folder / "reading")
    other()
    (folder / "go").touch()
    merge.join()


def test_a_merge_is_tried_again_after_files_were_compacted(lake: Lake, tmp_path: Path) -> None:
    for number in (1, 2):
        append_once(lake, "orders", orders(lake, (number, "mon")), write_id=f"{number}")
    table = f"delta.`{lake.root}/orders`"
    merge_while(lake, orders(lake, (2, "tue"), (3, "tue")), tmp_path, lambda: lake.spark.sql(f"OPTIMIZE {table}"))
    assert content(lake) == {(1, "mon"), (2, "tue"), (3, "tue")}
    operations = [row["operation"] for row in lake.spark.sql(f"DESCRIBE HISTORY {table}").collect()]
    assert operations == ["MERGE", "OPTIMIZE", "WRITE", "WRITE"]


def test_a_merge_is_tried_again_after_another_merge_of_the_same_row(lake: Lake, tmp_path: Path) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon"), (2, "mon")), write_id="first")
    change = f"""MERGE INTO delta.`{lake.root}/orders` AS old USING (SELECT 2 AS id, 'wed' AS day UNION SELECT 4, 'wed') AS new
        ON old.id = new.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"""
    merge_while(lake, orders(lake, (2, "tue"), (3, "tue")), tmp_path, lambda: lake.spark.sql(change))
    assert content(lake) == {(1, "mon"), (2, "tue"), (3, "tue"), (4, "wed")}


def test_a_column_that_the_table_has_not_is_told(lake: Lake) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="first")
    wider = orders(lake, (1, "tue")).withColumn("Price", F.lit(1.5))
    with pytest.raises(ContractError, match=r"orders has no column Price, which the new rows have"):
        merge_rows(lake, "orders", wider, rules=MergeRules(["id"]), write_id="ours")


def test_a_conflict_that_does_not_end_is_told_by_its_name(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="first")
    tried = []

    def lose(*_: Any, **__: Any) -> None:
        tried.append(1)
        raise ConcurrentAppendException("files were added by a concurrent update")

    monkeypatch.setattr(writes, "execute_merge", lose)
    monkeypatch.setattr(commits, "_FIRST_PAUSE_SECONDS", 0.01)
    with pytest.raises(ConflictError, match=r"another writer changed orders of shop while we wrote \(ConcurrentAppend"):
        merge_rows(lake, "orders", orders(lake, (1, "tue")), rules=MergeRules(["id"]), write_id="ours")
    assert (len(tried), read_table(lake, "orders").count()) == (4, 1)


def test_without_a_lease_a_second_writer_of_the_same_name_adds_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in remote storage, with a second writer that looked before the first committed."""
    monkeypatch.setattr(commits, "local_root", lambda _: None)
    append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    monkeypatch.setattr(commits, "commits_in_effect", lambda _: [])
    second = append_once(lake, "orders", orders(lake, (1, "mon")), write_id="mon")
    assert (second.status, content(lake)) == ("skipped_duplicate", {(1, "mon")})
