"""Each gate: which figure, by how much."""

from sparkml_ops.config.gates import BaselineGate, ChampionGate, KpiGate, LatencyGate, SlicesGate
from sparkml_ops.models import Comparison, Difference, Evaluation, Figure, SliceResult
from sparkml_ops.promotion.gates import judge_baseline, judge_champion, judge_kpi, judge_latency, judge_slices


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
        "roc_auc is 0.7500 [0.6900, 0.8100], the trivial model's 0.5000: a gain of 0.1900 at the worse end; at least 0.2 is asked for, 0.01 more",
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
    assert refused.reason.endswith("0.05 more")


def test_a_gain_overall_cannot_hide_a_loss_on_a_slice() -> None:
    slices = [
        SliceResult("origin", "JFK", 900, 0.8, 0.7, -0.1),
        SliceResult("origin", "LGA", 800, 0.7, 0.75, 0.05),
        SliceResult("origin", "XXX", 700, None, 0.75, None),
    ]
    found = judge_slices(slices, SlicesGate(by=["origin"], maximum_loss=0.02))
    assert (found.verdict, found.figure) == ("failed", 0.05)
    assert "the worst: origin=LGA (800 rows) -0.0500" in found.reason
    assert (
        judge_slices([], SlicesGate(by=["origin"])).reason
        == "cannot be decided: no slice has 500 rows and both classes"
    )


def test_speed_and_business_figures() -> None:
    assert judge_latency(30_000, LatencyGate(rows_per_second_at_least=20_000)).verdict == "passed"
    assert judge_latency(10_000, LatencyGate(rows_per_second_at_least=20_000)).verdict == "failed"
    assert judge_kpi(0.3, KpiGate(sql="avg(label)", at_least=0.2)).verdict == "passed"
    assert (
        judge_kpi(None, KpiGate(sql="avg(label)", at_least=0.2)).reason
        == "cannot be decided: avg(label) is null on the judged rows"
    )
