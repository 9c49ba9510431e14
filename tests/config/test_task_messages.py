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

CASES = [
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
        {"task: binary": "task: [regression]", "metric: roc_auc": "metric: accuracy"},
        [
            "61: model.task: found ['regression']; allowed: binary, regression; did you mean 'regression'?",
            "64: model.metric: found 'accuracy'; allowed: roc_auc, pr_auc, log_loss, rmse, mae, r2",
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
]  # fmt: skip


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message_about_a_task(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected


@pytest.mark.parametrize(("task", "metric"), [("binary", "roc_auc"), ("regression", "rmse")])
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
