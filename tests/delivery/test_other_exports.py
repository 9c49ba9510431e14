"""A database in standard SQL (Derby, which comes with Spark), Parquet and CSV; what is published, and the verb's function."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.catalog.output_contract import find_broken
from sparkml_ops.config.environment import Environment
from sparkml_ops.databases import Connection, Database, connect
from sparkml_ops.delivery import export_predictions
from sparkml_ops.delivery.marker import Marker
from sparkml_ops.delivery.plans import plan_export
from sparkml_ops.delivery.to_database import DatabaseOrder, Delivered, export_to_database
from sparkml_ops.delivery.to_files import FilesOrder, Written, export_to_files
from sparkml_ops.errors import ConfigError, ContractError, TableNotFoundError
from sparkml_ops.lake import Lake, query_tables
from tests.delivery.conftest import History
from tests.delivery.published_shop import Shop, describe_exports

DERBY = "org.apache.derby.iapi.jdbc.AutoloadedDriver"
MARKER = Marker(version=4, table_id="t", row_count=1, rows_changed=1, rows_removed=0, run_id="r")


@pytest.mark.parametrize(
    ("markers", "asked", "mode", "reason"),
    [
        ({}, {}, "whole", "nothing was exported there before"),
        ({"b": MARKER}, {}, "whole", "nothing was exported there before but single batches"),
        ({"": MARKER}, {"version": 4}, "unchanged", "the target has v4 already"),
        ({"": MARKER}, {"version": 4, "full": True}, "whole", "as asked"),
        ({"": MARKER}, {}, "incremental", "the target has v4"),
        ({"": MARKER}, {"table_id": "u"}, "whole", "predictions_current was made anew since the last export"),
        ({"": MARKER}, {"version": 3}, "whole", "the target has v4, and the newest is v3"),
        ({"": MARKER}, {"batch": "b", "version": 4}, "unchanged", "the target has v4 already"),
        ({"": MARKER, "b": MARKER}, {"batch": "b"}, "batch", "as asked"),
    ],
)
def test_what_is_to_be_done_is_told_with_its_reason(
    markers: dict[str, Marker], asked: dict[str, Any], mode: str, reason: str
) -> None:
    plan = plan_export(markers, **{"version": 5, "table_id": "t", "batch": None, "full": False} | asked)
    assert (plan.mode, plan.reason) == (mode, reason)


def read(connection: Connection) -> dict[str | None, float]:
    rows = connection.ask('SELECT "order", "prediction" FROM "scores"."flights"')
    return {row[0]: float(row[1] or "nan") for row in rows}


def test_a_database_without_a_dialect_of_its_own_gets_the_same_rows(
    history: History, environment: Environment, tmp_path: Path
) -> None:
    database = Database(f"jdbc:derby:{tmp_path}/derby;create=true", DERBY)
    given = {"to": "jdbc", "url": database.url, "driver": DERBY, "table": "scores.flights"}
    use_case = describe_exports(environment, {"other": given})

    def bring(version: int, run: str) -> Delivered:
        return export_to_database(DatabaseOrder(use_case, "other", use_case.exports["other"], history.at(version), run))  # type: ignore[arg-type]

    with connect(history.lake.spark, database) as connection:
        connection.run('CREATE SCHEMA "scores"')
        assert (bring(history.first, "1").plan.mode, read(connection)) == ("whole", history.states[history.first])
        assert bring(history.first, "2").plan.mode == "unchanged"
        second = bring(history.second, "3")
        assert (second.plan.mode, second.removed, read(connection)) == (
            "incremental",
            1,
            history.states[history.second],
        )
        told = connection.ask(
            'SELECT "as_of", CAST("reasons" AS VARCHAR(99)) FROM "scores"."flights" WHERE "order" = ?', "a"
        )
        assert told == [("2026-03-29 01:30:00.123456", json.dumps([{"feature": "größe 'x\"", "contribution": None}], ensure_ascii=False, separators=(",", ":")))]  # fmt: skip


@pytest.fixture
def write(history: History, environment: Environment, tmp_path: Path) -> Callable[..., Written]:
    def order(form: str, version: int, *, batch: str | None = None, **options: Any) -> Written:
        exports = describe_exports(environment, {"files": {"to": form, "path": str(tmp_path / "out")}}).exports
        published = history.at(version, batch=batch)
        return export_to_files(FilesOrder("shop", "files", exports["files"], published, "run", **options))  # type: ignore[arg-type]

    return order


def test_parquet_of_a_version_is_whole_with_its_checksums_and_written_once(
    history: History, write: Callable[..., Written], tmp_path: Path
) -> None:
    assert (write("parquet", history.first, dry_run=True).rows, [*tmp_path.iterdir()]) == (7, [])
    done = write("parquet", history.first)
    folder = Path(done.folder)
    assert folder == tmp_path / "out" / "current" / f"v{history.first:010d}"
    assert (folder / "_SUCCESS").exists()
    manifest = json.loads((folder / "_manifest.json").read_text())
    assert (manifest["version"], manifest["rows"], manifest["batch"]) == (history.first, 7, None)
    assert manifest["newest_as_of"] == "2026-03-29T01:30:00.123456+00:00"
    files = {file["name"]: (file["bytes"], file["sha256"]) for file in manifest["files"]}
    there = {path.name: path.read_bytes() for path in folder.glob("part-*")}
    assert files == {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in there.items()}
    rows = {row["order"]: row["prediction"] for row in history.lake.spark.read.parquet(str(folder)).collect()}
    assert rows == history.states[history.first]
    before = sorted(folder.iterdir())
    assert (write("parquet", history.first).plan.mode, sorted(folder.iterdir())) == ("unchanged", before)


def test_csv_of_a_batch_keeps_every_text_and_has_json_for_what_is_nested(
    history: History, write: Callable[..., Written]
) -> None:
    done = write("csv", history.first, batch="monday")
    assert Path(done.folder).parent.name == "batch-monday"
    texts = [path.read_text(encoding="utf-8") for path in Path(done.folder).glob("part-*")]
    rows = [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert {row["order"]: float(row["prediction"]) for row in rows} == history.states[history.first]
    assert {row["as_of"] for row in rows} == {"2026-03-29T01:30:00.123456Z"}
    assert json.loads(rows[0]["feature_versions"]) == {"features_f": 3}


def test_a_batch_of_any_name_stays_in_its_folder(
    history: History, write: Callable[..., Written], tmp_path: Path
) -> None:
    done = write("csv", history.first, batch="../../x y/ß", dry_run=True)
    assert done.folder == str(tmp_path / "out" / f"batch-..%2F..%2Fx%20y%2F%C3%9F/v{history.first:010d}")


def test_a_folder_of_somebody_else_is_not_replaced(
    history: History, write: Callable[..., Written], tmp_path: Path
) -> None:
    theirs = tmp_path / "out" / "current" / f"v{history.first:010d}"
    theirs.mkdir(parents=True)
    with pytest.raises(ConfigError, match="was not written by an export, and is not replaced"):
        write("parquet", history.first)


def test_the_function_says_what_is_not_published_and_writes_the_ledger(
    lake: Lake, environment: Environment, tmp_path: Path
) -> None:
    shop, use_case = Shop(lake), describe_exports(environment, {"files": {"to": "csv", "path": str(tmp_path / "out")}})
    with pytest.raises(ConfigError, match="shop has no export 'fils'. Did you mean files"):
        export_predictions(use_case, lake, "fils")
    with pytest.raises(TableNotFoundError, match="nothing is published yet. `sparkml-ops score shop`"):
        export_predictions(use_case, lake, "files", dry_run=True)
    shop.publish("friday", {"a": 0.1}, status="held")
    with pytest.raises(TableNotFoundError, match="nothing is published yet"):
        export_predictions(use_case, lake, "files", dry_run=True)
    version = shop.publish("monday", {"a": 0.1})
    with pytest.raises(TableNotFoundError, match="'mondya' is not published: there is none .* Did you mean monday"):
        export_predictions(use_case, lake, "files", batch="mondya", dry_run=True)
    with pytest.raises(TableNotFoundError, match="batch 'friday' is not published: it is held"):
        export_predictions(use_case, lake, "files", batch="friday", dry_run=True)
    done = export_predictions(use_case, lake, "files", run_id="run-9")
    assert (done.mode, done.version, done.rows, done.changed) == ("whole", version, 1, None)
    row = query_tables(lake, "SELECT run_id, step, status, inputs, details FROM runs")[0].collect()[0]
    assert (row["run_id"], row["step"], row["status"]) == ("run-9", "export:files", "succeeded")
    assert (row["inputs"][0]["version"], row["details"]["rows"], row["details"]["mode"]) == (version, "1", "whole")


def test_rows_that_break_what_is_promised_are_not_passed_on(
    lake: Lake, environment: Environment, tmp_path: Path
) -> None:
    shop, use_case = Shop(lake), describe_exports(environment, {"files": {"to": "csv", "path": str(tmp_path / "out")}})
    shop.publish("monday", {"a": 0.1, "b": 1.5, "c": float("nan")})
    with pytest.raises(ContractError) as raised:
        export_predictions(use_case, lake, "files")
    assert "\n  - prediction is a probability, from 0 to 1: 2 rows are otherwise" in str(raised.value)
    assert not (tmp_path / "out").exists()
    broken = find_broken(use_case, query_tables(lake, "SELECT * EXCEPT (run_id) FROM predictions_current")[0])
    assert broken == {"run_id is a column": 0, "prediction is a probability, from 0 to 1": 2}
