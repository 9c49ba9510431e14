"""What is asked for when a training set is made: everything that its rows depend on, pinned."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.decisions import FATE, keep_decisions, label_decisions
from sparkml_ops.features.definitions import features_table
from sparkml_ops.features.label_events import LabelEvents, open_label_events
from sparkml_ops.features.label_rules import find_label_rules
from sparkml_ops.features.labels import LABEL, settled_until
from sparkml_ops.features.lookup import look_up_features
from sparkml_ops.lake import resolve_relation, table_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake


@dataclass(frozen=True)
class Order:
    """A training set that is asked for.

    Attributes:
        use_case: whose.
        decisions: all decisions with label and fate; see `label_decisions`.
        inputs: Delta version of every table that is read.
        as_of: the instant as of which labels must have matured.
        labels_until: labels that are settled by then are known: `as_of`, or earlier where a table of events does not
            reach as far; None where it has no event.
        events: what labels are told by, where that is not the decision's row.
    """

    use_case: "UseCase"
    decisions: "DataFrame"
    inputs: dict[str, int]
    as_of: datetime
    labels_until: datetime | None
    events: LabelEvents | None


def take_order(use_case: "UseCase", lake: "Lake", *, as_of: datetime, versions: Mapping[str, int] | None) -> Order:
    """Pin every input, at the newest version unless told, and label the decisions.

    Raises:
        ConfigError: dataset, features and relations do not fit together.
        TableNotFoundError: an input is not there.
    """
    dataset, pinned = use_case.dataset, dict(versions or {})
    for table in map(features_table, dataset.features):
        pinned.setdefault(table, table_version(lake, table))
    rows, read = resolve_relation(lake, dataset.relation, versions=pinned)
    pinned |= read
    events = open_label_events(dataset, lake, as_of=as_of, versions=pinned)
    pinned |= {} if events is None else events.inputs
    decisions = label_decisions(rows, dataset, as_of=as_of, events=events, task=use_case.model.task)
    return Order(use_case, decisions, pinned, as_of, settled_until(as_of, events), events)


def join_features(order: Order, lake: "Lake") -> "DataFrame":
    """The rows of the training set. Features are looked up for bare moments: no label can reach a derived column.

    Raises:
        ConfigError: two columns would have one name, or tables and configuration do not fit together.
    """
    dataset, features = order.use_case.dataset, order.use_case.feature_columns()
    identity = [column for column in dataset.entity if column != dataset.timestamp] + [dataset.timestamp]
    taken = sorted({"split", "label"} & {*identity, *features} | set(identity) & set(features))
    if taken:
        raise ConfigError(f"dataset: `{taken[0]}` would be two columns of the training set. Give one another name.")
    joined, _ = look_up_features(
        keep_decisions(order.decisions), order.use_case, lake, timestamp=dataset.timestamp, versions=order.inputs
    )
    stored = find_label_rules(order.use_case.model.task).stored_as
    return joined.select(*identity, F.col(FATE).alias("split"), F.col(LABEL).cast(stored).alias("label"), *features)
