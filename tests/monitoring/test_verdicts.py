"""When a figure is an alert, and when there is nothing to say."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.dataset import Dataset
from sparkml_ops.config.monitoring import DriftAlert, PerformanceAlert
from sparkml_ops.monitoring.alerts import find_alerts
from sparkml_ops.monitoring.batch import PublishedBatch
from sparkml_ops.monitoring.drift import judge_drift
from sparkml_ops.monitoring.labels import find_switch, join_labels, judge_performance, measure_performance

BATCH = PublishedBatch("b", 3, "champion", 10, 0, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("psi", "verdict"), [(0.1, "ok"), (0.2, "ok"), (0.21, "alert"), (None, "no_data")])
def test_drift(psi: float | None, verdict: str) -> None:
    assert judge_drift("temp", psi, DriftAlert(psi_over=0.2), batch=BATCH).verdict == verdict


@pytest.mark.parametrize(
    ("name", "value", "limit", "verdict"),
    [
        ("roc_auc", 0.6, 0.7, "alert"),
        ("roc_auc", 0.8, 0.7, "ok"),
        ("log_loss", 0.6, 0.5, "alert"),
        ("log_loss", 0.4, 0.5, "ok"),
        ("brier", 0.4, None, "info"),
        ("roc_auc", None, 0.7, "no_data"),
    ],
)
def test_performance(name: str, value: float | None, limit: float | None, verdict: str) -> None:
    assert judge_performance(name, value, limit) == verdict


def test_an_alert_says_what_by_how_much_and_where() -> None:
    alert = find_alerts([judge_drift("temp", 2.863, DriftAlert(), batch=BATCH)], run_id="r")[0]
    assert alert.message == "drift of temp: psi is 2.863, the limit is 0.2 (batch b, model version 3)"
    assert alert.alert_id == "drift:temp:psi:b:3"


@pytest.mark.parametrize("tasks", [("binary", "multiclass"), ("multiclass", "binary"), ("regression", "multiclass")])
def test_a_batch_of_another_task_is_an_alert_that_says_so(tasks: tuple[str, str]) -> None:
    scored_for, task = tasks
    figure = find_switch(scored_for, task, batch=BATCH)
    assert figure is not None
    assert (figure.value, figure.verdict, figure.batch_id, figure.model_version) == (None, "alert", "b", 3)
    assert find_alerts([figure], run_id="r")[0].message == (
        f"performance of labels: the batch was scored for the task {scored_for}, and model.task is {task}: its predictions are no answers to "
        f"these labels, and are not judged. The first batch that a {task} version publishes will be. (batch b, model version 3)"
    )
    assert find_switch(task, task, batch=BATCH) is None


def test_labels_that_are_not_mature_or_not_there_are_null(spark: SparkSession) -> None:
    dataset = Dataset.model_validate(
        {
            "from": "t", "entity": ["id", "x"], "key": ["id"], "timestamp": "at", "label": "y > 1", "label_matures_after": "2d",
            "where": "y >= 0", "features": ["f"], "split": {"by": "hash", "of": ["id"]},
        }
    )  # fmt: skip
    predictions = spark.sql("SELECT explode(array(1, 2, 3, 4, 5)) AS id, 0.5D AS prediction")
    decisions = spark.sql(
        "SELECT * FROM VALUES (1, TIMESTAMP'2026-01-01', 5), (2, TIMESTAMP'2026-01-08', 0), (3, TIMESTAMP'2026-01-09', 5), "
        "(4, TIMESTAMP'2026-01-01', -1) AS t(id, at, y)"
    )
    joined = join_labels(predictions, decisions, dataset, as_of=datetime(2026, 1, 10, tzinfo=UTC))
    assert {row.id: row._label for row in joined.collect()} == {1: 1, 2: 0, 3: None, 4: None, 5: None}


def test_the_share_of_immature_labels_is_a_figure_and_no_immature_row_is_evaluated(spark: SparkSession) -> None:
    labelled = spark.sql(
        "SELECT * FROM VALUES (1D, 'known'), (0D, 'known'), (NULL, 'immature'), (NULL, 'no_decision') AS t(_label, _label_state)"
    ).selectExpr("*", "0.5D AS prediction", "TIMESTAMP'2026-01-01' AS as_of")
    batch = replace(BATCH, rows=4)
    figures = {figure.name: figure for figure in measure_performance(labelled, PerformanceAlert(), batch=batch)}
    assert (figures["share_immature"].value, figures["share_labelled"].value) == (0.25, 0.5)
    assert figures["share_immature"].details == "predictions by label: immature 1, known 2, no_decision 1"
    nothing = measure_performance(labelled.limit(0), PerformanceAlert(), batch=replace(BATCH, rows=0))
    assert {figure.verdict for figure in nothing} == {"no_data"}
