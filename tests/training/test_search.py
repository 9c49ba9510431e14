"""A search tells the truth about its trials: how many failed, why, and when they ran."""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from sparkml_ops.config.model import Search
from sparkml_ops.errors import TrainingError
from sparkml_ops.training import trials as trials_module
from sparkml_ops.training.estimators import FitSettings, TrialFit
from sparkml_ops.training.search import choose_parallelism, run_search
from sparkml_ops.training.trials import Trial, TrialTask, find_best

SETTINGS = FitSettings("lightgbm", {"fixed": 1}, "log_loss", 0, 5, [])


def make_task(behaviour: str, **search: Any) -> TrialTask:
    """Trials run `PretendEstimator`; the folder's name says how it behaves."""
    space = {"x": {"uniform": [-1, 1]}, "n": {"quniform": [1, 9, 1]}}
    return TrialTask(
        behaviour, SETTINGS, Search.model_validate({"parallelism": 1, "space": space} | search, strict=False)
    )


class PretendEstimator:
    """Its loss is x², unless it is told to fail."""

    @staticmethod
    def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
        x = settings.params.get("x", 0.5)
        if folder == "fail" or (folder == "fail above zero" and x > 0):
            raise ValueError(f"no fit for {settings.params['fixed']}")
        if folder == "nan":
            return TrialFit(metrics={"log_loss": float("nan")}, rounds=1)
        if folder == "die":
            os._exit(3)
        if folder == "sleep":
            time.sleep(60)
        if folder == "constant":
            x = 1.0
        return TrialFit(metrics={"log_loss": x * x}, rounds=int(settings.params.get("n", 0)))


@pytest.fixture(scope="module", autouse=True)
def ship_this_module_to_workers() -> Iterator[None]:
    """Workers cannot import test modules."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(autouse=True)
def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    # a worker imports the package anew and knows nothing of a patch here, so the objective brings it along
    def try_here(task: TrialTask, drawn: dict[str, Any]) -> dict[str, Any]:
        import sparkml_ops.training.trials as worker_module

        before = worker_module.find_estimator
        worker_module.find_estimator = lambda _: PretendEstimator
        try:
            return worker_module.try_params(task, drawn)
        finally:
            worker_module.find_estimator = before

    monkeypatch.setattr("sparkml_ops.training.search.try_params", try_here)


def test_trials_come_back_with_what_they_tried_and_when(spark: SparkSession) -> None:
    told: list[Trial] = []
    trials = run_search(make_task("fine", max_trials=3), spark, on_finished=told.append)
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert sorted(trial.number for trial in told) == [0, 1, 2]
    for trial in trials:
        assert (trial.status, trial.cause) == ("ok", None)
        assert trial.loss == trial.metrics["log_loss"] == trial.params["x"] ** 2
        assert (trial.params["fixed"], trial.params["n"]) == (1, trial.rounds)
        assert trial.started_at <= trial.ended_at
    assert find_best(trials).loss == min(trial.loss for trial in trials)


def test_one_trial_at_a_time_tries_the_same_again(spark: SparkSession) -> None:
    task = make_task("fine", max_trials=7, seed=5)  # five at random, then two that TPE proposes
    first, again = (run_search(task, spark) for _ in range(2))
    assert [trial.params for trial in first] == [trial.params for trial in again]


def test_a_search_with_nothing_to_search_is_one_trial(spark: SparkSession) -> None:
    (trial,) = run_search(make_task("fine", max_trials=5, space={}), spark)
    assert (trial.params, trial.loss) == ({"fixed": 1}, 0.25)


def test_some_failed_trials_do_not_hide_the_good_ones(spark: SparkSession) -> None:
    trials = run_search(make_task("fail above zero", max_trials=4, max_failed_ratio=0.9), spark)
    assert {trial.status for trial in trials} == {"ok", "failed"}
    failed = [trial for trial in trials if trial.status == "failed"]
    assert all(trial.params["x"] > 0 and trial.cause.endswith("ValueError: no fit for 1") for trial in failed)


def test_too_many_failed_trials_are_refused_with_the_first_cause(spark: SparkSession) -> None:
    told: list[Trial] = []
    with pytest.raises(TrainingError, match=r"of 4 trials failed \(at most 10% may.*ValueError: no fit for 1"):
        run_search(make_task("fail above zero", max_trials=4, max_failed_ratio=0.1), spark, on_finished=told.append)
    assert len(told) == 4


@pytest.mark.parametrize(
    ("behaviour", "cause"), [("fail", "ValueError: no fit for 1"), ("nan", "log_loss on the tuning rows is nan")]
)
def test_a_search_without_success_says_why(spark: SparkSession, behaviour: str, cause: str) -> None:
    with pytest.raises(TrainingError, match=rf"2 of 2 trials failed .*{cause}"):
        run_search(make_task(behaviour, max_trials=2, max_failed_ratio=1.0), spark)


def test_a_dying_worker_is_a_failed_trial(spark: SparkSession) -> None:
    with pytest.raises(TrainingError, match="1 of 1 trials failed .*the worker died or the task could not run"):
        run_search(make_task("die", max_trials=1), spark)
    assert spark.range(3).count() == 3


def test_the_timeout_ends_trials_that_still_run(spark: SparkSession) -> None:
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"No trial ended within the timeout of 0:00:02"):
        run_search(make_task("sleep", max_trials=3, timeout="2s"), spark)
    assert time.monotonic() - started < 40


def test_no_progress_ends_the_search(spark: SparkSession) -> None:
    trials = run_search(make_task("constant", max_trials=50, early_stop_after=2), spark)
    assert 3 <= len([trial for trial in trials if trial.status == "ok"]) <= 5


def test_parallelism_leaves_something_to_learn_from() -> None:
    def chosen(parallelism: int, max_trials: int, slots: int) -> int:
        return choose_parallelism(Search(parallelism=parallelism, max_trials=max_trials), slots)

    assert (chosen(8, 100, 4), chosen(8, 10, 64), chosen(2, 1, 4), chosen(3, 100, 64)) == (4, 5, 1, 3)


def test_nothing_of_the_pretence_stays_behind() -> None:
    assert trials_module.find_estimator("lightgbm").KIND == "lightgbm"
