"""`maintenance`: how long old versions of the tables stay readable, and how the tables are laid out."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from sparkml_ops.config.types import Duration, Identifier, Section

SHORTEST_KEEP = timedelta(days=7)
"""VACUUM's own limit: a step may read a version, or have files that are not committed yet, for so long."""


def _long_enough(keep: timedelta) -> timedelta:
    if keep < SHORTEST_KEEP:
        raise ValueError("7d or more, because running steps and readers need the files of the last week")
    return keep


class Maintenance(Section):
    """What `maintain` keeps whatever else it clears away."""

    keep: Annotated[Duration, AfterValidator(_long_enough)] = Field(
        default=SHORTEST_KEEP, description="every version of every table stays readable for so long; at least 7d"
    )
    keep_training_sets: int | None = Field(
        default=None,
        ge=1,
        description="the newest so many can be made again, and those of promoted models; all of them by default",
    )
    keep_batches: int = Field(default=10, ge=1, description="the newest so many published batches can be rolled back")
    cluster_by: dict[Identifier, Annotated[list[Identifier], Field(min_length=1, max_length=4)]] = Field(
        default={}, description="columns that queries of a table filter by: liquid clustering"
    )
