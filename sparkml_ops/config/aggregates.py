"""`aggregate`: figures over windows of an entity's events, and the names of the columns that hold them."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from sparkml_ops.config.types import Duration, Identifier, Number, Section, SqlText, format_duration

Accuracy = Literal["temporal", "snapshot"]
DAY = timedelta(days=1)
COUNTS = frozenset({"count", "count_distinct", "approx_count_distinct"})
"""What is 0 where nothing happened; every other operation is null there."""
SKETCH_ERRORS = {
    "approx_count_distinct": "standard error 1.6 %, below 5 % in 997 of 1000 figures",
    "approx_p": "each of the neighbours that it lies between within 1 % of its own size",
}
"""How far a sketch may be off, by the beginning of its name."""

Operation = Annotated[
    str,
    Field(
        pattern=r"^(count|count_distinct|sum|mean|std|min|max|first|last|last_[1-9][0-9]?|most_frequent"
        r"|p[1-9][0-9]?|approx_count_distinct|approx_p[1-9][0-9]?)$",
        description="count, count_distinct, sum, mean, std, min, max, first, last, last_1 … last_99 (so many of the "
        "last values, newest first), most_frequent, a percentile p1 … p99; in snapshot views also "
        "approx_count_distinct and approx_p1 … approx_p99",
        examples=[
            "count", "count_distinct", "sum", "mean", "std", "min", "max", "first", "last", "last_3", "most_frequent",
            "p50", "p90", "approx_count_distinct", "approx_p50",
        ],
    ),
]  # fmt: skip
BucketValue = bool | int | Number | str


@dataclass(frozen=True)
class AggregateColumn:
    """One column of an aggregate.

    Attributes:
        name: its name.
        operation: one of `Operation`.
        window: length of the window.
        bucket: which of the values of `by` it is for, counted from 0; None without `by`.
    """

    name: str
    operation: str
    window: timedelta
    bucket: int | None


class Aggregate(Section):
    """Windowed aggregates of one expression: exact at every instant, or as of each UTC midnight."""

    of: SqlText = Field(description="SQL expression over the event; null values and NaN do not count")
    name: Identifier | None = Field(
        default=None, description="stem of the column names; needed unless `of` is a column"
    )
    ops: list[Operation] = Field(min_length=1)
    windows: list[Duration] = Field(min_length=1)
    where: SqlText | None = Field(default=None, description="only events for which this holds")
    by: dict[Identifier, Annotated[list[BucketValue], Field(min_length=1)]] | None = Field(
        default=None,
        description="a column and some of its values: each value gets figures of its own events",
        json_schema_extra={"minProperties": 1, "maxProperties": 1},
    )

    @field_validator("by")
    @classmethod
    def _one_column(cls, by: dict[str, list[BucketValue]] | None) -> dict[str, list[BucketValue]] | None:
        if by is not None and len(by) != 1:
            raise ValueError("one column and some of its values")
        return by

    @property
    def by_column(self) -> str | None:
        """The column of `by`."""
        return next(iter(self.by)) if self.by else None

    @property
    def by_values(self) -> list[BucketValue]:
        """The values of `by`."""
        return next(iter(self.by.values())) if self.by else []

    def columns(self) -> Iterator[AggregateColumn]:
        """Its columns, in order: by operation, then by value, then by window."""
        buckets: list[int | None] = list(range(len(self.by_values))) if self.by else [None]
        for operation in self.ops:
            for bucket in buckets:
                for window in self.windows:
                    yield AggregateColumn(self._name_column(operation, bucket, window), operation, window, bucket)

    def _name_column(self, operation: str, bucket: int | None, window: timedelta) -> str:
        """Name of one column: `dep_delay_mean_6h`, or `amount_sum_web_7d` for a value of `by`."""
        value = [] if bucket is None else [name_value(self.by_values[bucket])]
        return "_".join([self.name or self.of, operation, *value, format_duration(window)])


def name_value(value: BucketValue) -> str:
    """A value as a part of a column's name: letters, digits and _ alone.

    >>> name_value("Web shop"), name_value(-1.5), name_value(True), name_value("Köln"), name_value("東")
    ('Web_shop', 'minus_1_5', 'true', 'Koln', 'u6771')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return (
            re.sub(r"\W+", "_", str(value)).replace("_", "minus_", 1) if value < 0 else re.sub(r"\W+", "_", str(value))
        )
    letters = unicodedata.normalize("NFKD", value)
    ascii_alone = "".join(
        letter if letter.isascii() else f"u{ord(letter):x}" for letter in letters if not unicodedata.combining(letter)
    )
    return re.sub(r"\W+", "_", ascii_alone).strip("_") or ("blank" if value else "empty")


def is_sketch(operation: str) -> bool:
    """Whether an operation is an approximation in bounded memory."""
    return operation.startswith("approx_")


def describe_operation(operation: str) -> str:
    """An operation in the words of a column's comment."""
    error = next((text for name, text in SKETCH_ERRORS.items() if operation.startswith(name)), None)
    newest = f"the last {operation[5:]} values, newest first," if re.fullmatch(r"last_\d+", operation) else operation
    return f"{operation} ({error})" if error else newest
