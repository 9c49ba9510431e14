"""What is told where a task makes no sense of something.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

from pathlib import Path

import pytest
from config_sample import USE_CASE, BreakSample

from sparkml_ops.config import load_use_case
from sparkml_ops.config.model import Model
from sparkml_ops.config.tasks import HIGHER_IS_BETTER, METRICS
from sparkml_ops.training import hash_training

REGRESSION = {
    "task: binary": "task: regression",
    "metric: roc_auc": "metric: mae",
    'label: "returned = 1"': "label: returned",
}
KPI = '  kpi: {sql: "avg(case when prediction > 0.5 then label end)", at_least: 0.1}\n'
MULTICLASS = {
    "task: binary": "task: multiclass",
    "metric: roc_auc": "metric: log_loss",
    'label: "returned = 1"': "label: returned",
    KPI: "",
}

CASES = [
    pytest.param(
        REGRESSION
        | {"slices: {by: [channel, weekday]}": "fairness: {by: [channel]}\n  calibration: {maximum_error: 0.1}"},
        [
            "67: gates.fairness: a gap is between rates of one class of two, and the answers of a regression are numbers; allowed: task: binary, or no fairness",
            "68: gates.calibration: a calibration error is that of probabilities, and the answers of a regression are numbers; allowed: another task, or no calibration",
        ],
        id="gates of classes, of a regression",
    ),
    pytest.param(
        {"task: binary": "task: regression"},
        ["64: model.metric: 'roc_auc' is no metric of the task regression; allowed: rmse, mae, r2"],
        id="a metric of two classes",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: rmse"},
        ["64: model.metric: 'rmse' is no metric of the task binary; allowed: roc_auc, pr_auc, log_loss"],
        id="a metric of numbers",
    ),
    pytest.param(
        {"task: binary": "task: [regression]", "metric: roc_auc": "metric: f1"},
        [
            "61: model.task: found ['regression']; allowed: binary, regression, multiclass; did you mean 'regression'?",
            "64: model.metric: found 'f1'; allowed: roc_auc, pr_auc, log_loss, rmse, mae, r2, accuracy, macro_f1",
        ],
        id="neither a task nor a metric",
    ),
    pytest.param(
        REGRESSION
        | {
            "metric: roc_auc": "metric: mae\n  class_weight: balanced\n  costs: {false_positive: 1, false_negative: 5}",
            "as_of: ordered_on\n  roles": "as_of: ordered_on\n  threshold: 0.5\n  roles",
        },
        [
            "65: model.class_weight: a regression has no classes to weigh; allowed: model.sample_weight, which weighs rows",
            "66: model.costs: costs choose a threshold between two classes, and a regression has none; allowed: another task, or no costs",
            "75: scoring.threshold: a threshold makes classes of probabilities, and the answers of a regression are numbers; allowed: no threshold; predicted_class is null",
        ],
        id="classes that a regression has not",
    ),
    pytest.param(
        REGRESSION
        | {"freshness: 2d}": "freshness: 2d, performance: {roc_auc_below: 0.7, rmse_over: 0, mae_over: 3, r2_below: 1.5}}"},
        [
            "75: monitoring.performance.r2_below: found 1.5; allowed: a number up to 1",
            "75: monitoring.performance.rmse_over: found 0; allowed: a number above 0",
        ],
        id="limits that cannot be",
    ),
    pytest.param(
        REGRESSION | {"freshness: 2d}": "freshness: 2d, performance: {roc_auc_below: 0.7, mae_over: 3}}"},
        [
            "75: monitoring.performance.roc_auc_below: roc_auc is no metric of the task regression; allowed: rmse_over, mae_over, r2_below"
        ],
        id="a limit of two classes",
    ),
    pytest.param(
        {"freshness: 2d}": "freshness: 2d, performance: {rmse_over: 3}}"},
        [
            "75: monitoring.performance.rmse_over: rmse is no metric of the task binary; allowed: roc_auc_below, log_loss_over"
        ],
        id="a limit of numbers",
    ),
    pytest.param(
        MULTICLASS | {"slices: {by: [channel, weekday]}": "fairness: {by: [channel]}\n  calibration: {maximum_error: 0.1}"},
        ["67: gates.fairness: a gap is between rates of one class of two, and there are more; allowed: task: binary, or no fairness"],
        id="a gap between groups, of several classes",
    ),
    pytest.param(
        MULTICLASS | {"metric: roc_auc": "metric: pr_auc"},
        ["64: model.metric: 'pr_auc' is no metric of the task multiclass; allowed: log_loss, accuracy, macro_f1, roc_auc"],
        id="a metric of two classes, of several",
    ),
    pytest.param(
        MULTICLASS
        | {
            "metric: roc_auc": "metric: log_loss\n  class_weight: {0: 1, 1: 5}\n  costs: {false_positive: 1, false_negative: 5}",
            "as_of: ordered_on\n  roles": "as_of: ordered_on\n  threshold: 0.5\n  roles",
        },
        [
            "65: model.class_weight: weights of 0 and 1 are those of two classes, and there are more; allowed: balanced, or model.sample_weight, which weighs rows",
            "66: model.costs: costs choose a threshold between two classes, and there are more; allowed: task: binary, or no costs",
            "74: scoring.threshold: a threshold parts two classes, and the answer is the most probable of several; allowed: no threshold; predicted_label is the most probable class",
        ],
        id="what two classes have",
    ),
    pytest.param(
        MULTICLASS
        | {
            "metric: roc_auc": "metric: log_loss\n  segment_by: channel\n  monotone: {customer__age: increasing}\n"
            "  evaluation: {kpi: {share: {value: predicted_class, better: higher}}}",
            KPI: KPI.replace("> 0.5 then label", "> 0.5 then predicted_clas"),
        },
        [
            "65: model.segment_by: models per segment are judged by the log loss of two classes; allowed: task: binary, or the columns as features",
            "66: model.monotone: a direction is that of one probability, and each class has one of its own; allowed: task: binary or regression, or no directions",
            "67: model.evaluation.kpi.share.value: no column 'predicted_class' in a judged row; allowed: prediction, predicted_label, probabilities, order_id, customer_id, channel, ordered_on, label, split, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d, … (16 in all); did you mean 'predicted_label'?",
            "71: gates.kpi.sql: no column 'predicted_clas' in a judged row; allowed: prediction, predicted_label, probabilities, label, ordered_on, order_id, customer_id, channel, weekday, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'predicted_label'?",
        ],
        id="what asks for one number",
    ),
    pytest.param(
        {KPI: KPI.replace("prediction > 0.5", "probabilities['1'] > 0.5")},
        ["68: gates.kpi.sql: no column 'probabilities' in a judged row; allowed: prediction, label, ordered_on, order_id, customer_id, channel, weekday, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d"],
        id="a business figure of several classes, of two",
    ),
    pytest.param(
        MULTICLASS | {"freshness: 2d}": "freshness: 2d, performance: {roc_auc_below: 0.7, rmse_over: 3, accuracy_below: 1.5}}"},
        ["74: monitoring.performance.accuracy_below: found 1.5; allowed: a number up to 1"],
        id="limits of several classes that cannot be",
    ),
    pytest.param(
        MULTICLASS | {"freshness: 2d}": "freshness: 2d, performance: {roc_auc_below: 0.7, rmse_over: 3, accuracy_below: 0.5}}"},
        ["74: monitoring.performance.rmse_over: rmse is no metric of the task multiclass; allowed: roc_auc_below, log_loss_over, accuracy_below, macro_f1_below"],
        id="a limit of numbers, of several classes",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message_about_a_task(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected


@pytest.mark.parametrize(
    ("task", "metric"), [("binary", "roc_auc"), ("regression", "rmse"), ("multiclass", "log_loss")]
)
def test_a_task_has_a_metric_by_default(task: str, metric: str) -> None:
    assert Model.model_validate({"task": task}).metric == metric == METRICS[task][0]


def test_a_regression_is_loaded(project: Path) -> None:
    text = USE_CASE
    for old, new in REGRESSION.items():
        text = text.replace(old, new, 1)
    (project / "conf" / "shop.yml").write_text(text)
    loaded = load_use_case("shop")
    assert (loaded.model.task, loaded.model.metric) == ("regression", "mae")
    assert loaded.model.metric not in HIGHER_IS_BETTER
    classes = loaded.model_copy(update={"model": loaded.model.model_copy(update={"task": "binary"})})
    assert hash_training(loaded) != hash_training(classes)


def test_business_figures_of_several_classes_are_loaded(project: Path) -> None:
    figure = (
        """  evaluation: {kpi: {share: {value: "probabilities['1'] * (predicted_label = label)", better: higher}}}"""
    )
    edits = MULTICLASS | {
        "metric: roc_auc": f"metric: log_loss\n{figure}",
        KPI: KPI.replace("prediction > 0.5", "probabilities['1'] > prediction / 2"),
    }
    text = USE_CASE
    for old, new in edits.items():
        text = text.replace(old, new, 1)
    (project / "conf" / "shop.yml").write_text(text)
    loaded = load_use_case("shop")
    assert loaded.model.evaluation.kpi["share"].value.startswith("probabilities")
    assert loaded.gates.kpi is not None
