"""Four processes write to one table at once, and one of them is killed with the lease in its hand."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.lake import Lake, read_table
from tests.faults.appender import BATCHES, ROWS
from tests.flow_project import outside_environment

pytestmark = pytest.mark.slow

DIES_AT = 2
LANDED = "id,amount,day\n" + "".join(f"{n},1,2026-01-01\n" for n in range(200))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """What each process told, and where they wrote."""
    root = tmp_path_factory.mktemp("appenders")
    (root / "landing").mkdir()
    (root / "landing" / "a.csv").write_text(LANDED)
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-m", "tests.faults.appender", str(root), name, *([str(DIES_AT)] if name == "victim" else [])],
            cwd=Path(__file__).parents[2], env=outside_environment(), start_new_session=True,
            stdout=subprocess.PIPE, stderr=(root / f"{name}.log").open("w"), text=True,
        )
        for name in ("a", "b", "c", "victim")
    }  # fmt: skip
    try:
        lines = {name: [_next(process)] for name, process in processes.items()}
        (root / "append").touch()  # all at once, and not one after another as they come up
        for name, process in processes.items():
            lines[name] += [_next(process) for _ in range(DIES_AT if name == "victim" else BATCHES)]
        (root / "ingest").touch()
        for name, process in processes.items():
            lines[name].append(_next(process))
            process.wait(timeout=1200)
    finally:
        for process in processes.values():
            process.kill()
    return root, lines


def _next(process: "subprocess.Popen[str]") -> str:
    """The next line that a process tells; an empty one once it is dead."""
    assert process.stdout is not None
    return next((line.removeprefix("told ").strip() for line in process.stdout if line.startswith("told ")), "")


def test_every_acknowledged_batch_is_there_exactly_once(
    told: tuple[Path, dict[str, list[str]]], spark: SparkSession
) -> None:
    root, lines = told
    lake = Lake(spark, str(root / "lake" / "shop"), None, "shop", frozenset())
    rows = Counter((row.writer, row.batch) for row in read_table(lake, "letters").collect())
    acknowledged = {
        (name, int(line.split()[-1])) for name, said in lines.items() for line in said if line.startswith("appended")
    }
    assert acknowledged == {(n, b) for n in "abc" for b in range(BATCHES)} | {("victim", b) for b in range(DIES_AT)}
    # The victim was killed behind its commit: that batch is there whole, though nobody was told.
    assert dict(rows) == dict.fromkeys(acknowledged | {("victim", DIES_AT)}, ROWS)


def test_who_was_killed_told_no_more_and_stands_in_nobodys_way(told: tuple[Path, dict[str, list[str]]]) -> None:
    assert told[1]["victim"] == ["ready", "appended committed 0", "appended committed 1", ""]


def test_one_of_them_ingests_and_the_others_are_told(
    told: tuple[Path, dict[str, list[str]]], spark: SparkSession
) -> None:
    root, lines = told
    ends = sorted(lines[name][-1].removeprefix("ingest ") for name in "abc")
    assert ends.count("ingested") == 1
    assert all(end in {"ingested", "no_change"} or "is being written by process" in end for end in ends)
    lake = Lake(spark, str(root / "lake" / "shop"), None, "shop", frozenset())
    assert sorted(int(row.id) for row in read_table(lake, "clean_orders").collect()) == list(range(200))
