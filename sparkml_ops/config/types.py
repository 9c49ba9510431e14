"""The building blocks of every section: strict, frozen, and typed with units."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

IDENTIFIER_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*([smhd])")


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values are never coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def parse_duration(value: object) -> object:
    """Turn `90s`, `15m`, `6h` or `7d` into a timedelta; leave the rest for pydantic to judge."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a number with a unit: 90s, 15m, 6h or 7d")
    try:
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ValueError("a duration below a million days") from error


def format_duration(duration: timedelta) -> str:
    """Write a duration with the largest unit that divides it: `6h`, never `21600s`."""
    seconds = int(duration.total_seconds())
    unit = next(u for u in "dhms" if seconds % _SECONDS[u] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def parse_instant(value: object) -> object:
    """Turn an ISO 8601 date or time into a UTC instant; without a zone it is meant as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError("an ISO 8601 date or time such as 2013-09-01") from error
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a time within the years 1 to 9999, in UTC too") from error
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError("an ISO 8601 date or time such as 2013-09-01")


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d+\s*[smhd]\s*$", "examples": ["90s", "15m", "6h", "7d"]}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant, json_schema_input_type=str),
    PlainSerializer(lambda at: at.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}", "examples": ["2013-09-01"]}),
]
Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN, max_length=64)]
SqlText = Annotated[str, Field(min_length=1)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
# YAML knows lists only; a strict tuple would refuse them.
Pair = Annotated[tuple[Number, Number], Field(strict=False)]
Triple = Annotated[tuple[Number, Number, Number], Field(strict=False)]


class Relation(Section):
    """Rows to start from: a table, a SQL query, or a Python function.

    Written as a bare name (`weather`), as a query (`select …`), or as `{sql: …}` / `{python: package.module:function}`.
    The function takes `read`, a callable from table name to DataFrame, and returns a DataFrame.
    """

    table: Identifier | None = None
    sql: SqlText | None = None
    python: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        is_query = re.match(r"\s*(select|with)\b", value, flags=re.IGNORECASE)
        return {"sql": value} if is_query else {"table": value}

    @model_validator(mode="after")
    def _exactly_one(self) -> "Relation":
        if sum(part is not None for part in (self.table, self.sql, self.python)) != 1:
            raise ValueError("one of: a table's name, {sql: …}, {python: package.module:function}")
        return self

    @property
    def kind(self) -> Literal["table", "sql", "python"]:
        """Which of the three forms this is."""
        if self.table is not None:
            return "table"
        return "sql" if self.sql is not None else "python"
