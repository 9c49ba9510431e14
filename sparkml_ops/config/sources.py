"""`sources`: where raw rows come from and the contract they must keep."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sparkml_ops.config.source_kinds import DeltaSource, Jdbc, PythonSource
from sparkml_ops.config.sql import read_expression
from sparkml_ops.config.types import Duration, Identifier, Pair, Ratio, Section, SqlText

ColumnType = Annotated[
    str,
    Field(
        pattern=r"^(string|boolean|int|long|double|date|timestamp|decimal\((?:[1-9]|[12]\d|3[0-8]),(?:\d|[12]\d|3[0-8])\))$",
        description="string, boolean, int, long, double, date, timestamp or decimal(precision,scale)",
    ),
]

Severity = Literal["quarantine", "fail", "warn"]
HISTORY_COLUMNS = ("valid_from", "valid_to")
"""Columns that a clean table has beside those of its contract where it keeps every version of a row."""
Length = Annotated[int, Field(ge=0)]


_WITH_COLUMNS = {"csv", "parquet", "delta"}  # a row of others has what it has


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
    references: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        default=None,
        description="a column of another source, such as customers.customer_id: each value that is not null must be in it",
    )
    pii: bool = Field(
        default=False,
        description="personal data: its values reach no log, message, profile or statistics of the table",
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


class Skew(Section):
    """How many rows of a batch may share one value of a column, such as a default that flooded it."""

    of: list[Identifier] = Field(min_length=1, description="columns, each looked at alone; nulls do not count")
    at_most: Ratio = Field(description="share of the rows that may have the most frequent value")
    on_violation: Literal["fail", "warn"] = "fail"


class Merge(Section):
    """How changes of rows are told apart. A change holds the whole row; one that is older than what is known changes nothing."""

    order_by: list[Identifier] = Field(
        min_length=1, description="columns; of two changes of a key the later by these holds, whichever came first"
    )
    deleted_when: SqlText | None = Field(
        default=None, description="true of a change that says that the key is gone; it needs no more than key and order"
    )
    history: bool = Field(
        default=False,
        description="keep every version of a row, from valid_from (the first column of order_by) until before valid_to",
    )
    future_tolerance: Duration = Field(
        default=timedelta(
            days=1
        ),  # more than any zone that was taken for UTC; less would refuse what a clock only told wrongly
        description="a change that is further ahead of its batch goes to quarantine; for dates and timestamps in order_by",
    )


class Source(Section):
    """One source of raw rows and its contract: what is not declared is not trusted."""

    path: str = Field(
        min_length=1,
        description="a file, folder or glob; jdbc: a database's URL; delta: a folder or catalog.schema.table; "
        "python: package.module:function. ${variables} are allowed",
    )
    format: Literal["csv", "json", "parquet", "jdbc", "delta", "python"]
    mode: Literal["incremental", "snapshot", "merge"] = Field(
        default="incremental",
        description="incremental: only files not seen before; snapshot: replace the table; merge: upsert by key",
    )
    merge: Merge | None = Field(
        default=None,
        description="for mode merge: which of two rows of a key holds; without it the batch that came last",
    )
    contract: str | None = Field(
        default=None,
        description="a file in Open Data Contract Standard v3 that says columns, key and rules; what is said here goes before it",
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
    skew: Skew | None = Field(default=None, description="how many rows of a batch may share one value")
    new_columns: Literal["ignore", "add", "fail"] | None = Field(
        default=None,
        description="what to do with columns that the contract does not declare; by default fail, where files say what columns they have "
        "(csv, parquet, delta), and ignore elsewhere",
    )
    null_values: list[str] = Field(default=["", "NA"], description="raw texts that mean null")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="csv only")
    encoding: Literal["utf-8", "utf-16", "iso-8859-1", "windows-1252"] = Field(
        default="utf-8", description="of csv and json files"
    )
    multiline: bool = Field(
        default=False,
        description="csv: quoted values may have line breaks in them; json: a file is objects over several lines, or an array of them",
    )
    partition_columns: list[Identifier] = Field(
        default=[], description="declared columns that the path tells instead of the files: …/day=2026-01-01/part.csv"
    )
    description: str | None = None
    jdbc: Jdbc | None = Field(default=None, description="jdbc only")
    delta: DeltaSource | None = Field(default=None, description="delta only")
    python: PythonSource | None = Field(default=None, description="python only")

    @property
    def on_new_columns(self) -> Literal["ignore", "add", "fail"]:
        """What to do with columns that the contract does not declare."""
        return self.new_columns or ("fail" if self.format in _WITH_COLUMNS else "ignore")

    def column_names(self) -> list[str]:
        """Names of the contract's columns in the clean table, declared first, then derived."""
        return [*self.columns, *(name for name in self.derive if name not in self.columns)]

    def personal_columns(self) -> frozenset[str]:
        """Names of the columns with personal data: those declared `pii`, and what is derived from them."""
        personal = {name for name, rule in self.columns.items() if rule.pii}
        for name, sql in self.derive.items() if personal else ():
            read = {column.lower() for column in read_expression(sql).columns}
            if any(known.lower() in read for known in personal):
                personal.add(name)
        return frozenset(personal)

    def referred_sources(self) -> frozenset[str]:
        """Names of the sources that `references` of its columns name."""
        return frozenset(
            rule.references.partition(".")[0] for rule in self.columns.values() if rule.references is not None
        )

    def history_columns(self) -> tuple[str, ...]:
        """Names of the columns that the clean table has beside those; none where no history is kept."""
        return HISTORY_COLUMNS if self.merge is not None and self.merge.history else ()


def order_sources(sources: Mapping[str, Source]) -> dict[str, Source]:
    """The sources in their order, but each after those that its `references` name; a circle is left as it is written."""
    ordered: dict[str, Source] = {}

    def put(name: str, above: tuple[str, ...]) -> None:
        if name in ordered or name in above or name not in sources:
            return
        for other in sorted(sources[name].referred_sources()):
            put(other, (*above, name))
        ordered[name] = sources[name]

    for name in sources:
        put(name, ())
    return ordered
