"""`exports`: where published predictions are brought to, for people and programs outside the lake."""

from typing import Annotated, Literal

from pydantic import Field

from sparkml_ops.config.source_kinds import Name, Secret
from sparkml_ops.config.types import Section


class DatabaseExport(Section):
    """A table of a database, which is kept as `predictions_current` is."""

    to: Literal["jdbc"]
    url: Name = Field(description="of the database: jdbc:postgresql://host:5432/warehouse")
    table: Name = Field(description="with its schema: scores.flights; it is made when it is not there")
    user: Name | None = None
    password: Secret | None = Field(default=None, description="${env:NAME}: never in a file")
    driver: Name | None = Field(default=None, description="class of the driver; PostgreSQL's is known")
    connections: int = Field(default=4, ge=1, le=200, description="connections that write at a time")
    send_rows: int = Field(default=10_000, ge=1, description="rows that are sent at a time")

    def table_name(self) -> tuple[str, ...]:
        """The parts of the table's name."""
        return tuple(self.table.split("."))


class FilesExport(Section):
    """A folder in which each export makes a folder of its own."""

    to: Literal["parquet", "csv"]
    path: Name = Field(description="the folder, or a storage URL that all workers reach")


Export = Annotated[DatabaseExport | FilesExport, Field(discriminator="to")]
