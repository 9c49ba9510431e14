"""`sources`: where raw rows come from and the contract they must keep."""

from typing import Annotated, Literal

from pydantic import Field

from sparkml_ops.config.types import Identifier, Pair, Ratio, Section, SqlText

ColumnType = Annotated[
    str,
    Field(
        pattern=r"^(string|boolean|int|long|double|date|timestamp|decimal\((?:[1-9]|[12]\d|3[0-8]),(?:\d|[12]\d|3[0-8])\))$",
        description="string, boolean, int, long, double, date, timestamp or decimal(precision,scale)",
    ),
]


class Column(Section):
    """One column of a contract."""

    type: ColumnType
    nullable: bool = Field(default=False, description="may be null; null is one of the source's null_values")
    between: Pair | None = Field(default=None, description="lowest and highest allowed, both included")
    allowed: list[str | int | float] | None = Field(default=None, alias="in", min_length=1)
    matches: str | None = Field(default=None, description="a regular expression that the whole raw text must match")
    format: str | None = Field(default=None, description="Spark datetime pattern of a date or timestamp column")
    comment: str | None = Field(default=None, description="shown to SQL users")


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
    expect: list[SqlText] = Field(default=[], description="whole-row rules; false violates, null does not")
    on_violation: Literal["quarantine", "fail", "warn"] = "quarantine"
    max_violation_ratio: Ratio = Field(
        default=0.05, description="past this share of bad rows the batch is refused whole"
    )
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
