"""Which records of a store change with a publishing, found in Spark: the table's own versions say it.

What a store holds is a function of the version, the instant and the horizon that it was published by. So the records of the old
version and of the new one, both as of the new instant, differ for the entities that changed, and for no others. Where the rows
have not changed at all, only those can differ of which a row has come within the horizon, and nothing else is read.
"""

from typing import TYPE_CHECKING

from sparkml_ops.lake import read_table
from sparkml_ops.serving.publication import Publication
from sparkml_ops.serving.records import CONTENT, KEY, make_records, visible_between

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.lake import Lake


def find_all_records(lake: "Lake", target: Publication) -> "DataFrame":
    """Every record of a publication: `__key` and `__content`."""
    rows = read_table(lake, target.table, version=target.version)
    return make_records(rows, target, at=target.published_at, through=target.through).select(KEY, CONTENT)


def find_changes(lake: "Lake", before: Publication, target: Publication) -> "DataFrame":
    """The records that differ between two publications of the same columns: `__key` and `__content`, null where it is to go.

    Raises:
        TableNotFoundError: one of the two versions is gone.
    """
    rows = read_table(lake, target.table, version=target.version)
    if before.rows_version == target.rows_version and before.through <= target.through:
        coming = rows.filter(visible_between(before.through, target.through)).select(*_names(target)).distinct()
        touched = rows.join(coming, on=_names(target), how="left_semi")
        return make_records(touched, target, at=target.published_at, through=target.through).select(KEY, CONTENT)
    from pyspark.sql import functions as F

    earlier = read_table(lake, before.table, version=before.version)
    old = make_records(earlier, before, at=target.published_at, through=before.through).alias("old")
    new = make_records(rows, target, at=target.published_at, through=target.through).alias("new")
    both = new.join(old, on=_names(target), how="full_outer")
    ours, theirs = F.col(f"new.{CONTENT}"), F.col(f"old.{CONTENT}")
    return both.filter(~ours.eqNullSafe(theirs)).select(
        F.coalesce(f"new.{KEY}", f"old.{KEY}").alias(KEY), ours.alias(CONTENT)
    )


def _names(publication: Publication) -> list[str]:
    return [column.name for column in publication.entity]
