"""The command line: quick to answer, clear when it refuses, the same codes everywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from sparkml_ops.cli.app import app
from sparkml_ops.cli.options import NamedModel, split_model, split_overrides
from sparkml_ops.cli.output import format_table, to_plain
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Commit
from tests.flights_sample import PROJECT

VERBS = sorted(command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback)
GROUPED = [("batches", verb) for verb in ("list", "show", "diff", "publish", "hold", "rollback")]
GROUPED += [("quarantine", verb) for verb in ("list", "show", "replay", "discard")]
GROUPED += [("features", verb) for verb in ("build", "plan", "backfill", "list", "show", "search")]
GROUPED += [("datasets", verb) for verb in ("list", "show", "diff", "recreate", "export")]
GROUPED += [("experiments", verb) for verb in ("list", "compare")]
GROUPED += [("contract", verb) for verb in ("export", "infer", "diff")]
GROUPED += [("online", verb) for verb in ("publish", "serve", "check")]
HEAVY = ("pyspark", "mlflow", "pandas", "numpy", "lightgbm", "sklearn", "hyperopt")


def call(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sparkml_ops", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("flights", NamedModel("flights")),
        ("flights@latest", NamedModel("flights")),
        ("flights@3", NamedModel("flights", version=3)),
        ("flights@007", NamedModel("flights", version=7)),
        ("flights@champion", NamedModel("flights", alias="champion")),
        ("flights@blue-green_2", NamedModel("flights", alias="blue-green_2")),
        ("flights@2026-11", NamedModel("flights", alias="2026-11")),
        ("conf/me@home/flights.yml@3", NamedModel("conf/me@home/flights.yml", version=3)),
    ],
)
def test_a_model_is_named_by_use_case_and_version(text: str, named: NamedModel) -> None:
    assert split_model(text) == named


@pytest.mark.parametrize(
    "text", ["@", "flights@", "@3", "flights@3.0", "flights@-1", "flights@٣", "flights@a b", "a@b.yml"]
)
def test_what_names_no_version_is_told(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected NAME@VERSION with a number, an alias or latest"):
        split_model(text)


def test_a_file_with_an_at_sign_is_a_use_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a@3").write_text("")
    assert split_model("a@3") == NamedModel("a@3")
    assert split_model("a" * 5000 + "@3") == NamedModel("a" * 5000, version=3)
    assert split_model("a@" + "9" * 5000) == NamedModel("a", alias="9" * 5000)


def test_there_is_a_verb_for_every_stage_and_for_looking() -> None:
    stages = {
        "run",
        "plan",
        "ingest",
        "dataset",
        "train",
        "promote",
        "rollback",
        "score",
        "export",
        "wait-for",
        "views",
        "monitor",
        "report",
    }
    assert set(VERBS) == stages | {
        "audit",
        "backtest",
        "card",
        "champions",
        "explain-row",
        "shadow",
        "reproduce",
        "validate",
        "runs",
        "sql",
        "schema",
        "serve",
        "doctor",
        "init",
        "catalog",
        "maintain",
    }


@pytest.mark.parametrize("verb", [*[(verb,) for verb in VERBS], *GROUPED], ids=" ".join)
def test_the_help_of_every_verb_has_examples(verb: tuple[str, ...]) -> None:
    ended = call(*verb, "--help")
    assert ended.returncode == 0
    assert "Examples:" in ended.stdout
    assert f"sparkml-ops {' '.join(verb)}" in ended.stdout or f" {' '.join(verb)} flights" in ended.stdout


@pytest.mark.parametrize(
    "said", [["features", "nothing"], ["features", "build", "nothing"], ["features", "--view", "v", "nothing"]]
)
def test_features_of_a_use_case_builds_without_the_word(said: list[str]) -> None:
    ended = call(*said)
    assert (ended.returncode, "there is no use case 'nothing'" in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["validate", "flights"],
        ["validate", "nothing"],
        ["schema"],
        ["features", "backfill", "flights", "nope", "--from", "2013-03-01", "--to", "2013-04-01"],
        ["features", "show", "flights", "nope"],
        ["card", "nothing@3"],
        ["features", "plan", "flights", "--view", "plane", "--view", "nope"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_for_it(arguments: list[str]) -> None:
    """What is not imported takes no time: this is what keeps --help under a second and validate under two."""
    code = (
        "import sys\nfrom sparkml_ops.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )
    assert "HEAVY []" in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experiments", "nothing"], "there is no use case 'nothing'"),
        (["experiments", "lst", "flights"], "No such command 'lst'. Did you mean 'list'?"),
        (["experiments", "flights", "--sort", "best"], "'best' is not one of 'metric', 'time'"),
        (["experiments", "flights", "--last", "0"], "greater than or equal to 1"),
        (["experiments", "compare", "flights", "1"], "Missing argument 'NEW'"),
        (["experiments", "compare", "flights", "1", "2.0"], "expected a number, an alias or latest"),
        (["experiments", "compare", "flights", "3", "3"], "expected two versions"),
        (["runn"], "No such command 'runn'. Did you mean 'run', 'runs'?"),
        (["run"], "Missing argument 'USE_CASE'"),
        (["run", "flights", "--from", "nope"], "'nope' is not one of"),
        (["run", "flights", "--nope"], "No such option"),
        (["--set", "x", "validate", "flights"], "--set x: expected key=value"),
        (["--set", "scoring.treshold=0.4", "validate", "flights"], "did you mean 'threshold'?"),
        (["--env", "nope", "validate", "flights"], "nope"),
        (["--conf-dir", "/nonexistent", "validate", "flights"], "/nonexistent"),
        (["validate", "../../etc/passwd"], "etc/passwd"),
        (["validate", "flights; DROP TABLE x"], "DROP TABLE"),
        (["validate", ""], "error:"),
        (["init", "a/b"], "a/b"),
        (["card", "flights@"], "expected NAME@VERSION with a number, an alias or latest"),
        (["reproduce", "flights@"], "expected NAME@VERSION with a number, an alias or latest"),
        (["reproduce", "@3"], "found '@3'"),
        (["reproduce", "flights@-1"], "such as flights@3 or flights@champion, found 'flights@-1'"),
        (
            ["backtest", "flights", "--every", "1w"],
            "--every: expected a number with a unit: 90s, 15m, 6h or 7d, found '1w'",
        ),
        (["backtest", "flights", "--window", "rolling"], "rolling windows need a length above 0"),
        (["backtest", "flights", "--windows", "0"], "windows: found 0; expected 1 to 50"),
        (["backtest", "nothing"], "there is no use case 'nothing'"),
        (["reproduce", "nothing@1"], "there is no use case 'nothing'"),
    ],
)
def test_a_mistake_ends_with_2_and_no_traceback(arguments: list[str], message: str) -> None:
    ended = call(*arguments)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


BACKFILL = ["features", "backfill", "flights", "carrier_delays"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [*BACKFILL[:3], "carrier_delay", "--from", "2013-03-01", "--to", "2013-04-01"],
            "flights has no feature view 'carrier_delay'. Did you mean carrier_delays?",
        ),
        (
            [*BACKFILL, "--from", "2013-03-31T02:30+02:00", "--to", "2013-03-31T00:30Z"],  # one and the same
            "'--to': expected an instant after --from, 2013-03-31T00:30:00+00:00, found 2013-03-31T00:30:00+00:00.",
        ),
        (
            [*BACKFILL, "--from", "2013-02-30", "--to", "2013-04-01"],
            "'--from': expected an ISO 8601 date or time such as 2013-09-01, found '2013-02-30'.",
        ),
        (
            [*BACKFILL, "--from", "0001-01-01T00:00+14:00", "--to", "2013-04-01"],
            "'--from': expected a time within the years 1 to 9999, in UTC too, found '0001-01-01T00:00+14:00'.",
        ),
        ([*BACKFILL, "--to", "2013-04-01"], "Missing option '--from'. See `sparkml-ops features backfill --help`."),
        (["features", "backfil", "flights", "plane"], "No such command 'backfil'. Did you mean 'backfill'?"),
    ],
)
def test_a_range_or_view_that_cannot_be_is_told_with_where_to_read_on(arguments: list[str], message: str) -> None:
    ended = call(*arguments)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_failure_in_json_has_the_same_keys_as_a_success() -> None:
    failed, done = (json.loads(call("validate", name, "--json").stdout) for name in ("flightz", "flights"))
    assert list(failed) == list(done) == ["schema_version", "exit_code", "reason", "result"]
    assert (failed["exit_code"], done["exit_code"]) == (2, 0)
    assert "flights" in failed["reason"]


def test_the_schema_is_json_for_editors() -> None:
    schema = json.loads(call("schema").stdout)
    assert {"sources", "features", "dataset", "model", "gates", "scoring", "monitoring"} <= set(schema["properties"])


def test_init_writes_a_use_case_that_is_right_and_never_overwrites(tmp_path: Path) -> None:
    ended = call("init", "returns", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert call("validate", "returns", cwd=tmp_path).returncode == 0
    before = (tmp_path / "conf" / "returns.yml").read_bytes()
    again = call("init", "returns", cwd=tmp_path)
    assert (again.returncode, "is there already; nothing was written" in again.stderr) == (2, True)
    assert (tmp_path / "conf" / "returns.yml").read_bytes() == before


def test_jobs_take_the_arguments_of_their_verb() -> None:
    ended = subprocess.run(
        [sys.executable, "jobs/ingest.py", "nothing", "--env", "local"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "there is no use case 'nothing'" in ended.stderr) == (2, True)


def test_every_job_is_thin() -> None:
    jobs = {path.stem: path for path in (PROJECT / "jobs").glob("*.py")}
    assert {"run", "ingest", "features", "dataset", "train", "promote", "score", "monitor"} <= set(jobs)
    assert all(len(path.read_text().splitlines()) <= 50 for path in jobs.values())


def test_overrides_are_taken_apart_at_the_first_equals_sign() -> None:
    assert split_overrides(("dataset.where=a = 1", "b=")) == {"dataset.where": "a = 1", "b": ""}
    with pytest.raises(ConfigError, match="expected key=value"):
        split_overrides(("=1",))


def test_results_become_plain_values() -> None:
    assert to_plain({"commit": (Commit("t", 1, 2, "committed"),)}) == {
        "commit": [{"table": "t", "version": 1, "rows": 2, "status": "committed"}]
    }


def test_a_table_lays_numbers_to_the_right() -> None:
    assert format_table(("name", "n"), [("a", 1), ("bb", 1000), ("c", None)]) == [
        "name  n",
        "----  ----",
        "a        1",
        "bb    1000",
        "c        -",
    ]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("model.estimator=nowhere.Model", "cannot be imported"),
        ("model.params.num_leafs=3", "LightGBM has no parameter 'num_leafs'."),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused_before_spark_starts(setting: str, told: str) -> None:
    result = call("--set", setting, "train", "flights")
    assert (result.returncode, result.stdout) == (2, "")
    assert told in result.stderr
    assert "log level" not in result.stderr
