"""Each gate: which figure, by how much."""

import numpy as np

from sparkml_ops.config.gates import (
    BaselineGate,
    CalibrationGate,
    ChampionGate,
    KpiGate,
    LatencyGate,
    LoadsGate,
    SlicesGate,
)
from sparkml_ops.models import CalibrationGroup, Comparison, Difference, Evaluation, Figure
from sparkml_ops.promotion.gates import judge_baseline, judge_calibration, judge_champion, judge_kpi, judge_latency
from sparkml_ops.promotion.loads import judge_loads
from sparkml_ops.promotion.slice_gate import judge_slices


def evaluation(
    value: float | None, lower: float | None = None, upper: float | None = None, *, metric: str = "roc_auc"
) -> Evaluation:
    return Evaluation(
        100, 10, 30, {metric: Figure(value, lower, upper)}, [], None if value is not None else "a single class"
    )


def comparison(confidence: float | None) -> Comparison:
    difference = Difference(0.8, 0.79, 0.01, -0.01, 0.03, confidence)
    return Comparison(
        100, 10, 30, {"roc_auc": difference}, None if confidence is not None else "no intervals: 3 blocks"
    )


def test_the_baseline_gate_looks_at_the_worse_end_of_the_interval() -> None:
    gate = BaselineGate(minimum_gain=0.2)
    passed = judge_baseline(evaluation(0.75, 0.71, 0.79), evaluation(0.5), gate, metric="roc_auc")
    failed = judge_baseline(evaluation(0.75, 0.69, 0.81), evaluation(0.5), gate, metric="roc_auc")
    assert (passed.verdict, round(passed.figure or 0, 4)) == ("passed", 0.21)
    assert (failed.verdict, failed.reason) == (
        "failed",
        (
            "roc_auc is 0.7500 [0.6900, 0.8100], the trivial model's 0.5000: a gain of 0.1900 at the worse end; at least 0.2 is asked for, 0.01 more; "
            "if the difference stays as it is, about 150 rows would show it"
        ),
    )


def test_for_a_loss_lower_is_better() -> None:
    found = judge_baseline(
        evaluation(0.3, 0.25, 0.35, metric="log_loss"),
        evaluation(0.5, metric="log_loss"),
        BaselineGate(minimum_gain=0.1),
        metric="log_loss",
    )
    assert (found.verdict, round(found.figure or 0, 4)) == ("passed", 0.15)


def test_too_little_data_to_decide_is_a_no_that_says_so() -> None:
    baseline = judge_baseline(evaluation(None), evaluation(0.5), BaselineGate(), metric="roc_auc")
    champion = judge_champion(comparison(None), ChampionGate(), metric="roc_auc", champion=1)
    assert (baseline.verdict, baseline.reason) == ("failed", "cannot be decided: a single class")
    assert (champion.verdict, champion.reason) == ("failed", "cannot be decided: no intervals: 3 blocks")


def test_the_first_model_is_unopposed_and_not_better() -> None:
    assert judge_champion(None, ChampionGate(), metric="roc_auc", champion=None).verdict == "unopposed"
    assert judge_slices(None, SlicesGate(by=["origin"])).verdict == "unopposed"


def test_the_champion_gate_asks_for_confidence() -> None:
    gate = ChampionGate(better_with_confidence=0.95)
    assert judge_champion(comparison(0.96), gate, metric="roc_auc", champion=3).verdict == "passed"
    refused = judge_champion(comparison(0.9), gate, metric="roc_auc", champion=3)
    assert refused.verdict == "failed"
    assert "version 3 is 0.7900 on the same 100 rows: a difference of +0.0100 [-0.0100, +0.0300]" in refused.reason
    assert "at least 0.95 is asked for, 0.05 more" in refused.reason
    # the error is 0.04 / 3.92, and 1.645 of it must fit into 0.01: 100 * (0.01679 / 0.01)²
    assert refused.reason.endswith("; if the difference stays as it is, about 290 rows would show it")


def test_a_candidate_that_is_worse_is_told_of_no_rows() -> None:
    worse = Comparison(100, 10, 30, {"roc_auc": Difference(0.78, 0.79, -0.01, -0.03, 0.01, 0.2)}, None)
    found = judge_champion(worse, ChampionGate(), metric="roc_auc", champion=3)
    assert (found.verdict, found.reason.endswith("0.75 more")) == ("failed", True)


def test_too_few_days_are_told_with_the_rows_that_come_in_enough_days() -> None:
    few = Comparison(600, 10, 3, {"roc_auc": Difference(0.8, 0.79, 0.01, None, None, None)}, "no intervals: 3 blocks")
    found = judge_champion(few, ChampionGate(), metric="roc_auc", champion=1)
    assert found.reason == "cannot be decided: no intervals: 3 blocks; at 200 rows a day these are about 1,000 rows"


def test_a_calibration_error_is_told_with_the_group_that_is_furthest_off() -> None:
    groups = [CalibrationGroup(50, 0.1, 0.11), CalibrationGroup(50, 0.9, 0.7)]
    candidate = Evaluation(100, 10, 30, {"ece": Figure(0.105, 0.09, 0.12)}, groups, None)
    found = judge_calibration(candidate, CalibrationGate(maximum_error=0.02))
    assert (found.verdict, found.figure, found.threshold) == ("failed", 0.105, 0.02)
    assert found.reason == (
        "the expected calibration error is 0.1050 [0.0900, 0.1200] on 100 rows; furthest off where 0.9000 is predicted and "
        "0.7000 is so; at most 0.02 is allowed, and it is 0.085 more"
    )
    assert judge_calibration(candidate, CalibrationGate(maximum_error=0.105)).verdict == "passed"


def test_without_a_labelled_row_calibration_is_not_decided() -> None:
    nobody = Evaluation(0, 0, 0, {"ece": Figure(None, None, None)}, [], "no row has a label")
    found = judge_calibration(nobody, CalibrationGate(maximum_error=0.02))
    assert (found.verdict, found.reason) == ("failed", "cannot be decided: no row has a label")


def test_answers_of_a_fresh_process_must_be_the_same() -> None:
    expected = np.array([0.1, 0.5, 2000.0])
    assert judge_loads(expected, expected.copy(), LoadsGate()).verdict == "passed"
    assert judge_loads(expected, expected * (1 + 1e-12), LoadsGate()).verdict == "passed"
    other = judge_loads(expected, np.array([0.1, 0.75, 2000.0]), LoadsGate())
    assert (other.verdict, other.figure) == ("failed", 0.25)
    assert other.reason.startswith("a fresh process loaded the registered files and answered 3 test rows; the largest")


def test_answers_that_are_missing_or_of_another_shape_do_not_pass() -> None:
    expected, gate = np.array([0.1, 0.5]), LoadsGate()
    assert judge_loads(expected, np.array([0.1, np.nan]), gate).verdict == "failed"
    assert judge_loads(expected, np.array([0.1]), gate).verdict == "failed"
    assert judge_loads(expected, "a fresh process cannot answer", gate).reason == "a fresh process cannot answer"
    assert judge_loads(np.empty(0), np.empty(0), gate).reason == "cannot be decided: there is no test row to answer"


def test_speed_and_business_figures() -> None:
    assert judge_latency(30_000, LatencyGate(rows_per_second_at_least=20_000)).verdict == "passed"
    assert judge_latency(10_000, LatencyGate(rows_per_second_at_least=20_000)).verdict == "failed"
    assert judge_kpi(0.3, KpiGate(sql="avg(label)", at_least=0.2)).verdict == "passed"
    assert (
        judge_kpi(None, KpiGate(sql="avg(label)", at_least=0.2)).reason
        == "cannot be decided: avg(label) is null on the judged rows"
    )
