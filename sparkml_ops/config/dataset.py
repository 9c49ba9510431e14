"""`dataset`: one row per decision to learn from."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sparkml_ops.config.types import Duration, Identifier, Instant, Relation, Section, SqlText


class TimeSplit(Section):
    """Rows before `train_until` train, before `valid_until` tune, before `test_until` judge; later ones stay out."""

    by: Literal["time"]
    train_until: Instant
    valid_until: Instant
    test_until: Instant | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "TimeSplit":
        ends = [at for at in (self.train_until, self.valid_until, self.test_until) if at is not None]
        if ends != sorted(set(ends)):
            raise ValueError("train_until before valid_until before test_until")
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


class Dataset(Section):
    """What one decision is, what is to be learned of it, and from which features."""

    relation: Relation = Field(alias="from")
    where: SqlText | None = Field(default=None, description="only these rows are learned from")
    entity: list[Identifier] = Field(min_length=1, description="columns that features are looked up by")
    key: list[Identifier] = Field(default=[], description="entity columns that name a decision; all of them by default")
    timestamp: Identifier = Field(description="the moment the decision is made")
    label: SqlText
    label_matures_after: Duration = Field(default=timedelta(0), description="younger rows are not learned from")
    features: list[Identifier] = Field(min_length=1)
    derived: dict[Identifier, SqlText] = Field(default={}, description="features computed over the joined row")
    split: Split

    def key_columns(self) -> list[str]:
        """The columns that name one decision, and so one row of the current predictions."""
        return self.key or self.entity
