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
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType

from sparkml_ops.config.dataset import AS_OF, NEWEST_EVENT, Dataset, EventLabel
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.events import from_microseconds, instant_microseconds
from sparkml_ops.features.expressions import expression_type, require_columns, require_instant
from sparkml_ops.lake import resolve_relation

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

    from sparkml_ops.lake import Lake

PLACE = "dataset.label"


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
    require_columns(rows, label.entity, place=f"{PLACE}.entity")
    require_instant(rows, label.timestamp, place=f"{PLACE}.timestamp")
    holds = F.coalesce(_holds(rows, label), F.lit(False))
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


def require_label_type(found: "DataType", sql: str, *, place: str) -> None:
    """Raise ConfigError unless a label is a boolean or a number."""
    if not isinstance(found, BooleanType | NumericType):
        raise ConfigError(
            f"{place}: `{sql}` is {found.simpleString()}; expected a boolean, or a number: 0 or 1, or of a regression any. "
            "For several classes take `model.task: multiclass`."
        )


def _holds(rows: "DataFrame", label: EventLabel) -> "Column":
    if label.where is None:
        return F.lit(True)
    found = expression_type(rows, label.where, place=f"{PLACE}.where")
    if not isinstance(found, BooleanType):
        raise ConfigError(f"{PLACE}.where: `{label.where}` is {found.simpleString()}; expected a boolean.")
    return F.expr(label.where)


def _known_until(rows: "DataFrame", label: EventLabel, as_of: datetime) -> "Column":
    """The instant as microseconds, an aggregate over the rows of the relation."""
    if label.complete_until == AS_OF:
        return F.lit(instant_microseconds(as_of))
    if label.complete_until == NEWEST_EVENT:
        at = F.unix_micros(F.col(label.timestamp).cast("timestamp"))
        # What is dated later is a mistake, or will come true: it does not say that anything before it was delivered.
        return F.max(F.when(at <= F.lit(instant_microseconds(as_of)), at))
    place = f"{PLACE}.complete_until"
    found = _aggregate(rows, label.complete_until, place=place).schema["value"].dataType.simpleString()
    if found not in {"timestamp", "timestamp_ntz", "date"}:
        raise ConfigError(f"{place}: `{label.complete_until}` is {found}; expected a timestamp or a date.")
    return F.unix_micros(F.expr(label.complete_until).cast("timestamp"))


def _value_of_nothing(rows: "DataFrame", label: EventLabel) -> float | None:
    place = f"{PLACE}.value"
    nothing = rows.sparkSession.createDataFrame([], rows.schema)
    value = _aggregate(nothing, label.value, place=place)
    require_label_type(value.schema["value"].dataType, label.value, place=place)
    try:
        found: float | None = value.select(F.col("value").cast("double")).collect()[0][0]
    except PySparkException as error:
        raise ConfigError(
            f"{place}: `{label.value}` cannot be computed for a decision without an event ({error.getCondition()}). "
            "Say what holds there: try_divide(…), coalesce(…)."
        ) from error
    return found


def _aggregate(rows: "DataFrame", sql: str, *, place: str) -> "DataFrame":
    try:
        return rows.agg(F.expr(sql).alias("value"))
    except AnalysisException as error:
        reason = str(error).strip().splitlines()[0].split(" SQLSTATE")[0].rstrip(".;")
        raise ConfigError(
            f"{place}: `{sql}` is no aggregate over the events: {reason}. The columns there are: {', '.join(rows.columns)}."
        ) from error


def describe_events(events: LabelEvents) -> dict[str, Any]:
    """What the ledger notes about them."""
    until = None if events.known_until is None else events.known_until.isoformat()
    return {"label_events": events.counted, "label_events_left_out": events.left_out, "label_events_known_until": until}


def summarise_events(events: LabelEvents) -> str:
    """The same as a sentence, with a space before it, to follow a message."""
    until = "never" if events.known_until is None else f"known until {events.known_until.isoformat()}"
    return f" Labels are told by {events.counted} events ({events.left_out} more lack a key or a timestamp), {until}."
