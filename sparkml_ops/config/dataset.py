"""`dataset`: one row per decision to learn from."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from sparkml_ops.config.features import Impute
from sparkml_ops.config.types import Duration, Identifier, Instant, Relation, Section, SqlText, format_duration

NEWEST_EVENT, AS_OF = "newest event", "as_of"
"""What `label.complete_until` may say instead of SQL."""


class TimeSplit(Section):
    """Rows before `train_until` train, before `valid_until` tune, before `test_until` judge; later ones stay out."""

    by: Literal["time"]
    train_until: Instant
    valid_until: Instant
    test_until: Instant | None = None
    embargo: Duration = Field(
        default=timedelta(0), description="rows less than this before train_until or valid_until are left out"
    )
    groups: list[Identifier] = Field(
        default=[], description="entity columns; a part has no group of them that an earlier part has"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "TimeSplit":
        ends = [at for at in (self.train_until, self.valid_until, self.test_until) if at is not None]
        if ends != sorted(set(ends)):
            raise ValueError("train_until before valid_until before test_until")
        if self.embargo >= self.valid_until - self.train_until:
            raise ValueError("an embargo shorter than from train_until to valid_until, or no row is left to tune on")
        return self


class HashSplit(Section):
    """Rows are dealt by a stable hash of some entity columns, so that added rows move nobody."""

    by: Literal["hash"]
    of: list[Identifier] = Field(min_length=1, description="entity columns that stay together")
    train: float = Field(default=0.7, gt=0, lt=1)
    valid: float = Field(default=0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _leaves_a_test_part(self) -> "HashSplit":
        if self.train + self.valid >= 1:
            raise ValueError("train + valid below 1, so that rows are left to judge on")
        return self


Split = Annotated[TimeSplit | HashSplit, Field(discriminator="by")]


class EventLabel(Section):
    """A label that events tell which come after the decision: those with moment < timestamp <= moment + within."""

    relation: Relation = Field(alias="from")
    where: SqlText | None = Field(default=None, description="only events for which this holds")
    entity: list[Identifier] = Field(
        min_length=1, description="entity columns of the dataset that an event has as well"
    )
    timestamp: Identifier = Field(description="when the event happened")
    within: Duration = Field(description="how long after the decision an event still counts")
    value: SqlText = Field(description="SQL aggregate over a decision's events, such as count(*) > 0")
    available_after: Duration = Field(default=timedelta(0), description="an event is in the table at timestamp + this")
    complete_until: SqlText = Field(
        default=NEWEST_EVENT,
        description="until when the table has all that was known: newest event, as_of, or an SQL aggregate over it",
    )

    @field_validator("within")
    @classmethod
    def _has_length(cls, within: timedelta) -> timedelta:
        if not within:
            raise ValueError("a duration above 0")
        return within


def _tell_form(label: Any) -> str:
    return "sql" if isinstance(label, str) else "events"


Label = Annotated[
    Annotated[SqlText, Tag("sql")] | Annotated[EventLabel, Tag("events")],
    Discriminator(_tell_form),
]


class Dataset(Section):
    """What one decision is, what is to be learned of it, and from which features."""

    relation: Relation = Field(alias="from")
    where: SqlText | None = Field(default=None, description="only these rows are learned from")
    entity: list[Identifier] = Field(min_length=1, description="columns that features are looked up by")
    key: list[Identifier] = Field(default=[], description="entity columns that name a decision; all of them by default")
    timestamp: Identifier = Field(description="the moment the decision is made")
    label: Label = Field(description="SQL over the row, or a section that says which events tell it")
    label_matures_after: Duration = Field(default=timedelta(0), description="younger rows are not learned from")
    features: list[Identifier] = Field(min_length=1)
    derived: dict[Identifier, SqlText] = Field(default={}, description="features computed over the joined row")
    leave_out: list[Identifier] = Field(
        default=[], description="looked-up or derived columns that `derived` needs, and that are no features themselves"
    )
    impute: dict[Identifier, Impute] = Field(
        default={}, description="how missing values of derived columns are filled; those of views say it there"
    )
    split: Split

    def key_columns(self) -> list[str]:
        """The columns that name one decision, and so one row of the current predictions."""
        return self.key or self.entity

    def label_delay(self) -> timedelta:
        """How long after its moment the label of a decision is settled, and known."""
        if isinstance(self.label, EventLabel):
            return self.label.within + self.label.available_after
        return self.label_matures_after

    def relations(self) -> list[Relation]:
        """What decisions and their labels are read from."""
        return [self.relation, *([self.label.relation] if isinstance(self.label, EventLabel) else [])]

    def describe_label(self) -> str:
        """What the label says, in words."""
        if not isinstance(self.label, EventLabel):
            return " ".join(self.label.split())
        relation = self.label.relation
        events = relation.table or relation.python or "a query"
        value, within = " ".join(self.label.value.split()), format_duration(self.label.within)
        return f"{value} over the events of {events} in the {within} after {self.timestamp}"
