"""`sources`: where raw rows come from and the contract they must keep."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sparkml_ops.config.types import Duration, Identifier, Pair, Ratio, Section, SqlText

ColumnType = Annotated[
    str,
    Field(
        pattern=r"^(string|boolean|int|long|double|date|timestamp|decimal\((?:[1-9]|[12]\d|3[0-8]),(?:\d|[12]\d|3[0-8])\))$",
        description="string, boolean, int, long, double, date, timestamp or decimal(precision,scale)",
    ),
]

Severity = Literal["quarantine", "fail", "warn"]
Length = Annotated[int, Field(ge=0)]


class Column(Section):
    """One column of a contract."""

    type: ColumnType
    nullable: bool = Field(default=False, description="may be null; null is one of the source's null_values")
    between: Pair | None = Field(default=None, description="lowest and highest allowed, both included")
    allowed: list[str | int | float] | None = Field(default=None, alias="in", min_length=1)
    length: Annotated[tuple[Length, Length], Field(strict=False)] | None = Field(
        default=None, description="fewest and most characters, both included"
    )
    matches: str | None = Field(default=None, description="a regular expression that the whole raw text must match")
    format: str | None = Field(default=None, description="Spark datetime pattern of a date or timestamp column")
    on_violation: Severity | None = Field(
        default=None, description="for the rules of this column; the source's on_violation by default"
    )
    comment: str | None = Field(default=None, description="shown to SQL users")


class Expectation(Section):
    """A rule over a whole row, written as its SQL alone or as `{rule: …, on_violation: …}`."""

    rule: SqlText = Field(description="false violates, null does not")
    on_violation: Severity | None = Field(default=None, description="the source's on_violation by default")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"rule": value} if isinstance(value, str) else value


class Volume(Section):
    """How many rows a batch should have."""

    at_least: int = Field(default=1, ge=0, description="rows")
    changed_more_than: float | None = Field(
        default=None,
        gt=0,
        description="share by which the rows of a file may differ from the median of the last batches",
    )
    last_batches: int = Field(default=5, ge=1, le=100)
    on_violation: Literal["fail", "warn"] = "fail"


class Freshness(Section):
    """How old the newest row of a batch may be."""

    of: Identifier = Field(description="a timestamp column")
    within: Duration
    on_violation: Literal["fail", "warn"] = "fail"


class Source(Section):
    """One source of raw rows and its contract: what is not declared is not trusted."""

    path: str = Field(min_length=1, description="a file, folder or glob; ${variables} are allowed")
    format: Literal["csv", "json", "parquet"]
    mode: Literal["incremental", "snapshot", "merge"] = Field(
        default="incremental",
        description="incremental: only files not seen before; snapshot: replace the table; merge: upsert by key",
    )
    key: list[Identifier] = Field(min_length=1, description="columns that name a row; unique and never null")
    columns: dict[Identifier, Column] = Field(min_length=1)
    derive: dict[Identifier, SqlText] = Field(
        default={}, description="columns computed from the typed ones, in this order"
    )
    expect: list[Expectation] = Field(default=[], description="whole-row rules; false violates, null does not")
    on_violation: Severity = Field(
        default="quarantine",
        description="quarantine: the row; fail: the batch is refused whole; warn: the row is taken in, and counted",
    )
    max_violation_ratio: Ratio = Field(
        default=0.05, description="past this share of bad rows the batch is refused whole"
    )
    volume: Volume | None = Field(default=None, description="how many rows a batch should have")
    freshness: Freshness | None = Field(default=None, description="how old the newest row of a batch may be")
    new_columns: Literal["ignore", "add", "fail"] = Field(
        default="ignore", description="what to do with columns that the contract does not declare"
    )
    null_values: list[str] = Field(default=["", "NA"], description="raw texts that mean null")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="csv only")
    encoding: Literal["utf-8", "iso-8859-1"] = Field(default="utf-8", description="of csv and json files")
    description: str | None = None

    def column_names(self) -> list[str]:
        """Names of the clean table's columns, declared first, then derived."""
        return [*self.columns, *(name for name in self.derive if name not in self.columns)]
