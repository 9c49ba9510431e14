"""`serving`: the newest features by entity, for applications that ask over HTTP."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from sparkml_ops.config.source_kinds import Secret
from sparkml_ops.config.types import Duration, Identifier, Section


class SqliteStore(Section):
    """One file on this machine, for one server and one publisher at a time."""

    kind: Literal["sqlite"]
    path: str | None = Field(
        default=None, min_length=1, description="the file; data/online/<use case>.sqlite of the project by default"
    )


class RedisStore(Section):
    """A Redis server, for many servers; it is written from the executors."""

    kind: Literal["redis"]
    url: Secret = Field(
        description="redis://host:6379/0, rediss:// for TLS; ${env:NAME} where it holds a password: never in a file"
    )


OnlineStore = Annotated[SqliteStore | RedisStore, Field(discriminator="kind")]


class Serving(Section):
    """What is published for applications, where to, and who may ask for it."""

    views: list[Identifier] | None = Field(
        default=None, min_length=1, description="the views that are published; those of the dataset by default"
    )
    store: OnlineStore = SqliteStore(kind="sqlite")
    horizon: Duration = Field(
        default=timedelta(days=1),
        description="changes of an entity's features that lie so far ahead are published too; more than between two publishings",
    )
    token: Secret | None = Field(
        default=None, description="${env:NAME}: never in a file; what an application sends as its bearer token"
    )
    max_batch: int = Field(default=1000, ge=1, le=100_000, description="look-ups that one request may ask for")
