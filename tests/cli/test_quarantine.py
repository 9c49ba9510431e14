"""`sparkml-ops quarantine` from the first bad row to the last, on the use case that `init` writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.cli.app import app
from sparkml_ops.config.template import render_use_case
from sparkml_ops.errors import ConfigError

Call = Callable[..., str]


@pytest.fixture
def call(tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call a verb in this process and its Spark session, and give what it printed."""
    for path, text in render_use_case("returns").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    first = min((tmp_path / "data/landing/returns").rglob("*.csv"))
    first.write_text(first.read_text() + "one,value,too,many,for,the,header,of,this,file\n")

    def run(*arguments: str, **settings: str) -> str:
        overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        app(["--conf-dir", str(tmp_path / "conf"), *overrides, *arguments], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_bad_row_is_listed_shown_and_discarded(call: Call) -> None:
    assert call("quarantine", "list", "returns") == "No row is in quarantine.\n"
    ingested: dict[str, Any] = json.loads(call("ingest", "returns", "--json"))["result"]
    source = next(s["source"] for s in ingested["sources"] if s["rows_quarantined"])
    listed = json.loads(call("quarantine", "list", "returns", "--json"))["result"]
    assert [(row["source"], row["rows"], row["status"]) for row in listed] == [(source, 1, "open")]
    shown = call("quarantine", "show", "returns", "--source", source)
    assert "one,value,too,many" in shown
    assert "row: has more or fewer values than the header has columns" in shown
    replayed = call("quarantine", "replay", "returns", "--source", source)
    assert replayed == f"{source}: 0 of 1 open rows replayed, 1 left open\n"
    discarded = call("quarantine", "discard", "returns", "--source", source, "--reason", "a test row")
    assert discarded == f"{source}: 1 of 1 open rows discarded, 0 left open\n"
    assert call("quarantine", "show", "returns", "--source", source) == "No such row is in quarantine.\n"
    assert "a test row" in call("quarantine", "list", "returns", "--source", source)
    with pytest.raises(ConfigError, match="unknown source 'nope'"):
        call("quarantine", "show", "returns", "--source", "nope")
