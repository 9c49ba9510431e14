"""Tables that lost a file: told by its name, and never read as if it were an older day."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sparkml_ops.errors import SetupError
from sparkml_ops.lake import Lake, append_once, new_run_id, read_table, record_step, table_version

LAST = "_delta_log/00000000000000000001.json"


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "an empty commit": (lambda table: cut(table / LAST, 0), r"its log says nothing of v1 .*00000000000000000001\.json"),
    "a torn commit": (lambda table: cut(table / LAST, 150), r"/letters/_delta_log/00000000000000000001\.json cannot be read"),
    "a data file that is gone": (lambda table: next(table.glob("*.parquet")).unlink(), r"/letters/part-.*\.parquet cannot be read: it is gone"),
    "a data file that is cut": (lambda table: cut(next(table.glob("*.parquet")), 100), r"/letters/part-.*\.parquet cannot be read: "),
}  # fmt: skip


def sum_letters(lake: Lake) -> None:
    """A step that reads the table, as every stage does."""
    with record_step(lake, run_id=new_run_id(), step="read", config_hash="") as record:
        record.read("letters", table_version(lake, "letters"))
        read_table(lake, "letters").selectExpr("sum(id)").collect()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_named(damage: str, lake: Lake) -> None:
    for batch in range(2):
        append_once(lake, "letters", lake.spark.range(3).coalesce(1), write_id=f"{batch}")
    folder = Path(lake.root) / "letters"
    for checksum in folder.rglob("*.crc"):
        checksum.unlink()
    change, message = DAMAGES[damage]
    change(folder)
    # Delta remembers what it read; a process that comes later, as the next run is, does not.
    lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    with pytest.raises(SetupError, match=f"the table letters of shop is not whole: .*{message}"):
        sum_letters(lake)
    assert [row.status for row in read_table(lake, "runs").collect()] == ["failed"]


def test_a_table_that_is_older_than_the_ledger_says() -> None:
    from datetime import UTC, datetime

    from sparkml_ops.lake import StepRun
    from sparkml_ops.pipeline.known import _require_no_older

    run = StepRun(
        step="ingest:orders", run_id="r", status="succeeded", config_hash="", inputs={}, outputs={"clean_orders": 4},
        details={}, model_version=None, ended_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    _require_no_older("shop", [run], {"clean_orders": 5})
    _require_no_older("shop", [run], {"clean_orders": None})
    with pytest.raises(SetupError, match=r"clean_orders of shop is at v3, and `runs` says that ingest:orders wrote v4"):
        _require_no_older("shop", [run], {"clean_orders": 3})
