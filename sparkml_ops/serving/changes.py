"""Which records of a store change with a publishing, found in Spark: the table's own versions say it.

What a store holds is a function of the version, the instant and the horizon that it was published by. So the records of the old
version and of the new one, both as of the new instant, differ for the entities that changed, and for no others. Where the rows
have not changed at all, only those can differ of which a row has come within the horizon, and nothing else is read.
"""

from typing import TYPE_CHECKING

from sparkml_ops.lake import read_table
from sparkml_ops.serving.keys import key_column
from sparkml_ops.serving.publication import Publication
from sparkml_ops.serving.records import CONTENT, KEY, join_lines, list_lines, make_records, visible_between

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.lake import Lake

_IS_NEW, _OLD = "__is_new", "__old"


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
    old = list_lines(earlier, before, at=target.published_at, through=before.through)
    new = list_lines(rows, target, at=target.published_at, through=target.through)
    is_new = F.col(_IS_NEW)
    both = new.withColumn(_IS_NEW, F.lit(True)).unionByName(old.withColumn(_IS_NEW, F.lit(False)))
    contents = both.groupBy(*_names(target)).agg(join_lines(is_new).alias(CONTENT), join_lines(~is_new).alias(_OLD))
    changed = contents.filter(~F.col(CONTENT).eqNullSafe(F.col(_OLD)))
    return changed.select(key_column(target.entity).alias(KEY), CONTENT)


def _names(publication: Publication) -> list[str]:
    return [column.name for column in publication.entity]
