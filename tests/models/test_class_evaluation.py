"""Figures of several classes, counted in Spark and in arrays, against scikit-learn's."""

import inspect
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn import metrics

from sparkml_ops.errors import ModelError
from sparkml_ops.models import compare, evaluate, evaluate_all, judge_class_slices
from sparkml_ops.models.evaluation import evaluate_counts
from sparkml_ops.models.tasks import TASKS, Task, find_task

NAMES = ["apple", "fig", "pear"]
ROWS, DAYS = 1200, 12


def draw(*, seed: int = 5, sharp: float = 1.5) -> tuple[Any, Any, Any]:
    """Labels by position, probabilities, and days."""
    random = np.random.default_rng(seed)
    labels = random.choice(3, size=ROWS, p=[0.6, 0.3, 0.1])
    logits = random.normal(size=(ROWS, 3)) + sharp * np.eye(3)[labels]
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True), np.arange(ROWS) % DAYS


def lay(spark: SparkSession, labels: Any, answers: dict[str, Any], days: Any) -> DataFrame:
    """Rows with labels by name and maps of probabilities."""
    rows = [
        (
            NAMES[label] if label < len(NAMES) else "quince",
            *(dict(zip(NAMES, map(float, p[at]), strict=False)) for p in answers.values()),
            f"2024-03-{day + 1:02d}",
            "left" if at // DAYS % 3 else "right",
        )
        for at, (label, day) in enumerate(zip(labels, days, strict=True))
    ]
    kinds = ", ".join(f"{name} map<string,double>" for name in answers)
    return spark.createDataFrame(rows, f"label string, {kinds}, day string, side string").selectExpr(
        "* EXCEPT (day)", "date(day) AS day"
    )


def judge_by_sklearn(labels: Any, p: Any) -> dict[str, float]:
    answers, truth = p.argmax(axis=1), np.eye(p.shape[1] + 1)[labels][:, : p.shape[1]]
    return {
        "log_loss": metrics.log_loss(labels, p, labels=list(range(p.shape[1]))),
        "accuracy": metrics.accuracy_score(labels, answers),
        "macro_f1": metrics.f1_score(labels, answers, average="macro"),
        "brier": float(np.mean(((p - truth) ** 2).sum(axis=1))),
        "roc_auc": metrics.roc_auc_score(labels, p, multi_class="ovr", average="macro"),
    }


def test_figures_of_all_rows_are_those_of_scikit_learn(spark: SparkSession) -> None:
    labels, p, days = draw()
    found = evaluate(
        lay(spark, labels, {"p": p}, days), label="label", prediction="p", block="day", seed=1, task="multiclass"
    )
    expected = judge_by_sklearn(labels, p)
    for name, value in expected.items():
        # probabilities of one class that share one of 2,048 bins count as tied
        tolerance = 1e-3 if name == "roc_auc" else 1e-9
        assert found.metrics[name].value == pytest.approx(value, abs=tolerance), name
        lower, upper = found.metrics[name].lower, found.metrics[name].upper
        assert lower is not None
        assert upper is not None
        assert lower < value < upper
    pairs = metrics.confusion_matrix(labels, p.argmax(axis=1))
    assert {(cell.label, cell.answer): cell.rows for cell in found.confusion} == {
        (NAMES[i], NAMES[j]): int(pairs[i, j]) for i in range(3) for j in range(3) if pairs[i, j]
    }
    assert sum(group.rows for group in found.calibration) == ROWS
    assert found.labels == {"rows": ROWS, "classes": 3, "unknown_class": 0}


def test_roc_auc_is_exact_where_probabilities_that_differ_lie_in_bins_that_differ() -> None:
    """Each class's probabilities are steps of a twentieth."""
    random = np.random.default_rng(2)
    labels = random.choice(3, size=900)
    steps = np.stack([random.multinomial(20, np.array([1, 1, 1]) / 5 + 0.4 * np.eye(3)[label]) for label in labels])
    counts = find_task("multiclass").count_arrays(labels.astype(float), steps / 20, np.zeros(900, dtype=np.int64))
    found = evaluate_counts(counts, seed=1, task="multiclass").metrics
    for name, value in judge_by_sklearn(labels, steps / 20).items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name


def test_arrays_give_the_counts_of_rows_in_spark(spark: SparkSession) -> None:
    labels, p, days = draw()
    labels[:7] = 3  # a class that the model does not know
    task = find_task("multiclass")
    in_spark = task.count_scores(lay(spark, labels, {"p": p}, days), label="label", predictions=["p"], block="day")[0]
    in_memory = task.count_arrays(labels.astype(float), p, days)
    weights = np.random.default_rng(3).integers(0, 3, size=(4, DAYS)).astype(float)
    one, other = (task.compute_metrics(counts, weights) for counts in (in_spark, in_memory))
    for name in task.METRICS:
        # days are counted in another order, so that the resamples are not the same: all rows once are
        assert evaluate_counts(in_spark, seed=1, task="multiclass").metrics[name].value == pytest.approx(
            evaluate_counts(in_memory, seed=1, task="multiclass").metrics[name].value, abs=1e-9
        ), name
        assert one[name].shape == other[name].shape == (4,)


def test_a_class_that_the_model_does_not_know_counts_as_wrong_and_is_told() -> None:
    labels, p, days = draw()
    unknown = labels.copy()
    unknown[::100] = 3
    task = find_task("multiclass")
    found = evaluate_counts(task.count_arrays(unknown.astype(float), p, days), seed=1, task="multiclass")
    assert found.labels["unknown_class"] == len(unknown[::100])
    answers = p.argmax(axis=1)
    assert found.metrics["accuracy"].value == pytest.approx(np.mean(answers == unknown), abs=1e-12)
    assert found.metrics["macro_f1"].value == pytest.approx(
        metrics.f1_score(unknown, answers, average="macro"), abs=1e-12
    )
    of_label = np.where(unknown < 3, p[np.arange(ROWS), np.minimum(unknown, 2)], 0.0)
    clipped = np.clip(of_label, np.finfo(float).eps, 1)
    assert found.metrics["log_loss"].value == pytest.approx(float(np.mean(-np.log(clipped))), abs=1e-9)


def test_the_intervals_are_those_of_drawing_days_and_scoring_their_rows_anew() -> None:
    labels, p, days = draw()
    task = find_task("multiclass")
    counts = task.count_arrays(labels.astype(float), p, days)
    weights = np.array([[2, 0, 1, 1, 3, 0, 1, 1, 1, 0, 1, 1]], dtype=float)
    found = task.compute_metrics(counts, weights)
    drawn = np.concatenate([np.flatnonzero(days == day) for day in range(DAYS) for _ in range(int(weights[0, day]))])
    expected = judge_by_sklearn(labels[drawn], p[drawn])
    for name in ("log_loss", "accuracy", "macro_f1", "brier"):
        assert found[name][0] == pytest.approx(expected[name], abs=1e-9), name
    assert found["roc_auc"][0] == pytest.approx(expected["roc_auc"], abs=1e-3)


def test_two_models_with_other_classes_are_compared_on_the_same_rows(spark: SparkSession) -> None:
    labels, p, days = draw()
    fewer = p[:, :2] / p[:, :2].sum(axis=1, keepdims=True)  # knows no pear
    scored = lay(spark, labels, {"new": p, "old": fewer}, days)
    found = compare(scored, label="label", pair=("new", "old"), block="day", seed=1, task="multiclass")
    assert found.metrics["log_loss"].confidence == 1.0
    both = evaluate_all(scored, label="label", predictions=["new", "old"], block="day", seed=1, task="multiclass")
    assert both["old"].labels["unknown_class"] == int((labels == 2).sum())
    assert found.metrics["accuracy"].difference == pytest.approx(
        np.mean(p.argmax(axis=1) == labels) - np.mean(fewer.argmax(axis=1) == labels), abs=1e-12
    )
    slices = find_task("multiclass").compare_slices(
        scored, by=["side"], label="label", candidate="new", champion="old", minimum_rows=1
    )
    left = np.arange(ROWS) // DAYS % 3 != 0
    assert slices[0].value == "left"
    assert slices[0].candidate == pytest.approx(np.mean((p.argmax(axis=1) == labels)[left]), abs=1e-12)
    assert slices[0].loss == pytest.approx(slices[0].champion - slices[0].candidate, abs=1e-12)


def test_slices_of_one_model_are_told_with_corrected_p_values(spark: SparkSession) -> None:
    """On the right, rows have each other's answers: the model is worse there."""
    labels, p, days = draw()
    right = np.arange(ROWS) // DAYS % 3 == 0
    p[right] = p[right][::-1]
    scored = lay(spark, labels, {"p": p}, days)
    for metric in ("log_loss", "accuracy"):
        found = judge_class_slices(
            scored, by=["side", "label"], prediction="p", block="day", metric=metric, least=(150, 1)
        )
        by_name = {one.name: one for one in found}
        assert {name for name, one in by_name.items() if one.is_worse and name.startswith("side")} == {"side=right"}
        assert {"side=left", "side=right", "label=apple", "label=fig"} <= set(by_name)
        assert "label=pear" not in by_name  # fewer rows than a slice needs
        hits = p.argmax(axis=1) == labels
        values = hits if metric == "accuracy" else -np.log(p[np.arange(ROWS), labels])
        one = by_name["side=right"]
        assert one.figure.value == pytest.approx(float(np.mean(values[right])), abs=1e-9)
        assert one.difference.value == pytest.approx(float(np.mean(values[right]) - np.mean(values[~right])), abs=1e-9)
        assert (one.rows, one.positives) == (int(right.sum()), None)
        assert one.corrected is not None
        assert one.corrected < 0.05


def test_probabilities_that_cannot_be_are_refused_and_counted(spark: SparkSession) -> None:
    labels, p, days = draw()
    p[3] = [0.5, 0.6, 0.4]
    p[4] = [np.nan, 0.5, 0.5]
    p[5] = [1.2, -0.1, -0.1]
    with pytest.raises(ModelError, match=r"do not add up to 1.*Rows by prediction column: p: 3"):
        evaluate(
            lay(spark, labels, {"p": p}, days), label="label", prediction="p", block="day", seed=1, task="multiclass"
        )
    possible = find_task("multiclass").is_possible(p)
    assert list(np.flatnonzero(~possible)) == [3, 4, 5]


def test_one_class_alone_has_no_roc_auc_and_the_reason_is_told() -> None:
    _, p, days = draw()
    found = evaluate_counts(find_task("multiclass").count_arrays(np.zeros(ROWS), p, days), seed=1, task="multiclass")
    assert found.metrics["roc_auc"].value is None
    assert found.reason == f"all {ROWS} labels are 0: roc_auc needs labels that differ"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_task_has_what_the_protocol_asks_for_with_the_same_arguments(name: str) -> None:
    module = TASKS[name]
    for member, declared in vars(Task).items():
        if inspect.isfunction(declared) and not member.startswith("_"):
            asked = list(inspect.signature(declared).parameters.values())[1:]
            had = list(inspect.signature(getattr(module, member)).parameters.values())
            assert [one.name for one in had] == [one.name for one in asked], (name, member)
            assert member in module.__all__  # type: ignore[attr-defined]
    for constant in ("METRICS", "SLICED_BY", "TRIVIAL_VARIES", "NO_ANSWER"):
        assert hasattr(module, constant), (name, constant)
