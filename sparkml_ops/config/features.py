"""`features`: declared feature views."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from sparkml_ops.config.aggregates import COUNTS, Accuracy, Aggregate
from sparkml_ops.config.types import Duration, Identifier, Number, Relation, Section, SqlText


class Impute(Section):
    """How a missing value is filled; fitted on the training rows only and stored with the model."""

    method: Literal["median", "mean", "most_frequent", "constant", "none"] = Field(
        alias="with", description="none leaves the value missing, for a flag beside it"
    )
    value: Number | str | None = Field(default=None, description="the constant")
    flag: bool = Field(default=False, description="add a column <name>__missing of 0 and 1")


class FeatureColumn(Section):
    """What a column of a view means, and who answers for it."""

    description: str | None = Field(default=None, description="what the value says, and its unit")
    owner: str | None = Field(default=None, description="who answers for it, where that is not the view's owner")


class FeatureView(Section):
    """One feature view: columns known about an entity as time goes by."""

    entity: list[Identifier] = Field(min_length=1)
    timestamp: Identifier | None = Field(default=None, description="when it was true; without it the view is timeless")
    available_after: Duration = Field(default=timedelta(0), description="when it could be known: timestamp + this")
    known_at: Identifier | None = Field(
        default=None, description="column with the instant at which it was known, instead of available_after"
    )
    relation: Relation = Field(alias="from")
    where: SqlText | None = None
    select: dict[Identifier, SqlText] = Field(default={})
    aggregates: list[Aggregate] = Field(default=[], alias="aggregate")
    accuracy: Accuracy = Field(
        default="temporal", description="windows that slide with every instant, or are as of the last UTC midnight"
    )
    derive: dict[Identifier, SqlText] = Field(
        default={}, description="SQL over the view's aggregates; null where it divides by zero"
    )
    ttl: Duration | None = Field(default=None, description="older than this is missing, not stale")
    impute: dict[Identifier, Impute] = Field(default={})
    description: str | None = None
    owner: str | None = None
    columns: dict[Identifier, FeatureColumn] = Field(
        default={}, description="what single columns of the view mean, by their names"
    )

    @model_validator(mode="after")
    def _select_or_aggregate(self) -> "FeatureView":
        if bool(self.select) == bool(self.aggregates):
            raise ValueError("either select or aggregate, not both and not neither")
        if self.aggregates and self.timestamp is None:
            raise ValueError("a timestamp, because aggregate works over windows of time")
        if self.known_at is not None and (self.timestamp is None or self.available_after):
            raise ValueError("known_at or available_after, not both, and a timestamp beside it")
        return self

    def column_names(self) -> list[str]:
        """The view's feature columns, in order, without the view's prefix."""
        return [*self.select, *(column.name for each in self.aggregates for column in each.columns()), *self.derive]

    def zero_when_missing(self) -> frozenset[str]:
        """The columns that are 0 where the view has no row: the counts, for nothing happened."""
        return frozenset(
            column.name for each in self.aggregates for column in each.columns() if column.operation in COUNTS
        )

    def time_to_live(self) -> timedelta | None:
        """Age past which a row says nothing.

        For aggregates this is the longest window: once it has passed without an event, every window is empty, which is
        what a missing row means too. So cutting there is exact.
        """
        if self.aggregates:
            return max(window for aggregate in self.aggregates for window in aggregate.windows)
        return self.ttl


def feature_name(view: str, column: str) -> str:
    """Name of a view's column in a training row: `origin_weather__temp`."""
    return f"{view}__{column}"
