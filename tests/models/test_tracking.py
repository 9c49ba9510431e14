"""MLflow is reached without a trace in the notebook; what cannot be reached is said at once."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkml_ops.errors import SetupError
from sparkml_ops.models import (
    LearnedRows,
    RunFigures,
    Tracking,
    close_abandoned_runs,
    finish_run,
    log_figures,
    log_learned_rows,
    open_experiment,
    prepare_tracking,
    start_run,
)
from sparkml_ops.models.tracking import hide_password
from tests.models.conftest import make_environment

FIRST_START = """
import sys
from pathlib import Path
from tests.models.conftest import make_environment
from sparkml_ops.models import prepare_tracking, open_experiment, start_run
tracking = prepare_tracking(make_environment(Path(sys.argv[1])))
start_run(tracking, open_experiment(tracking, "shop"), name=sys.argv[2])
"""


@pytest.mark.slow
def test_processes_that_start_together_share_one_new_database(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", FIRST_START, str(tmp_path / "new"), name] for name in ("a", "b")]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    assert errors == ["", ""]  # no progress notes of MLflow and alembic either
    tracking = prepare_tracking(make_environment(tmp_path / "new"))
    runs = tracking.client.search_runs([open_experiment(tracking, "shop")])
    assert sorted(run.info.run_name for run in runs) == ["a", "b"]


def test_a_server_that_is_not_there_is_said_within_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(SetupError, match=r"No MLflow server answers at http://127.0.0.1:9 within") as refused:
        prepare_tracking(make_environment(tmp_path, "http://user:secret@127.0.0.1:9"))
    assert time.monotonic() - started < 20
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database at all, only some text of a hundred characters or so")
    with pytest.raises(SetupError, match="cannot be used"):
        prepare_tracking(make_environment(tmp_path))


def test_passwords_stay_out_of_messages() -> None:
    assert hide_password("https://me:pw@host:5000/x") == "https://host:5000/x"
    assert hide_password("sqlite:////data/mlflow.db") == "sqlite:////data/mlflow.db"


def test_the_levels_of_mlflows_loggers_are_given_back(tracking: Tracking) -> None:
    logging.getLogger("alembic").setLevel(logging.DEBUG)
    open_experiment(tracking, "shop")
    assert logging.getLogger("alembic").level == logging.DEBUG


def test_files_of_runs_lie_beside_the_database(tracking: Tracking, tmp_path: Path) -> None:
    run = start_run(tracking, open_experiment(tracking, "shop"), name="train")
    assert tracking.client.get_run(run).info.artifact_uri.startswith(f"file://{tmp_path}/artifacts/shop/")


def test_an_experiment_is_made_once_and_a_deleted_one_is_said(tracking: Tracking) -> None:
    experiment = open_experiment(tracking, "shop")
    assert open_experiment(tracking, "shop") == experiment
    tracking.client.delete_experiment(experiment)
    with pytest.raises(SetupError, match="'shop' was deleted"):
        open_experiment(tracking, "shop")


def test_figures_are_kept_and_missing_ones_left_out(tracking: Tracking) -> None:
    run = start_run(tracking, open_experiment(tracking, "shop"), name="train")
    params = {f"p{at}": at for at in range(150)} | {"long": "x" * 10_000}
    log_figures(tracking, run, RunFigures(params=params, metrics={"auc": 0.5, "none": None, "nan": float("nan")}))
    kept = tracking.client.get_run(run).data
    assert (len(kept.params), kept.params["p149"], kept.metrics) == (151, "149", {"auc": 0.5})


LEFT_RUNNING = """
import os, sys
from pathlib import Path
from tests.models.conftest import make_environment
from sparkml_ops.models import prepare_tracking, open_experiment, start_run
tracking = prepare_tracking(make_environment(Path(sys.argv[1])))
experiment = open_experiment(tracking, "shop")
parent = start_run(tracking, experiment, name="parent")
start_run(tracking, experiment, name="trial", parent=parent)
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_runs_of_a_killed_process_are_closed_and_those_of_living_ones_kept(tracking: Tracking, tmp_path: Path) -> None:
    experiment = open_experiment(tracking, "shop")
    mine = start_run(tracking, experiment, name="mine")
    done = start_run(tracking, experiment, name="done")
    finish_run(tracking, done, "FINISHED")
    killed = subprocess.run([sys.executable, "-c", LEFT_RUNNING, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert len(close_abandoned_runs(tracking, experiment)) == 2
    statuses = {run.info.run_name: run.info.status for run in tracking.client.search_runs([experiment])}
    assert statuses == {"mine": "RUNNING", "done": "FINISHED", "parent": "KILLED", "trial": "KILLED"}
    assert tracking.client.get_run(mine).info.end_time is None
    assert close_abandoned_runs(tracking, experiment) == []


def test_what_a_run_learned_from_is_noted_once(tracking: Tracking) -> None:
    run = start_run(tracking, open_experiment(tracking, "shop"), name="train")
    learned = LearnedRows("ts-1", "0123456789abcdef", "training_set_ts_1", 3, {"train": 6, "test": 2})
    for _ in range(2):  # a search that was killed goes on with the same run
        log_learned_rows(tracking, run, learned)
    (noted,) = tracking.client.get_run(run).inputs.dataset_inputs
    assert (noted.dataset.name, noted.dataset.digest) == ("ts-1", "0123456789abcdef")
    assert noted.dataset.profile == '{"num_rows": 8, "train": 6, "test": 2}'
