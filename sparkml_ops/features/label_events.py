"""Labels that events tell which come after the decision.

::

    decision             window of its events: moment < timestamp <= moment + within           settled
    ───┼──────────────────────────────────────────────────────────────────┤──────────────────────┤──▶
     moment                                                       moment + within      + available_after

* Every row of the relation for which `where` holds is an event; two equal rows are two. One that has a null in an
  entity column, or no timestamp, tells nothing about anybody: it is left out and counted.
* An event at the moment itself is not after it and does not count; one at `moment + within` does. A date is its
  midnight, UTC.
* `value` is an aggregate over the events of one decision. Without an event it is what the aggregate gives over no rows:
  `count(*)` is 0, and so `count(*) > 0` is false; `max(x)` is null, and so there is no label.
* A decision with a null in one of those entity columns has no label: nobody could know its events.
* A decision stays one row however many events it has, and two equal decisions stay two.
* `complete_until` says until when the table has everything that could be known by then. No label that is settled later
  is mature. `newest event`, the default, is the newest timestamp in the table that is not after `as_of`, of any event,
  also one for which `where` does not hold: as long as nothing newer has come, nobody knows whether nothing happened or
  nothing was delivered. Where events are rare and the delivery is known, `max(_ingested_at)` is nearer to the truth;
  `as_of` trusts the table to have everything at any time.

Decisions and events meet in one shuffle of each, by the entity and by a stretch of time as long as `within`: the events
of a decision are in its own stretch or the next. So an entity with a long history is the work of many tasks, and a
decision is held only against events that are less than two windows away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, IntegralType, NumericType

from sparkml_ops.config.dataset import AS_OF, NEWEST_EVENT, Dataset, EventLabel
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.events import from_microseconds, instant_microseconds, to_microseconds
from sparkml_ops.features.expressions import compile_expression, require_columns, require_instant
from sparkml_ops.lake import resolve_relation

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

    from sparkml_ops.lake import Lake

_PLACE = "dataset.label"
_DECISION, _COPIES, _MOMENT, _STRETCH, _HIT, _AT = "__decision", "__copies", "__moment", "__stretch", "__hit", "__at"


@dataclass(frozen=True)
class LabelEvents:
    """The events that labels are told by, at one version of every table.

    Attributes:
        rows: the events that count, with the columns of their relation.
        inputs: versions of the tables they were read from, by table name.
        known_until: what could be known by then is in the table; None when it has no event at all.
        counted: how many events count.
        left_out: how many do not, because an entity column or the timestamp is null.
        without: label of a decision that has no event; None where that is no label.
    """

    rows: "DataFrame"
    inputs: dict[str, int]
    known_until: datetime | None
    counted: int
    left_out: int
    without: float | None


def open_label_events(
    dataset: Dataset, lake: "Lake", *, as_of: datetime, versions: Mapping[str, int] | None = None
) -> LabelEvents | None:
    """The events that tell the dataset's label, looked through once; None where its own rows tell it.

    Args:
        dataset: the dataset.
        lake: where the tables are.
        as_of: the instant as of which labels must have matured.
        versions: versions to read tables at; the newest for those that are not named.

    Raises:
        ConfigError: a column is missing, or an expression cannot be computed.
        TableNotFoundError: a table or a version is not there.
    """
    if isinstance(dataset.label, str):
        return None
    rows, inputs = resolve_relation(lake, dataset.label.relation, versions=versions)
    return read_label_events(rows, dataset.label, as_of=as_of, inputs=inputs)


def read_label_events(
    rows: "DataFrame", label: EventLabel, *, as_of: datetime, inputs: Mapping[str, int] | None = None
) -> LabelEvents:
    """As `open_label_events`, of rows that are there already."""
    require_columns(rows, label.entity, place=f"{_PLACE}.entity")
    require_instant(rows, label.timestamp, place=f"{_PLACE}.timestamp")
    holds = F.lit(True) if label.where is None else compile_expression(rows, label.where, place=f"{_PLACE}.where")
    holds = F.coalesce(holds, F.lit(False))
    is_mute = reduce(or_, [F.col(column).isNull() for column in [*label.entity, label.timestamp]])
    found = rows.agg(
        _known_until(rows, label, as_of).alias("known_until"),
        F.count_if(holds & ~is_mute).alias("counted"),
        F.count_if(holds & is_mute).alias("left_out"),
    ).collect()[0]
    return LabelEvents(
        rows=rows.filter(holds & ~is_mute),
        inputs=dict(inputs or {}),
        known_until=None if found["known_until"] is None else from_microseconds(found["known_until"]),
        counted=found["counted"],
        left_out=found["left_out"],
        without=_value_of_nothing(rows, label),
    )


def label_by_events(
    decisions: "DataFrame", label: EventLabel, events: LabelEvents, *, moment: str, name: str
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


def require_label_type(found: "DataType", sql: str, *, place: str) -> None:
    """Raise ConfigError unless a label is a boolean or a number."""
    if not isinstance(found, BooleanType | NumericType):
        raise ConfigError(
            f"{place}: `{sql}` is {found.simpleString()}; expected a boolean, or a number that is 0 or 1."
        )


def _known_until(rows: "DataFrame", label: EventLabel, as_of: datetime) -> "Column":
    """The instant as microseconds, an aggregate over the rows of the relation."""
    if label.complete_until == AS_OF:
        return F.lit(instant_microseconds(as_of))
    if label.complete_until == NEWEST_EVENT:
        at = F.unix_micros(F.col(label.timestamp).cast("timestamp"))
        # What is dated later is a mistake, or will come true: it does not say that anything before it was delivered.
        return F.max(F.when(at <= F.lit(instant_microseconds(as_of)), at))
    place = f"{_PLACE}.complete_until"
    found = _aggregate(rows, label.complete_until, place=place).schema["value"].dataType.simpleString()
    if found not in {"timestamp", "timestamp_ntz", "date"}:
        raise ConfigError(f"{place}: `{label.complete_until}` is {found}; expected a timestamp or a date.")
    return F.unix_micros(F.expr(label.complete_until).cast("timestamp"))


def _value_of_nothing(rows: "DataFrame", label: EventLabel) -> float | None:
    place = f"{_PLACE}.value"
    nothing = rows.sparkSession.createDataFrame([], rows.schema)
    value = _aggregate(nothing, label.value, place=place)
    require_label_type(value.schema["value"].dataType, label.value, place=place)
    found: float | None = value.select(F.col("value").cast("double")).collect()[0][0]
    return found


def _aggregate(rows: "DataFrame", sql: str, *, place: str) -> "DataFrame":
    try:
        return rows.agg(F.expr(sql).alias("value"))
    except AnalysisException as error:
        reason = str(error).strip().splitlines()[0].split(" SQLSTATE")[0].rstrip(".;")
        raise ConfigError(
            f"{place}: `{sql}` is no aggregate over the events: {reason}. The columns there are: {', '.join(rows.columns)}."
        ) from error


def _match_keys(decisions: "DataFrame", events: "DataFrame", entity: list[str]) -> "tuple[list[Column], list[Column]]":
    """The entity columns of both sides in one type; of whole numbers that is the widest, any other must be the same."""
    require_columns(decisions, entity, place=f"{_PLACE}.entity")
    pairs: list[tuple[Column, Column]] = []
    for column in entity:
        ours, theirs = decisions.schema[column].dataType, events.schema[column].dataType
        if isinstance(ours, IntegralType) and isinstance(theirs, IntegralType):
            pairs.append((decisions[column].cast("long"), events[column].cast("long")))
        elif ours == theirs:
            pairs.append((decisions[column], events[column]))
        else:
            raise ConfigError(
                f"{_PLACE}.entity: `{column}` is {ours.simpleString()} in dataset.from and {theirs.simpleString()} in "
                f"{_PLACE}.from. Cast one of them, so that equal keys are equal."
            )
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _stretch(microseconds: "Column", length: int) -> "Column":
    """Where the stretch of time begins that an instant is in."""
    return microseconds - F.pmod(microseconds, F.lit(length))


def describe_events(events: LabelEvents) -> dict[str, Any]:
    """What the ledger notes about them."""
    until = None if events.known_until is None else events.known_until.isoformat()
    return {"label_events": events.counted, "label_events_left_out": events.left_out, "label_events_known_until": until}


def summarise_events(events: LabelEvents) -> str:
    """The same as a sentence, with a space before it, to follow a message."""
    until = "never" if events.known_until is None else f"known until {events.known_until.isoformat()}"
    return f" Labels are told by {events.counted} events ({events.left_out} more lack a key or a timestamp), {until}."
