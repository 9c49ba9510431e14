"""What `model.task` makes no sense of, wherever it is said."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkml_ops.config.mistakes import Finding, list_names, show_value
from sparkml_ops.config.model import Model
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.tasks import METRICS

if TYPE_CHECKING:
    from sparkml_ops.config.places import KeyPath

REGRESSION = "regression"
_OF_CLASSES = {
    "class_weight": "a regression has no classes to weigh; allowed: model.sample_weight, which weighs rows",
    "costs": "costs choose a threshold between two classes, and a regression has none; allowed: another task, or no costs",
}


def check_task(parts: Parts) -> Iterator[Finding]:
    """The metric is one of the task's, and nothing is said about classes where there are none."""
    model = parts.model
    if model is None:
        return
    if model.metric not in METRICS[model.task]:
        found = f"{show_value(model.metric)} is no metric of the task {model.task}"
        yield Finding(("model", "metric"), found, list_names(METRICS[model.task]))
    yield from _check_limits(model, parts)
    if model.task == REGRESSION:
        yield from _refuse_classes(model, parts)


def _refuse_classes(model: Model, parts: Parts) -> Iterator[Finding]:
    for key, told in _OF_CLASSES.items():
        if getattr(model, key) is not None:
            found, _, allowed = told.partition("; allowed: ")
            yield Finding(("model", key), found, allowed)
    if parts.scoring is not None and parts.scoring.threshold is not None:
        found = "a threshold makes classes of probabilities, and the answers of a regression are numbers"
        yield Finding(("scoring", "threshold"), found, "no threshold; predicted_class is null")


def _check_limits(model: Model, parts: Parts) -> Iterator[Finding]:
    """Limits of monitoring are on metrics that predictions of the task have."""
    if parts.monitoring is None:
        return
    declared = parts.monitoring.performance
    for name in type(declared).model_fields:
        metric = name.rpartition("_")[0]
        if getattr(declared, name) is not None and metric not in METRICS[model.task]:
            path: KeyPath = ("monitoring", "performance", name)
            yield Finding(path, f"{metric} is no metric of the task {model.task}", _list_limits(model.task, declared))


def _list_limits(task: str, declared: object) -> str:
    return list_names(
        [name for name in type(declared).model_fields if name.rpartition("_")[0] in METRICS[task]]  # type: ignore[attr-defined]
    )
