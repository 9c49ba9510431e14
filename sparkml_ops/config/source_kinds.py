"""Sections of a source that is no folder of files: a database, a Delta table, a Python reader."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, WithJsonSchema, model_validator

from sparkml_ops.config.types import Duration, Section, SqlText

Secret = Annotated[SecretStr, WithJsonSchema({"type": "string", "format": "password", "writeOnly": True})]
"""A text that is never shown: not by repr, not in a dump, so in no hash, log or ledger."""

PythonName = Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
Name = Annotated[str, Field(min_length=1)]


class Jdbc(Section):
    """What is read from the database whose URL is the source's path."""

    table: Name | None = Field(default=None, description="a table or view, with its schema: public.orders")
    query: SqlText | None = Field(default=None, description="a SELECT in the database's own SQL, instead of a table")
    user: Name | None = None
    password: Secret | None = Field(default=None, description="${env:NAME}: never in a file")
    driver: Name | None = Field(default=None, description="class of the driver; PostgreSQL's is known")
    high_water: Name | None = Field(
        default=None,
        description="a column that grows with each insert and update: a timestamp, a date or a number without fraction",
    )
    lag: Duration = Field(
        default=timedelta(minutes=5),
        description="rows younger than this wait for a later batch; longer than any transaction that writes the table",
    )
    partition_by: Name | None = Field(default=None, description="a whole number to read side by side by")
    partitions: int = Field(default=1, ge=1, le=200, description="connections at a time")
    fetch_rows: int = Field(default=10_000, ge=1, description="rows that one answer of the database brings")

    @model_validator(mode="after")
    def _one_relation(self) -> "Jdbc":
        if (self.table is None) == (self.query is None):
            raise ValueError("one of: table, query")
        return self


class DeltaSource(Section):
    """How the Delta table at the source's path is read."""

    version: int | None = Field(default=None, ge=0, description="a version to stay at; the newest by default")
    changes: bool = Field(
        default=False,
        description="rows that were changed or removed too, with change_type, commit_version and commit_timestamp",
    )


class PythonSource(Section):
    """How the function that is the source's path is called."""

    pieces: PythonName = Field(
        description="package.module:function that takes `spark` and lists the names of what there is; each is read once"
    )
