"""What a label may be, by the task, and when the labels of a training set can be learned from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError

if TYPE_CHECKING:
    from pyspark.sql import Column

LARGEST = 1e30
"""Of a label's size: estimators keep labels in 32 bits, up to 3e38, and figures add up squares of errors in 64, up to 1e308."""
LabelFigures = Mapping[str, float]
"""Of one part or fate: rows, positives (of labels 1), lowest and highest."""


@dataclass(frozen=True)
class LabelRules:
    """What is asked of labels.

    Attributes:
        stored_as: type of the column `label` of a training set, as SQL names it.
        is_strange: whether the label in a column cannot be; null for one that is null.
        refuse: the error for labels that cannot be, of so many rows, with an example.
        tell_alike: why labels with these figures teach no difference; None where they do.
    """

    stored_as: str
    is_strange: "Callable[[str], Column]"
    refuse: Callable[[int, Any], ContractError]
    tell_alike: Callable[[LabelFigures], str | None]


def find_label_rules(task: str) -> LabelRules:
    """The rules of a task.

    Raises:
        ConfigError: there is no such task.
    """
    if task not in _RULES:
        raise ConfigError(f"model.task: there are no labels of the task {task!r}; there are: {', '.join(_RULES)}.")
    return _RULES[task]


def _is_no_class(label: str) -> "Column":
    """Whether the label is neither 0 nor 1."""
    return ~F.col(label).isin(0, 1)


def _is_no_number(label: str) -> "Column":
    """Whether the label is NaN, infinite, or too large to be counted with."""
    return F.isnan(F.col(label)) | (F.abs(F.col(label)) > LARGEST)


def _refuse_classes(rows: int, example: Any) -> ContractError:
    return ContractError(
        f"dataset.label gives {example:g}, among others, in {rows} rows; a binary label is a boolean, 0 or 1. "
        "For a label that is a number take `model.task: regression`."
    )


def _refuse_numbers(rows: int, example: Any) -> ContractError:
    return ContractError(
        f"dataset.label gives {example:g}, among others, in {rows} rows; the label of a regression is a finite number, between "
        f"-{LARGEST:g} and {LARGEST:g}. Say in dataset.label what holds there, for instance null for a row without a label "
        "(`nullif(x, double('NaN'))`, `try_divide(a, b)`), or leave such rows out by dataset.where."
    )


def _tell_one_class(figures: LabelFigures) -> str | None:
    rows, positives = int(figures["rows"]), int(figures["positives"])
    if positives in {0, rows}:
        return f"a single class: {positives} of {rows} rows have label 1"
    return None


def _tell_constant(figures: LabelFigures) -> str | None:
    if figures["lowest"] == figures["highest"]:
        return f"one label alone: it is {figures['lowest']:g} in all {int(figures['rows'])} rows"
    return None


_RULES = {
    "binary": LabelRules("int", _is_no_class, _refuse_classes, _tell_one_class),
    "regression": LabelRules("double", _is_no_number, _refuse_numbers, _tell_constant),
}
