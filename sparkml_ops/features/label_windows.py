"""Decisions and the events in their windows.

Decisions and events meet in one shuffle of each, by the entity and by a stretch of time as long as `within`: the events
of a decision are in its own stretch or the next. So an entity with a long history is the work of many tasks, and a
decision is held only against events that are less than two windows away.
"""

from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.events import to_microseconds
from sparkml_ops.features.expressions import require_columns
from sparkml_ops.features.label_events import PLACE, LabelEvents

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.dataset import EventLabel

_DECISION, _COPIES, _MOMENT, _STRETCH, _HIT, _AT = "__decision", "__copies", "__moment", "__stretch", "__hit", "__at"


def label_by_events(
    decisions: "DataFrame", label: "EventLabel", events: LabelEvents, *, moment: str, name: str
) -> "DataFrame":
    """Give each decision the label that its events tell, as a double, in a column of that name.

    Args:
        decisions: their entity columns and their moment.
        label: how it is told.
        events: by what.
        moment: name of the column with the moment.
        name: of the new column.

    Raises:
        ConfigError: an entity column has other types on both sides.
    """
    length = to_microseconds(label.within)
    ours, theirs = _match_keys(decisions, events.rows, label.entity)
    keys = [f"__key_{number}" for number in range(len(ours))]
    at = F.unix_micros(decisions[moment])
    spine = decisions.select(
        F.struct(*(F.col(f"`{column}`") for column in decisions.columns)).alias(_DECISION),
        *(key.alias(alias) for key, alias in zip(ours, keys, strict=True)),
        at.alias(_MOMENT),
        _stretch(at, length).alias(_STRETCH),
    )
    same_task = [*keys, _STRETCH]
    # Equal decisions are one row until they have their label, so that grouping by the decision is exact.
    spine = spine.repartition(*same_task).groupBy(*same_task, _MOMENT, _DECISION).agg(F.count("*").alias(_COPIES))
    happened = F.unix_micros(F.col(label.timestamp).cast("timestamp"))
    own = _stretch(happened, length)
    dealt = events.rows.select(
        "*",
        *(key.alias(f"{alias}_of_event") for key, alias in zip(theirs, keys, strict=True)),
        happened.alias(_AT),
        F.lit(True).alias(_HIT),
        F.explode(F.array(own - F.lit(length), own)).alias(f"{_STRETCH}_of_event"),
    )
    met = [F.col(column) == F.col(f"{column}_of_event") for column in same_task]
    within = [F.col(_AT) > F.col(_MOMENT), F.col(_AT) <= F.col(_MOMENT) + F.lit(length)]
    told = (
        spine.join(dealt, reduce(and_, [*met, *within]), "left")
        .groupBy(*same_task, _MOMENT, _DECISION, _COPIES)
        .agg(F.expr(label.value).cast("double").alias(name), F.max(_HIT).alias(_HIT))
    )
    is_nobody = reduce(or_, [F.col(key).isNull() for key in keys])
    value = F.when(F.col(_HIT), F.col(name)).otherwise(F.lit(events.without).cast("double"))
    copies = F.explode(F.sequence(F.lit(1).cast("long"), F.col(_COPIES)))
    return told.select(_DECISION, F.when(~is_nobody, value).alias(name), copies.alias(_COPIES)).select(
        f"{_DECISION}.*", name
    )


def _match_keys(decisions: "DataFrame", events: "DataFrame", entity: list[str]) -> "tuple[list[Column], list[Column]]":
    """The entity columns of both sides in one type; of whole numbers that is the widest, any other must be the same."""
    require_columns(decisions, entity, place=f"{PLACE}.entity")
    pairs: list[tuple[Column, Column]] = []
    for column in entity:
        ours, theirs = decisions.schema[column].dataType, events.schema[column].dataType
        if isinstance(ours, IntegralType) and isinstance(theirs, IntegralType):
            pairs.append((decisions[column].cast("long"), events[column].cast("long")))
        elif ours == theirs:
            pairs.append((decisions[column], events[column]))
        else:
            raise ConfigError(
                f"{PLACE}.entity: `{column}` is {ours.simpleString()} in dataset.from and {theirs.simpleString()} in "
                f"{PLACE}.from. Cast one of them, so that equal keys are equal."
            )
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _stretch(microseconds: "Column", length: int) -> "Column":
    """Where the stretch of time begins that an instant is in."""
    return microseconds - F.pmod(microseconds, F.lit(length))
