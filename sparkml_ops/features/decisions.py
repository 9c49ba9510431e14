"""Decisions to learn from: each row of the dataset's relation with its label and its part.

A decision has one fate. The first of these that holds is its own:

* `no_timestamp`: its moment is null; it is left out.
* `no_label`: its label is null; it is left out.
* `immature`: `timestamp + label_matures_after` is after `as_of`, so its label may still change; it is left out.
* `after_test_until`: it is at or after the split's `test_until`; it is left out.
* `train`, `valid` or `test`. By time: before `train_until`, before `valid_until`, or later. By hash: a share of all
  values of xxhash64 over the split's columns, so that a row keeps its part whatever other rows come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType

from sparkml_ops.config.dataset import Dataset, HashSplit, TimeSplit
from sparkml_ops.errors import ConfigError, ContractError, TrainingError
from sparkml_ops.features.events import from_microseconds
from sparkml_ops.features.expressions import compile_expression, expression_type, require_columns, require_instant

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PARTS = ("train", "valid", "test")
LABEL, FATE = "__label", "__fate"
_EXAMPLES = 5
_HASH_RANGE = 2**53  # whole numbers up to here are exact as doubles


@dataclass(frozen=True)
class DecisionCounts:
    """How many decisions met which fate.

    Attributes:
        rows: rows by fate.
        positives: rows with label 1, by fate.
        newest: the latest moment among the rows that stay, None when none do.
    """

    rows: dict[str, int]
    positives: dict[str, int]
    newest: datetime | None

    def kept(self) -> int:
        """Rows that stay."""
        return sum(self.rows.get(part, 0) for part in PARTS)

    def left_out(self) -> dict[str, int]:
        """Rows that are left out, by reason."""
        return {fate: rows for fate, rows in sorted(self.rows.items()) if fate not in PARTS}


def label_decisions(rows: "DataFrame", dataset: Dataset, *, as_of: datetime) -> "DataFrame":
    """Decisions with label and fate.

    Args:
        rows: rows of the dataset's relation.
        dataset: the dataset.
        as_of: the instant as of which labels must have matured.

    Returns:
        The entity columns, the dataset's timestamp, `__label` (0, 1 or null) and `__fate`.

    Raises:
        ConfigError: a column is missing, or an expression cannot be computed.
    """
    require_columns(rows, dataset.entity, place="dataset.entity")
    require_instant(rows, dataset.timestamp, place="dataset.timestamp")
    wanted = (
        rows if dataset.where is None else rows.filter(compile_expression(rows, dataset.where, place="dataset.where"))
    )
    if isinstance(dataset.split, HashSplit):
        require_columns(rows, dataset.split.of, place="dataset.split.of")
    moment = F.col(dataset.timestamp).cast("timestamp")
    fate = (
        F.when(moment.isNull(), "no_timestamp")
        .when(F.col(LABEL).isNull(), "no_label")
        .when(moment > F.lit(as_of - dataset.label_matures_after), "immature")
        .otherwise(_part(dataset.split, moment))
    )
    labelled = wanted.withColumn(LABEL, _label(wanted, dataset.label)).withColumn(FATE, fate)
    entity = [column for column in dataset.entity if column != dataset.timestamp]
    return labelled.select(*entity, moment.alias(dataset.timestamp), LABEL, FATE)


def keep_decisions(decisions: "DataFrame") -> "DataFrame":
    """The decisions that stay."""
    return decisions.filter(F.col(FATE).isin(*PARTS))


def count_decisions(decisions: "DataFrame", *, timestamp: str) -> DecisionCounts:
    """Count the decisions by fate, in one pass.

    Raises:
        ContractError: a label is neither 0 nor 1.
    """
    strange = ~F.col(LABEL).isin(0, 1)
    by_fate = decisions.groupBy(FATE).agg(
        F.count("*").alias("decisions"),
        F.sum(F.when(F.col(LABEL) == 1, 1).otherwise(0)).alias("positives"),
        F.unix_micros(F.max(timestamp)).alias("newest"),
        F.count_if(strange).alias("strange"),
        F.min(F.when(strange, F.col(LABEL))).alias("example"),
    )
    found = {row[FATE]: row for row in by_fate.collect()}
    for row in found.values():
        if row["strange"]:
            raise ContractError(
                f"dataset.label gives {row['example']:g}, among others, in {row['strange']} rows; "
                "a binary label is a boolean, 0 or 1."
            )
    newest = max((found[part]["newest"] for part in PARTS if part in found), default=None)
    return DecisionCounts(
        rows={fate: row["decisions"] for fate, row in found.items()},
        positives={fate: row["positives"] for fate, row in found.items()},
        newest=None if newest is None else from_microseconds(newest),
    )


def require_both_classes(counts: DecisionCounts) -> None:
    """Raise TrainingError when there is nothing to train on, or a single class."""
    rows, positives = counts.rows.get("train", 0), counts.positives.get("train", 0)
    shown = ", ".join(f"{fate} {number}" for fate, number in sorted(counts.rows.items())) or "no rows at all"
    if rows == 0:
        raise TrainingError(
            f"the training part has no rows. Rows by fate: {shown}. "
            "Look at dataset.where, split and label_matures_after."
        )
    if positives in {0, rows}:
        raise TrainingError(
            f"the training part has a single class: {positives} of {rows} rows have label 1. Rows by fate: {shown}. "
            "Look at dataset.label."
        )


def require_unique(decisions: "DataFrame", keys: Sequence[str]) -> None:
    """Raise ContractError when two decisions that stay have the same key."""
    repeated = keep_decisions(decisions).groupBy(*keys).agg(F.count("*").alias("__rows")).filter("__rows > 1")
    examples = repeated.orderBy(*keys).limit(_EXAMPLES).collect()
    if examples:
        shown = "; ".join(
            ", ".join(f"{key}={row[key]}" for key in keys) + f" ({row['__rows']} rows)" for row in examples
        )
        raise ContractError(
            f"dataset.key: {repeated.count()} keys name more than one decision, such as {shown}. "
            "Make the relation unique, or name a key that is."
        )


def _label(rows: "DataFrame", sql: str) -> "Column":
    found = expression_type(rows, sql, place="dataset.label")
    if not isinstance(found, BooleanType | NumericType):
        raise ConfigError(
            f"dataset.label: `{sql}` is {found.simpleString()}; expected a boolean, or a number that is 0 or 1."
        )
    # As a double until it has been counted: 0.4 must be refused, not rounded.
    return F.expr(sql).cast("double")


def _part(split: TimeSplit | HashSplit, moment: "Column") -> "Column":
    if isinstance(split, HashSplit):
        share = F.pmod(F.xxhash64(*split.of), F.lit(_HASH_RANGE)) / F.lit(float(_HASH_RANGE))
        return F.when(share < split.train, "train").when(share < split.train + split.valid, "valid").otherwise("test")
    part = F.when(moment < F.lit(split.train_until), "train").when(moment < F.lit(split.valid_until), "valid")
    if split.test_until is None:
        return part.otherwise("test")
    return part.when(moment < F.lit(split.test_until), "test").otherwise("after_test_until")
