"""Which records of a store change with a publishing, found in Spark: the table's own versions say it.

What a store holds is a function of the version, the instant and the horizon that it was published by. So the records of the old
version and of the new one, both as of the new instant, differ for the entities that changed, and for no others. Where the rows
have not changed at all, only those can differ of which a row has come within the horizon, and nothing else is read.
"""

from typing import TYPE_CHECKING

from sparkml_ops.lake import read_table
from sparkml_ops.serving.keys import key_column
from sparkml_ops.serving.publication import Publication
from sparkml_ops.serving.records import CONTENT, KEY, UNTIL, digest_row, list_counting, make_records, visible_between

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.lake import Lake

_IS_NEW, _IS_OTHER = "__is_new", "__is_other"
_SEEDS = (1, 2)


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
    # What decides on an entity is computed once: so it joins in when few rows are left, and what is gone is asked for by itself.
    changed = _find_changed_entities(lake, before, target)
    records = make_records(rows, target, at=target.published_at, through=target.through, only=changed)
    earlier = read_table(lake, before.table, version=before.version).dropna(subset=_names(target))
    gone = earlier.select(*_names(target)).distinct().join(rows, on=_names(target), how="left_anti")
    removed = gone.select(key_column(target.entity).alias(KEY))
    return records.select(KEY, CONTENT).unionByName(removed, allowMissingColumns=True)


def _find_changed_entities(lake: "Lake", before: Publication, target: Publication) -> "DataFrame":
    """Entities of the new version whose records are new or differ, by 128 bits of the rows that make them; no value is written as text for it."""
    from pyspark.sql import functions as F

    def digest(publication: Publication, *, is_new: bool) -> "DataFrame":
        rows = read_table(lake, publication.table, version=publication.version)
        counting = list_counting(rows, publication, at=target.published_at, through=publication.through)
        bits = [
            F.when(F.col(UNTIL).isNull(), digest_row(rows, publication, seed=seed)).alias(f"__bits_{seed}")
            for seed in _SEEDS
        ]
        return counting.select(*_names(publication), UNTIL, *bits, F.lit(is_new).alias(_IS_NEW))

    def tell(side: "Column") -> "list[Column]":
        bits = [F.bit_xor(F.when(side, F.col(f"__bits_{seed}"))) for seed in _SEEDS]
        return [
            *bits,
            F.min(F.when(side, F.col(UNTIL))),
            F.count_if(side & F.col(UNTIL).isNull()),
            F.count_if(side) > 0,
        ]

    both = digest(target, is_new=True).unionByName(digest(before, is_new=False))
    new, old = (F.struct(*tell(side)) for side in (F.col(_IS_NEW), ~F.col(_IS_NEW)))
    is_other = (F.count_if(_IS_NEW) > 0) & (new != old)
    return both.groupBy(*_names(target)).agg(is_other.alias(_IS_OTHER)).filter(_IS_OTHER).drop(_IS_OTHER)


def _names(publication: Publication) -> list[str]:
    return [column.name for column in publication.entity]
