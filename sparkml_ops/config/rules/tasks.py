"""What `model.task` makes no sense of, wherever it is said."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkml_ops.config.dataset import EventLabel
from sparkml_ops.config.mistakes import Finding, list_names, show_value
from sparkml_ops.config.model import ClassWeights, Model
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.tasks import METRICS

if TYPE_CHECKING:
    from sparkml_ops.config.places import KeyPath

REGRESSION, MULTICLASS = "regression", "multiclass"
_OF_CLASSES = {
    "class_weight": "a regression has no classes to weigh; allowed: model.sample_weight, which weighs rows",
    "costs": "costs choose a threshold between two classes, and a regression has none; allowed: another task, or no costs",
}

_OF_TWO_CLASSES = {
    "costs": "costs choose a threshold between two classes, and there are more; allowed: task: binary, or no costs",
    "monotone": "a direction is that of one probability, and each class has one of its own; allowed: task: binary or regression, or no "
    "directions",
    "segment_by": "models per segment are judged by the log loss of two classes; allowed: task: binary, or the columns as features",
}
_FAIRNESS = "a gap is between rates of one class of two"


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
    if model.task == MULTICLASS:
        yield from _refuse_two_classes(model, parts)


def _refuse_classes(model: Model, parts: Parts) -> Iterator[Finding]:
    for key, told in _OF_CLASSES.items():
        if getattr(model, key) is not None:
            found, _, allowed = told.partition("; allowed: ")
            yield Finding(("model", key), found, allowed)
    if parts.scoring is not None and parts.scoring.threshold is not None:
        found = "a threshold makes classes of probabilities, and the answers of a regression are numbers"
        yield Finding(("scoring", "threshold"), found, "no threshold; predicted_class is null")
    if parts.gates is not None and parts.gates.calibration is not None:
        found = "a calibration error is that of probabilities, and the answers of a regression are numbers"
        yield Finding(("gates", "calibration"), found, "another task, or no calibration")
    yield from _refuse_fairness(parts, "the answers of a regression are numbers")


def _refuse_fairness(parts: Parts, why: str) -> Iterator[Finding]:
    if parts.gates is not None and parts.gates.fairness is not None:
        yield Finding(("gates", "fairness"), f"{_FAIRNESS}, and {why}", "task: binary, or no fairness")


def _refuse_two_classes(model: Model, parts: Parts) -> Iterator[Finding]:
    """What is said of one probability, where each class has one."""
    for key, told in _OF_TWO_CLASSES.items():
        if getattr(model, key):
            found, _, allowed = told.partition("; allowed: ")
            yield Finding(("model", key), found, allowed)
    if isinstance(model.class_weight, ClassWeights):
        found = "weights of 0 and 1 are those of two classes, and there are more"
        yield Finding(("model", "class_weight"), found, "balanced, or model.sample_weight, which weighs rows")
    yield from _refuse_fairness(parts, "there are more")
    if parts.scoring is not None and parts.scoring.threshold is not None:
        found = "a threshold parts two classes, and the answer is the most probable of several"
        yield Finding(("scoring", "threshold"), found, "no threshold; predicted_label is the most probable class")
    if parts.dataset is not None and isinstance(parts.dataset.label, EventLabel):
        found = "events that come after a decision tell a number, and a class is a value of the decision's own row"
        yield Finding(("dataset", "label"), found, "SQL over the row of the decision, or task: binary or regression")


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
