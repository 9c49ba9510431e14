"""A search tells the truth about its trials: how many failed, why, and when they ran. Killed, it goes on from them."""

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from sparkml_ops.config.search import Search
from sparkml_ops.errors import TrainingError
from sparkml_ops.training import attempts
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.estimators import FitSettings, TrialFit
from sparkml_ops.training.search import choose_parallelism, drop_refused, run_search
from sparkml_ops.training.trials import Trial, find_best

SETTINGS = FitSettings("lightgbm", {"fixed": 1}, "log_loss", 0, 5, [])


def make_search(**search: Any) -> Search:
    space = {"x": {"uniform": [-1, 1]}, "n": {"quniform": [1, 9, 1]}}
    return Search.model_validate({"parallelism": 1, "space": space} | search, strict=False)


def search_for(spark: SparkSession, behaviour: str, **search: Any) -> list[Trial]:
    """Trials run `PretendEstimator`; the folder's name says how it behaves."""
    return run_search(TrialTask(behaviour, SETTINGS), make_search(**search), spark)


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
        if folder == "sleep" or (folder == "sleep above zero" and x > 0):
            time.sleep(60)
        if folder == "eat":
            return TrialFit(metrics={"log_loss": float(len(bytearray(3 * 2**30)))}, rounds=1)
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
    def try_here(task: TrialTask, params: dict[str, Any]) -> dict[str, Any]:
        import sparkml_ops.training.attempts as worker_module

        before = worker_module.find_estimator
        worker_module.find_estimator = lambda _: PretendEstimator
        try:
            return worker_module.try_params(task, params)
        finally:
            worker_module.find_estimator = before

    monkeypatch.setattr("sparkml_ops.training.runner.try_params", try_here)


def test_trials_come_back_with_what_they_tried_and_when(spark: SparkSession) -> None:
    told: list[Trial] = []
    trials = run_search(TrialTask("fine", SETTINGS), make_search(max_trials=3), spark, on_finished=told.append)
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert told == trials
    for trial in trials:
        assert (trial.status, trial.cause) == ("ok", None)
        assert trial.loss == trial.metrics["log_loss"] == trial.params["x"] ** 2
        assert (trial.params["fixed"], trial.params["n"]) == (1, trial.rounds)
        assert trial.started_at <= trial.ended_at
        assert trial.peak_mb is not None
        assert trial.peak_mb > 10
    assert find_best(trials).loss == min(trial.loss for trial in trials)


def test_one_trial_at_a_time_tries_the_same_again(spark: SparkSession) -> None:
    first, again = (
        search_for(spark, "fine", max_trials=7, seed=5) for _ in range(2)
    )  # five at random, then two by TPE
    assert [trial.params for trial in first] == [trial.params for trial in again]


def test_a_search_goes_on_from_the_trials_that_were_kept_and_tries_what_it_would_have(spark: SparkSession) -> None:
    whole, told = search_for(spark, "fine", max_trials=8, seed=5), []
    task, search = TrialTask("fine", SETTINGS), make_search(max_trials=8, seed=5)
    rest = run_search(task, search, spark, before=whole[:6], on_finished=told.append)
    assert [trial.number for trial in told] == [6, 7]
    assert [trial.params for trial in rest] == [trial.params for trial in whole]
    assert rest[:6] == whole[:6]


def test_a_search_that_had_ended_tries_nothing_more(spark: SparkSession) -> None:
    whole, told = search_for(spark, "fine", max_trials=3), []
    again = run_search(
        TrialTask("fine", SETTINGS), make_search(max_trials=3), spark, before=whole, on_finished=told.append
    )
    assert (again, told) == (whole, [])


def test_a_trial_in_the_middle_that_was_lost_is_made_again(spark: SparkSession) -> None:
    whole, told = search_for(spark, "fine", max_trials=4), []
    kept = [trial for trial in whole if trial.number != 1]
    rest = run_search(
        TrialTask("fine", SETTINGS), make_search(max_trials=4), spark, before=kept, on_finished=told.append
    )
    assert [trial.number for trial in told] == [1]
    assert [trial.number for trial in rest] == [0, 1, 2, 3]


def test_a_search_with_nothing_to_search_is_one_trial(spark: SparkSession) -> None:
    (trial,) = search_for(spark, "fine", max_trials=5, space={})
    assert (trial.params, trial.loss) == ({"fixed": 1}, 0.25)


def test_some_failed_trials_do_not_hide_the_good_ones(spark: SparkSession) -> None:
    trials = search_for(spark, "fail above zero", max_trials=4, max_failed_ratio=0.9)
    assert {trial.status for trial in trials} == {"ok", "failed"}
    failed = [trial for trial in trials if trial.status == "failed"]
    assert all(trial.params["x"] > 0 and trial.cause.endswith("ValueError: no fit for 1") for trial in failed)


def test_too_many_failed_trials_end_the_search_with_the_first_cause(spark: SparkSession) -> None:
    told: list[Trial] = []
    search = make_search(max_trials=40, max_failed_ratio=0.1)
    with pytest.raises(TrainingError, match=r"trials failed \(at most 10% may.*ValueError: no fit for 1"):
        run_search(TrialTask("fail above zero", SETTINGS), search, spark, on_finished=told.append)
    assert 2 <= len(told) <= 10


def test_what_made_a_refused_search_fail_is_tried_again() -> None:
    now = datetime.now(UTC)
    ok, failed = (
        Trial(number, {}, {}, status, loss, {}, 0, now, now)
        for number, status, loss in ((0, "ok", 0.1), (1, "failed", None))
    )
    assert drop_refused([ok, failed], make_search(max_failed_ratio=0.5)) == [ok, failed]
    assert drop_refused([ok, failed], make_search(max_failed_ratio=0.4)) == [ok]
    assert drop_refused([failed], make_search(max_failed_ratio=1.0)) == []
    assert drop_refused([], make_search()) == []


@pytest.mark.parametrize(
    ("behaviour", "cause"), [("fail", "ValueError: no fit for 1"), ("nan", "log_loss on the tuning rows is nan")]
)
def test_a_search_without_success_says_why(spark: SparkSession, behaviour: str, cause: str) -> None:
    with pytest.raises(TrainingError, match=rf"2 of 2 trials failed .*{cause}"):
        search_for(spark, behaviour, max_trials=2, max_failed_ratio=1.0)


def test_a_dying_worker_is_a_failed_trial(spark: SparkSession) -> None:
    with pytest.raises(TrainingError, match="1 of 1 trials failed .*its Python worker died"):
        search_for(spark, "die", max_trials=1)
    assert spark.range(3).count() == 3


def test_a_trial_that_wants_too_much_memory_is_a_failed_trial(spark: SparkSession) -> None:
    task = TrialTask("eat", SETTINGS, memory_gb=1)
    with pytest.raises(TrainingError, match=r"it ran out of memory \(model.search.trial_memory_gb: 1\)"):
        run_search(task, make_search(max_trials=1), spark)


def test_a_trial_that_takes_too_long_is_a_failed_trial_and_the_others_go_on(spark: SparkSession) -> None:
    trials = search_for(
        spark, "sleep above zero", max_trials=4, parallelism=2, trial_timeout="8s", max_failed_ratio=0.9
    )
    assert {trial.status for trial in trials} == {"ok", "failed"}
    for trial in trials:
        assert (trial.cause == "it took longer than model.search.trial_timeout: 8 s") == (trial.params["x"] > 0)


def test_the_timeout_ends_trials_that_still_run(spark: SparkSession) -> None:
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"No trial ended within the timeout of 0:00:02"):
        search_for(spark, "sleep", max_trials=3, timeout="2s")
    assert time.monotonic() - started < 40


def test_an_interrupt_ends_the_search_with_what_it_has(spark: SparkSession) -> None:
    def interrupt(trial: Trial) -> None:
        if trial.number == 1:
            raise KeyboardInterrupt

    trials = run_search(TrialTask("fine", SETTINGS), make_search(max_trials=50), spark, on_finished=interrupt)
    assert [trial.status for trial in trials] == ["ok", "ok"]


def test_no_progress_ends_the_search(spark: SparkSession) -> None:
    trials = search_for(spark, "constant", max_trials=50, early_stop_after=2)
    assert len([trial for trial in trials if trial.status == "ok"]) == 3


def test_parallelism_leaves_something_to_learn_from() -> None:
    def chosen(parallelism: int, max_trials: int, slots: int) -> int:
        return choose_parallelism(Search(parallelism=parallelism, max_trials=max_trials), slots)

    assert (chosen(8, 100, 4), chosen(8, 10, 64), chosen(2, 1, 4), chosen(3, 100, 64)) == (4, 5, 1, 3)


def test_nothing_of_the_pretence_stays_behind() -> None:
    assert attempts.find_estimator("lightgbm").KIND == "lightgbm"
