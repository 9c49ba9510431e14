"""Labels: what became of each decision, and whether that is known yet.

A label is told by the decision's own row (`label: dep_delay > 30`), or by events that come after it (`label: {from: …}`,
see `label_events`, `label_windows`). Training, evaluation and monitoring all take it from `tell_labels`.

A decision has one state. The first of these that holds is its own:

* `no_timestamp`: its moment is null.
* `immature`: its label may still change. The label is settled at `moment + label_matures_after`, with events at
  `moment + within + available_after`; it is mature when that is not after `as_of`, and not after the instant until
  which the table of events is known to have everything. Whatever the label is by now, it is not used.
* `no_label`: its label is null, for good.
* `known`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.dataset import Dataset
from sparkml_ops.features.events import instant_microseconds, to_microseconds
from sparkml_ops.features.expressions import compile_expression, expression_type, require_columns, require_instant
from sparkml_ops.features.label_events import LabelEvents, require_label_type
from sparkml_ops.features.label_rules import require_class_type
from sparkml_ops.features.label_windows import label_by_events

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LABEL, STATE = "__label", "__state"
NO_TIMESTAMP, IMMATURE, NO_LABEL, KNOWN = "no_timestamp", "immature", "no_label", "known"


def tell_labels(
    rows: "DataFrame",
    dataset: Dataset,
    *,
    as_of: datetime,
    events: LabelEvents | None = None,
    columns: Sequence[str] | None = None,
    task: str = "binary",
) -> "DataFrame":
    """Decisions with their labels and states.

    Args:
        rows: rows of the dataset's relation.
        dataset: the dataset.
        as_of: the instant as of which labels must have matured.
        events: what the label is told by, where that is not the row; see `open_label_events`.
        columns: columns to keep, those that events are found by among them; the entity columns by default.
        task: what the label is for; several classes are told as text.

    Returns:
        A row for each row for which `where` holds: those columns, the dataset's timestamp, `__label` (a double,
        of several classes text, or null) and `__state`.

    Raises:
        ConfigError: a column is missing, or an expression cannot be computed.
    """
    kept = list(dataset.entity if columns is None else columns)
    require_columns(rows, kept, place="dataset.entity")
    require_instant(rows, dataset.timestamp, place="dataset.timestamp")
    wanted = (
        rows if dataset.where is None else rows.filter(compile_expression(rows, dataset.where, place="dataset.where"))
    )
    moment = F.col(dataset.timestamp).cast("timestamp").alias(dataset.timestamp)
    identity: list[Column | str] = [*(column for column in kept if column != dataset.timestamp), moment]
    if isinstance(dataset.label, str):
        labelled = wanted.select(*identity, _label(wanted, dataset.label, task).alias(LABEL))
    elif events is not None:
        decisions = wanted.select(*identity)
        labelled = label_by_events(decisions, dataset.label, events, moment=dataset.timestamp, name=LABEL)
    else:
        raise ValueError("the label is told by events, and none are given: open_label_events")
    return labelled.withColumn(STATE, _state(dataset, settled_until(as_of, events)))


def settled_until(as_of: datetime, events: LabelEvents | None) -> datetime | None:
    """Labels that are settled by then are mature; None where nothing is known yet."""
    if events is None:
        return as_of
    return None if events.known_until is None else min(as_of, events.known_until)


def _label(rows: "DataFrame", sql: str, task: str) -> "Column":
    found = expression_type(rows, sql, place="dataset.label")
    if task == "multiclass":
        require_class_type(found, sql, place="dataset.label")
        return F.expr(sql).cast("string")
    require_label_type(found, sql, place="dataset.label")
    # As a double until it has been counted: 0.4 must be refused, not rounded.
    return F.expr(sql).cast("double")


def _state(dataset: Dataset, until: datetime | None) -> "Column":
    moment = F.unix_micros(dataset.timestamp)
    if until is None:
        immature = F.lit(True)
    else:
        immature = moment + F.lit(to_microseconds(dataset.label_delay())) > F.lit(instant_microseconds(until))
    return (
        F.when(moment.isNull(), NO_TIMESTAMP)
        .when(immature, IMMATURE)
        .when(F.col(LABEL).isNull(), NO_LABEL)
        .otherwise(KNOWN)
    )
