"""Each finding on data in which it was planted, and none of them on data in which nothing is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.models import FeatureEncoder, fit_reference
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.score_arrays import count_arrays
from sparkml_ops.training.diagnose import list_findings
from sparkml_ops.training.diagnosed_rows import Subject, measure_shifts
from sparkml_ops.training.diagnosis import Finding
from sparkml_ops.training.diagnosis_figures import (
    CurvePoint,
    DataFigures,
    DiagnosisFigures,
    Estimate,
    FitFigures,
    Shift,
    Shuffled,
    SuspectFigures,
)
from sparkml_ops.training.estimators import FitSettings
from sparkml_ops.training.matrix import Matrix, Part
from sparkml_ops.training.probes import (
    Probe,
    draw_curve,
    find_suspects,
    is_measurable,
    measure_metric,
    shuffle_columns,
    take_evenly,
)
from tests.training.conftest import make_use_case

DATA = DataFigures(
    rows={"train": 6000, "valid": 2000, "test": 2000}, positives={"train": 2000, "valid": 700, "test": 700},
    days={"train": 60, "valid": 20, "test": 20}, repeated=3, columns=3, left_out={}, missing={"a": 0.1, "b": 0.0},
)  # fmt: skip
FIT = FitFigures("roc_auc", 0.82, 0.79, 0.78, 0.7, {"train": 0.5, "valid": 0.5, "test": 0.5})
HEALTHY = DiagnosisFigures(
    DATA,
    FIT,
    (CurvePoint(3000, 0.788), CurvePoint(6000, 0.79)),
    Estimate(0.002, -0.001, 0.005),
    (Shuffled("a", Estimate(0.2, 0.15, 0.25)), Shuffled("b", Estimate(0.02, 0.01, 0.03))),
    (Shift("a", "valid", 0.05, 0.01), Shift("b", "test", 0.02, 0.01)),
    suspects=SuspectFigures(9, 2000),
)
PLANTED: dict[str, DiagnosisFigures] = {
    "over_fitting": replace(HEALTHY, fit=replace(FIT, train=1.0, valid=0.7, test=0.7, linear=0.65)),
    "no_signal": replace(HEALTHY, fit=replace(FIT, train=0.506, valid=0.504, test=0.501, linear=0.5)),
    "under_fitting": replace(HEALTHY, fit=replace(FIT, train=0.6, valid=0.6, test=0.59, linear=0.75)),
    "falls_off": replace(HEALTHY, fit=replace(FIT, test=0.6, linear=0.55)),
    "more_rows_help": replace(HEALTHY, last_gain=Estimate(0.03, 0.02, 0.04)),
    "too_little_data": replace(HEALTHY, data=replace(DATA, positives={"train": 20, "valid": 5, "test": 5})),
    "many_columns": replace(HEALTHY, data=replace(DATA, columns=300)),
    "few_days": replace(HEALTHY, data=replace(DATA, days={"train": 3, "valid": 20, "test": 20})),
    "constant_columns": replace(HEALTHY, data=replace(DATA, left_out={"c": "missing in all training rows"})),
    "missing_values": replace(HEALTHY, data=replace(DATA, missing={"a": 0.97, "b": 0.0})),
    "repeated_rows": replace(HEALTHY, data=replace(DATA, repeated=900)),
    "useless_features": replace(HEALTHY, shuffled=(*HEALTHY.shuffled, Shuffled("c", Estimate(0.0, -0.01, 0.01)))),
    "harmful_features": replace(HEALTHY, shuffled=(*HEALTHY.shuffled, Shuffled("c", Estimate(-0.02, -0.03, -0.01)))),
    "unstable_features": replace(HEALTHY, shifts=(Shift("a", "test", 0.9, 0.01), Shift("a", "valid", 0.5, 0.01))),
    "doubtful_labels": replace(HEALTHY, suspects=SuspectFigures(100, 2000, ("id=7 (label 0, predicted 0.98)",))),
}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert list_findings(HEALTHY) == []


@pytest.mark.parametrize("name", PLANTED)
def test_each_finding_is_found_alone_and_says_what_to_try(name: str) -> None:
    (found,) = list_findings(PLANTED[name])
    assert found.finding == name
    assert len(found.sentence) > 20
    assert len(found.advice) > 20
    assert found.figures
    assert all(isinstance(value, int | float) for value in found.figures.values())


@pytest.mark.parametrize("metric", ["log_loss", "pr_auc"])
def test_the_limits_mean_the_same_for_other_metrics(metric: str) -> None:
    """A log loss from 0.64 down to 0.4 is what a ROC AUC from 0.5 up to 0.82 is."""
    trivial = {"log_loss": 0.64, "pr_auc": 0.33}[metric]
    better = -1 if metric == "log_loss" else 1
    parts = dict.fromkeys(("train", "valid", "test"), trivial)
    healthy = FitFigures(metric, *(trivial + better * gain for gain in (0.24, 0.2, 0.2, 0.1)), parts)
    lost = replace(healthy, valid=trivial + better * 0.1, test=trivial + better * 0.1, linear=None)
    assert list_findings(replace(HEALTHY, fit=healthy)) == []
    assert [one.finding for one in list_findings(replace(HEALTHY, fit=lost))] == ["over_fitting"]


def test_a_small_part_may_differ_by_chance() -> None:
    small = replace(HEALTHY, shifts=(Shift("a", "test", 0.5, 0.4),))
    assert list_findings(small) == []


def test_what_wants_attention_comes_first_and_long_lists_are_cut() -> None:
    useless = tuple(Shuffled(f"c{at}", Estimate(0.0, 0.0, 0.0)) for at in range(9))
    found = list_findings(replace(HEALTHY, shuffled=useless, data=replace(DATA, repeated=900)))
    assert [one.severity for one in found] == ["attention", "info"]
    assert "c0, c1, c2, c3, c4 and 4 more" in found[1].sentence


def make_probe(rows: int = 8000, *, flips: float = 0.0, **params: Any) -> Probe:
    """Signal in the size of `a`, of which a third is missing and flagged, and in the level `b`; `noise` has none."""
    random = np.random.default_rng(5)
    a, b, noise = random.normal(0, 1, rows), random.integers(0, 3, rows), random.normal(0, 1, rows)
    missing = random.random(rows) < 1 / 3
    likely = np.where(missing, b == 1, np.abs(a) + (b == 2) > 1.2)
    labels = np.where(random.random(rows) < flips, ~likely, likely).astype(np.float64)
    features = np.column_stack([np.where(missing, 0.0, a), b, noise, missing])
    columns = (
        EncodedColumn("a", "numeric", fill=0.0, flag=True),
        EncodedColumn("b", "categorical", levels=("x", "y", "z")),
        EncodedColumn("noise", "numeric"),
    )
    settings = FitSettings("lightgbm", {"num_leaves": 7} | params, "roc_auc", 3, 20, [1])
    return Probe(Matrix(Part(features, labels), int(rows * 0.75)), FeatureEncoder(columns), settings, 40)


def test_shuffling_tells_the_columns_with_signal_from_noise() -> None:
    probe = make_probe(flips=0.2)
    _, _, fitted = draw_curve(probe)
    shuffled, rows = shuffle_columns(probe, fitted, importance={})
    assert rows == len(probe.matrix.valid.labels)
    assert [one.column for one in shuffled] == ["a", "b", "noise"]
    assert all(one.loss.lower is not None and one.loss.lower > 0.02 for one in shuffled[:2])
    assert shuffled[2].loss.value == pytest.approx(0, abs=0.01)
    assert shuffle_columns(probe, fitted, importance={}) == (shuffled, rows)


def test_a_column_and_its_flag_are_shuffled_together() -> None:
    """Labels follow the flag alone: its column has all the use, though its filled values say nothing."""
    probe = make_probe()
    features = np.array(probe.matrix.rows.features)
    features[:, 0] = 0.0
    flagged = replace(probe, matrix=Matrix(Part(features, features[:, 3].copy()), probe.matrix.fitted))
    shuffled, _ = shuffle_columns(flagged, draw_curve(flagged)[2], importance={})
    assert (shuffled[0].column, shuffled[0].loss.value) == ("a", pytest.approx(0.5, abs=0.05))


def test_the_learning_curve_rises_where_rows_are_few_and_is_flat_where_they_are_enough() -> None:
    few, gain_of_few, _ = draw_curve(make_probe(500, flips=0.05, min_child_samples=10))
    enough, gain_of_enough, _ = draw_curve(make_probe(16_000, flips=0.05))
    assert [point.rows for point in few] == [93, 187, 375]  # an eighth is below what can be measured
    assert [point.rows for point in enough] == [1500, 3000, 6000, 12000]
    assert gain_of_few.value is not None
    assert gain_of_few.value > 0.01
    assert gain_of_enough.value == pytest.approx(0, abs=0.005)


def test_flipped_labels_are_suspected_and_sound_ones_are_not() -> None:
    sound, flipped = (draw_curve(make_probe(flips=share))[2] for share in (0.0, 0.06))
    hard = draw_curve(make_probe(flips=0.3))[2]  # nobody could know better: no label is suspect
    assert len(find_suspects(sound)) < 0.01 * 2000
    assert len(find_suspects(hard)) < 0.02 * 2000
    suspects = find_suspects(flipped)
    rows = len(flipped.valid.labels)
    assert 0.02 * rows < len(suspects) < 0.08 * rows  # half of the flips: a mean is the limit
    truth = draw_curve(make_probe())[2].valid.labels
    assert np.mean(truth[suspects] != flipped.valid.labels[suspects]) > 0.9


def test_ten_rows_are_too_little_and_break_nothing() -> None:
    ten = make_probe(10).matrix
    assert not is_measurable(ten.train)
    assert not is_measurable(Part(np.zeros((99, 1)), np.ones(99)))
    data = DataFigures({"train": 7, "valid": 3}, {"train": 4, "valid": 3}, {"train": 1}, 0, 3, {}, {})
    found = list_findings(DiagnosisFigures(data, FitFigures("roc_auc")))
    assert [one.finding for one in found] == ["too_little_data", "few_days"]
    assert "too little data" in found[0].sentence


def test_metrics_in_memory_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 3000).astype(np.float64)
    answers = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0.0, 1.0)
    assert measure_metric(labels, answers, "log_loss") == pytest.approx(log_loss(labels, answers))
    assert measure_metric(labels, answers, "roc_auc") == pytest.approx(roc_auc_score(labels, answers), abs=1e-4)
    assert measure_metric(labels, answers, "pr_auc") == pytest.approx(
        average_precision_score(labels, answers), abs=1e-3
    )
    assert measure_metric(np.ones(9), answers[:9], "roc_auc") is None
    assert count_arrays(labels, answers, np.arange(3000) // 1000).rows.sum(axis=1).tolist() == [1000] * 3


def test_samples_are_even_and_always_the_same() -> None:
    part = Part(np.arange(20.0).reshape(10, 2), np.arange(10.0))
    assert take_evenly(part, 4).labels.tolist() == [0, 3, 6, 9]
    assert take_evenly(part, 10) is part


def test_findings_are_plain_values() -> None:
    one = Finding("few_days", "info", "few days", {"days_train": 3}, "take more")
    assert one.to_dict() == {
        "finding": "few_days", "severity": "info", "sentence": "few days", "figures": {"days_train": 3}, "advice": "take more",
    }  # fmt: skip


def test_a_few_rows_do_not_tell_of_a_shift(spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    parts = ["train"] * 600 + ["valid"] * 300 + ["test"] * 30
    frame = pd.DataFrame({"split": parts, "same": random.normal(0, 1, 930), "moved": random.normal(0, 1, 930)})
    frame.loc[600:, "moved"] += 2
    rows = spark.createDataFrame(frame)
    reference = fit_reference(rows.where("split = 'train'"), ["same", "moved"])
    shifts = measure_shifts(Subject(make_use_case(tmp_path), None, rows, reference, {}))  # type: ignore[arg-type]
    assert [(one.column, one.part) for one in shifts] == [("same", "valid"), ("moved", "valid")]
    assert shifts[0].psi < shifts[0].chance < 0.15
    (found,) = list_findings(replace(HEALTHY, shifts=shifts))
    assert "values of 1 column have changed since train, PSI above 0.2: moved (valid" in found.sentence
