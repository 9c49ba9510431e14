"""How much a training row counts: the weight of its class, times a weight of its own."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType

from sparkml_ops.config.model import ClassWeight, ClassWeights
from sparkml_ops.config.sql import read_expression
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.features import expression_type
from sparkml_ops.models import find_kind
from sparkml_ops.training.matrix import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import Row

PLACE = "model.sample_weight"
HEAVIEST = 1e15
"""Of one row. Estimators add weights in 32 bits, up to 3e38: past this a million rows and a class weight would not fit."""
_EXAMPLES = 5
_WEIGHT = "_weight"


def weigh_part(part: Part, class_weight: ClassWeight | None) -> Part:
    """The rows with the weights that a fit is given: class weight times the row's own; none where each row counts once.

    `balanced` gives all classes the same sum, as long as rows have no weights of their own: rows / (classes * rows of the class),
    counted on these very rows (King and Zeng 2001, "Logistic regression in rare events data").
    """
    if class_weight is None:
        return part
    counts = np.bincount(part.labels.astype(np.int64), minlength=2).astype(np.float64)
    by_class = balance_classes(counts) if class_weight == "balanced" else list_weights(class_weight)
    weights = by_class[part.labels.astype(np.int64)]
    return replace(part, weights=weights if part.weights is None else weights * part.weights)


def compile_weight(rows: DataFrame, sql: str, *, key: Sequence[str], withhold: Collection[str] = ()) -> Column:
    """The column with each row's own weight, once all rows to fit on have one that can be used.

    Args:
        rows: The rows of the training set.
        sql: `model.sample_weight`.
        key: Columns that name a row, for the message.
        withhold: Columns with personal data, of which no value is told, nor a weight that is made of them.

    Raises:
        ConfigError: The expression cannot be computed from the columns, or gives no numbers.
        TrainingError: Rows have no weight, or one below zero or beyond all numbers; or no row of a class has any weight.
    """
    found = expression_type(rows, sql, place=PLACE)
    if find_kind(found) != "numeric":
        raise ConfigError(f"{PLACE}: `{sql}` is {found.simpleString()}; expected a number, 0 or above, for each row.")
    weight = F.expr(sql).cast("double")
    fitted = rows.where(F.col("split").isin("train", "valid"))
    try:
        _require_usable(fitted, weight, sql=sql, shown=_choose_shown(sql, key, withhold))
    except PySparkException as error:
        raise TrainingError(
            f"{PLACE}: `{sql}` cannot be computed for some rows ({error.getCondition() or type(error).__name__}). "
            "Say what holds there: try_divide(…), try_cast(…), coalesce(…)."
        ) from error
    return weight


def _choose_shown(sql: str, key: Sequence[str], withhold: Collection[str]) -> dict[str, Column]:
    """What an example shows: the columns of the key and the weight, without personal data."""
    personal = {name.lower() for name in withhold}
    withheld = F.lit("(personal data)")
    shown = {name: withheld if name.lower() in personal else F.col(f"`{name}`").cast("string") for name in key}
    is_personal = any(name.lower() in personal for name in read_expression(sql).columns)
    return shown | {_WEIGHT: withheld if is_personal else F.expr(sql).cast("double").cast("string")}


def _require_usable(rows: DataFrame, weight: Column, *, sql: str, shown: dict[str, Column]) -> None:
    reasons = {
        "null": weight.isNull(),
        "not a number (NaN)": F.isnan(weight),
        "below zero": weight < 0,
        f"infinite or above {HEAVIEST:g}": ~F.isnan(weight) & (weight > HEAVIEST),
    }
    # Labels that are numbers are no classes: then all rows of train are looked at together.
    is_classes = isinstance(rows.schema["label"].dataType, IntegerType)
    of_train = F.col("split") == "train"
    groups = [of_train & (F.col("label") == label) for label in (0, 1)] if is_classes else [of_train]
    heaviest = [F.max(F.when(group, weight)) for group in groups]
    counts = [F.count_if(reason) for reason in reasons.values()]
    rows_there, *found = rows.agg(F.count("*"), *counts, *heaviest).collect()[0]
    wrong = {name: number for name, number in zip(reasons, found, strict=False) if number}
    if wrong:
        is_wrong = weight.isNull() | F.isnan(weight) | (weight < 0) | (weight > HEAVIEST)
        named = rows.where(is_wrong).select(*(column.alias(name) for name, column in shown.items()))
        examples = named.orderBy(*range(1, len(shown) + 1)).limit(_EXAMPLES).collect()
        raise TrainingError(_tell_wrong(sql, rows_there, wrong, examples))
    weightless = [label for label, most in enumerate(found[len(reasons) :]) if most == 0]
    if weightless:
        whose = f" of {_name_classes(weightless)}" if is_classes else ""
        raise TrainingError(
            f"{PLACE}: `{sql}` is 0 for all rows{whose} in the part train, so that nothing could "
            f"be learned of them. Give some rows{' of each class' if is_classes else ''} a weight above 0."
        )


def _tell_wrong(sql: str, rows: int, wrong: dict[str, int], examples: "list[Row]") -> str:
    counted = ", ".join(f"{number} {name}" for name, number in wrong.items())
    shown = "; ".join(
        f"{', '.join(f'{name}={value}' for name, value in list(row.asDict().items())[:-1])}: {row[-1]}"
        for row in examples
    )
    return (
        f"{PLACE}: `{sql}` gives {sum(wrong.values())} of {rows} rows no weight that can be used: {counted}. "
        f"For instance {shown}. A weight is a number from 0 up: mend the expression, for instance by coalesce(…, 1) or "
        "greatest(…, 0), or leave such rows out by dataset.where."
    )


def _name_classes(labels: list[int]) -> str:
    return "both classes" if len(labels) > 1 else f"class {labels[0]}"


def balance_classes(counts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Weights by which all classes count alike, of rows by class; shape (classes,)."""
    balanced: NDArray[np.float64] = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return balanced


def list_weights(class_weight: ClassWeights) -> "NDArray[np.float64]":
    """Weights of the classes 0 and 1."""
    return np.array([class_weight.negative, class_weight.positive])
