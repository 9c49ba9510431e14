"""A search that is killed at random moments and run again ends with every trial once, and no run seems to live for ever."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_ops.lake import Lake, read_table
from sparkml_ops.models import open_experiment, prepare_tracking
from sparkml_ops.training import train
from tests.flow_project import outside_environment
from tests.training.conftest import make_use_case

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("SPARKML_OPS_TEST_KILLS", "2"))
TRIALS = 4 * KILLS
SEARCH = {
    "max_trials": TRIALS,
    "parallelism": 2,
    "seed": 1,
    "space": {"learning_rate": {"loguniform": [0.05, 0.3]}, "num_leaves": {"quniform": [3, 15, 1]}},
}
TRAIN_AND_DIE = f"""
import os, sys, threading
from pathlib import Path
from sparkml_ops.lake import open_lake
from sparkml_ops.training import train
from sparkml_ops.training.runner import TrialRunner
from sparkml_ops.training.trial_store import TrialStore
from tests.training.conftest import make_use_case

def count_down(original):
    def call(*arguments):
        original(*arguments)
        if not armed:
            armed.append(threading.Timer(float(sys.argv[3]), lambda: os.killpg(0, 9)))  # the JVM and its workers too
            armed[0].start()
    return call

armed = []
if sys.argv[2] == "start":
    TrialRunner.start = count_down(TrialRunner.start)
else:
    TrialStore.add = count_down(TrialStore.add)
use_case = make_use_case(Path(sys.argv[1]), search={SEARCH!r})
train(use_case, open_lake(use_case))
"""


def train_and_die(root: Path, since: str, seconds: float) -> int:
    """Killed so many seconds after its first trial started, or after the first was kept."""
    nowhere = subprocess.DEVNULL
    return subprocess.run(
        [sys.executable, "-c", TRAIN_AND_DIE, str(root), since, str(seconds)],
        check=False, start_new_session=True, stdout=nowhere, stderr=nowhere, timeout=600, env=outside_environment(),
    ).returncode  # fmt: skip


def test_every_trial_is_there_once(ready_lake: Lake, root: Path) -> None:
    use_case = make_use_case(root, search=SEARCH)
    moments = random.Random(0)
    ends = [
        train_and_die(root, *(("start", moments.uniform(0, 5)) if number % 3 == 1 else ("kept", moments.uniform(0, 2))))
        for number in range(KILLS)
    ]
    assert set(ends) <= {-signal.SIGKILL, 0}
    assert ends[0] == -signal.SIGKILL
    result = train(use_case, ready_lake)
    kept = read_table(ready_lake, "trials").orderBy("number").collect()
    assert [row["number"] for row in kept] == list(range(TRIALS))
    assert len({row["run_id"] for row in kept}) > 1
    tracking = prepare_tracking(use_case.environment)
    runs = tracking.client.search_runs([open_experiment(tracking, "shop")])
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == result.mlflow_run_id]
    trials = [run.info.run_name for run in nested if run.info.status == "FINISHED"]
    assert sorted(trials) == sorted(f"trial {number}" for number in range(TRIALS))
    assert list(Path(ready_lake.root).glob("_scratch/*")) == []
