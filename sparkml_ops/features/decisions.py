"""Decisions to learn from: each row of the dataset's relation with its label and its part.

A decision has one fate: why its label cannot be used (see `labels`: `no_timestamp`, `immature`, `no_label`), else why it
is in no part (see `splits`: `embargo`, `after_test_until`, `group_of_earlier_part`), else `train`, `valid` or `test`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.config.dataset import Dataset, HashSplit
from sparkml_ops.errors import ContractError, TrainingError
from sparkml_ops.features.events import from_microseconds
from sparkml_ops.features.expressions import require_columns
from sparkml_ops.features.label_rules import find_label_rules
from sparkml_ops.features.labels import KNOWN, LABEL, STATE, tell_labels
from sparkml_ops.features.splits import PARTS, deal_part, keep_groups_apart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.features.label_events import LabelEvents

FATE = "__fate"
_EXAMPLES = 5


@dataclass(frozen=True)
class DecisionCounts:
    """How many decisions met which fate.

    Attributes:
        rows: rows by fate.
        positives: rows with label 1, by fate.
        newest: the latest moment among the rows that stay, None when none do.
        labels: lowest and highest label by fate, where a row of it has one.
        classes: how many different labels, by fate; 0 where they are not counted.
    """

    rows: dict[str, int]
    positives: dict[str, int]
    newest: datetime | None
    labels: dict[str, tuple[Any, Any]] = field(default_factory=dict, compare=False)
    classes: dict[str, int] = field(default_factory=dict, compare=False)

    def kept(self) -> int:
        """Rows that stay."""
        return sum(self.rows.get(part, 0) for part in PARTS)

    def left_out(self) -> dict[str, int]:
        """Rows that are left out, by reason."""
        return {fate: rows for fate, rows in sorted(self.rows.items()) if fate not in PARTS}


def label_decisions(
    rows: "DataFrame",
    dataset: Dataset,
    *,
    as_of: datetime,
    events: "LabelEvents | None" = None,
    task: str = "binary",
) -> "DataFrame":
    """Decisions with label and fate.

    Args:
        rows: rows of the dataset's relation.
        dataset: the dataset.
        as_of: the instant as of which labels must have matured.
        events: what the label is told by, where that is not the row; see `open_label_events`.
        task: what the label is for.

    Returns:
        The entity columns, the dataset's timestamp, `__label` (a number, of several classes text, or null) and `__fate`.

    Raises:
        ConfigError: a column is missing, or an expression cannot be computed.
    """
    told = tell_labels(rows, dataset, as_of=as_of, events=events, task=task)
    key, together = (
        ("of", dataset.split.of) if isinstance(dataset.split, HashSplit) else ("groups", dataset.split.groups)
    )
    require_columns(told, together, place=f"dataset.split.{key}")
    part = deal_part(dataset.split, F.col(dataset.timestamp))
    decided = told.withColumn(FATE, F.when(F.col(STATE) == KNOWN, part).otherwise(F.col(STATE))).drop(STATE)
    if key == "groups" and together:
        return keep_groups_apart(decided, together, fate=FATE)
    return decided


def keep_decisions(decisions: "DataFrame") -> "DataFrame":
    """The decisions that stay."""
    return decisions.filter(F.col(FATE).isin(*PARTS))


def count_decisions(decisions: "DataFrame", *, timestamp: str, task: str = "binary") -> DecisionCounts:
    """Count the decisions by fate, in one pass.

    Raises:
        ContractError: a label is none of the task: neither 0 nor 1, or of a regression not finite.
    """
    rules = find_label_rules(task)
    strange = rules.is_strange(LABEL)
    by_fate = decisions.groupBy(FATE).agg(
        F.count("*").alias("decisions"),
        rules.count_positives(LABEL).alias("positives"),
        rules.count_classes(LABEL).alias("classes"),
        F.min(LABEL).alias("lowest"),
        F.max(LABEL).alias("highest"),
        F.unix_micros(F.max(timestamp)).alias("newest"),
        F.count_if(strange).alias("strange"),
        F.min(F.when(strange, F.col(LABEL))).alias("example"),
    )
    found = {row[FATE]: row for row in by_fate.collect()}
    strange_rows = sum(row["strange"] for row in found.values())
    if strange_rows:
        raise rules.refuse(strange_rows, next(row["example"] for row in found.values() if row["strange"]))
    newest = max((found[part]["newest"] for part in PARTS if part in found), default=None)
    return DecisionCounts(
        rows={fate: row["decisions"] for fate, row in found.items()},
        positives={fate: row["positives"] for fate, row in found.items()},
        newest=None if newest is None else from_microseconds(newest),
        classes={fate: row["classes"] for fate, row in found.items()},
        labels={fate: (row["lowest"], row["highest"]) for fate, row in found.items() if row["lowest"] is not None},
    )


def require_learnable(counts: DecisionCounts, *, task: str = "binary", told_by: str = "") -> None:
    """Raise TrainingError when there is nothing to train on, or one label alone; `told_by` says what labels came from."""
    rows, positives = counts.rows.get("train", 0), counts.positives.get("train", 0)
    shown = ", ".join(f"{fate} {number}" for fate, number in sorted(counts.rows.items())) or "no rows at all"
    if rows == 0:
        raise TrainingError(
            f"the training part has no rows. Rows by fate: {shown}. "
            f"Look at dataset.where, split, and at when a label has matured.{told_by}"
        )
    lowest, highest = counts.labels.get("train", (0.0, 1.0))
    figures: dict[str, Any] = {"rows": rows, "positives": positives, "lowest": lowest, "highest": highest}
    figures["classes"] = max((counts.classes.get(part, 0) for part in PARTS), default=0)
    alike = find_label_rules(task).tell_alike(figures)
    if alike:
        raise TrainingError(f"the training part has {alike}. Rows by fate: {shown}. Look at dataset.label.{told_by}")


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
