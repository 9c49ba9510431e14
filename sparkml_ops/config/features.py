"""`features`: declared feature views."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sparkml_ops.config.types import Duration, Identifier, Number, Relation, Section, SqlText, format_duration

Operation = Annotated[
    str,
    Field(
        pattern=r"^(count|sum|mean|std|min|max|p[1-9][0-9]?)$",
        description="count, sum, mean, std, min, max, or a percentile p1 … p99",
    ),
]


class Aggregate(Section):
    """Windowed aggregates of one expression, exact at every instant.

    A window of length w at the instant m holds the events with `m - w < timestamp <= m` that were known by m.
    """

    of: SqlText = Field(description="SQL expression over the event; null values are left out")
    name: Identifier | None = Field(
        default=None, description="stem of the column names; needed unless `of` is a column"
    )
    ops: list[Operation] = Field(min_length=1)
    windows: list[Duration] = Field(min_length=1)
    where: SqlText | None = Field(default=None, description="only events for which this holds")

    def column_name(self, operation: str, window: timedelta) -> str:
        """Name of one aggregate: `dep_delay_mean_6h`."""
        return f"{self.name or self.of}_{operation}_{format_duration(window)}"


class Impute(Section):
    """How a missing value is filled; fitted on the training rows only and stored with the model."""

    method: Literal["median", "mean", "most_frequent", "constant"] = Field(alias="with")
    value: Number | str | None = Field(default=None, description="the constant")
    flag: bool = Field(default=False, description="add a column <name>__missing of 0 and 1")


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
    ttl: Duration | None = Field(default=None, description="older than this is missing, not stale")
    impute: dict[Identifier, Impute] = Field(default={})
    description: str | None = None
    owner: str | None = None

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
        windowed = [a.column_name(op, window) for a in self.aggregates for op in a.ops for window in a.windows]
        return [*self.select, *windowed]

    def zero_when_missing(self) -> frozenset[str]:
        """The columns that are 0 where the view has no row: the counts, for nothing happened."""
        return frozenset(
            a.column_name(op, window) for a in self.aggregates for op in a.ops if op == "count" for window in a.windows
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
