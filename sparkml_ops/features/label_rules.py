"""What a label may be, by the task, and when the labels of a training set can be learned from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, IntegralType, StringType

from sparkml_ops.config.tasks import MAX_CLASSES
from sparkml_ops.errors import ConfigError, ContractError

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.types import DataType

LARGEST = 1e30
"""Of a label's size: estimators keep labels in 32 bits, up to 3e38, and figures add up squares of errors in 64, up to 1e308."""
LabelFigures = Mapping[str, Any]
"""Of one part or fate: rows, positives (of labels 1), lowest and highest, and how many classes where these are counted."""


@dataclass(frozen=True)
class LabelRules:
    """What is asked of labels.

    Attributes:
        stored_as: type of the column `label` of a training set, as SQL names it.
        is_strange: whether the label in a column cannot be; null for one that is null.
        refuse: the error for labels that cannot be, of so many rows, with an example.
        tell_alike: why labels with these figures teach no difference; None where they do.
        count_positives: the aggregate of rows with label 1; 0 where labels are classes by name.
        count_classes: the aggregate of different labels; 0 where nobody asks.
    """

    stored_as: str
    is_strange: "Callable[[str], Column]"
    refuse: Callable[[int, Any], ContractError]
    tell_alike: Callable[[LabelFigures], str | None]
    count_positives: "Callable[[str], Column]"
    count_classes: "Callable[[str], Column]"


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
        "For a label that is a number take `model.task: regression`, for one of several classes `model.task: multiclass`."
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


def require_class_type(found: "DataType", sql: str, *, place: str) -> None:
    """Raise ConfigError unless a label can name classes: text, whole numbers or booleans."""
    if not isinstance(found, StringType | BooleanType | IntegralType):
        raise ConfigError(
            f"{place}: `{sql}` is {found.simpleString()}; the label of several classes is text, a whole number or a boolean. Cast it, for "
            "instance by `cast(x as int)`, or cut it into named ranges by `case when … then 'low' … end`."
        )


def _is_no_name(label: str) -> "Column":
    """Whether the label is text of nothing but blanks, which nobody could tell from a missing one."""
    return F.trim(F.col(label)) == ""


def _refuse_blank(rows: int, example: Any) -> ContractError:
    return ContractError(
        f"dataset.label gives {example!r}, text without a letter, in {rows} rows; a class needs a name. Say null for a row without a label "
        "(`nullif(trim(x), '')`), or give the class a name."
    )


def _tell_classes(figures: LabelFigures) -> str | None:
    if figures["classes"] > MAX_CLASSES:
        return (
            f"a label with {figures['classes']} different values in one part of the rows; model.task: multiclass takes up to {MAX_CLASSES} "
            "classes: put rare ones together, or take model.task: regression for a number"
        )
    if figures["lowest"] == figures["highest"]:
        return f"a single class: all {int(figures['rows'])} rows are {figures['lowest']!r}"
    return None


def _count_ones(label: str) -> "Column":
    return F.sum(F.when(F.col(label) == 1, 1).otherwise(0))


def _count_none(label: str) -> "Column":  # noqa: ARG001  # there is nothing to look at
    return F.sum(F.lit(0))


_RULES = {
    "binary": LabelRules("int", _is_no_class, _refuse_classes, _tell_one_class, _count_ones, _count_none),
    "regression": LabelRules("double", _is_no_number, _refuse_numbers, _tell_constant, _count_ones, _count_none),
    "multiclass": LabelRules("string", _is_no_name, _refuse_blank, _tell_classes, _count_none, F.count_distinct),
}
