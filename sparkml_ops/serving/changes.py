"""Which records of a store change with a publishing, found in Spark: the table's own versions say it.

What a store holds is a function of the version, the instant and the horizon that it was published by. So the records of the old
version and of the new one, both as of the new instant, differ for the entities that changed, and for no others. Only those can differ
that have a row in a file which one of the versions has and the other has not, or of which a row has come within the horizon: where
the table's log tells these, only their rows are looked at.
"""

from typing import TYPE_CHECKING

from sparkml_ops.lake import find_difference, read_table
from sparkml_ops.serving.keys import key_column
from sparkml_ops.serving.publication import Publication
from sparkml_ops.serving.records import CONTENT, KEY, UNTIL, digest_row, list_counting, make_records, visible_between

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.lake import Lake

_IS_NEW, _IS_OTHER = "__is_new", "__is_other"
_SEEDS = (1, 2)
_MOST = 0.25
"""Of a table: where more of it is new, all of it is looked at."""


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
        touched = rows.join(_find_coming(rows, before, target), on=_names(target), how="left_semi")
        return make_records(touched, target, at=target.published_at, through=target.through).select(KEY, CONTENT)
    earlier = read_table(lake, before.table, version=before.version).dropna(subset=_names(target))
    near = _find_touched(lake, rows, before, target)
    if near is not None:
        rows = rows.join(near, on=_names(target), how="left_semi")
        earlier = earlier.join(near, on=_names(target), how="left_semi")
    # What decides on an entity is computed once: so it joins in when few rows are left, and what is gone is asked for by itself.
    changed = _find_changed_entities(rows, earlier, before, target)
    records = make_records(rows, target, at=target.published_at, through=target.through, only=changed)
    gone = earlier.select(*_names(target)).distinct().join(rows, on=_names(target), how="left_anti")
    removed = gone.select(key_column(target.entity).alias(KEY))
    return records.select(KEY, CONTENT).unionByName(removed, allowMissingColumns=True)


def _find_coming(rows: "DataFrame", before: Publication, target: Publication) -> "DataFrame":
    """Entities of which a row comes within the horizon."""
    return rows.filter(visible_between(before.through, target.through)).select(*_names(target)).distinct()


def _find_touched(lake: "Lake", rows: "DataFrame", before: Publication, target: Publication) -> "DataFrame | None":
    """Entities whose records may differ; None where that may be any, or most."""
    if before.version > target.version or before.through > target.through:
        return None
    difference = find_difference(lake, target.table, since=before.version, until=target.version)
    if difference is None or difference.share > _MOST:
        return None
    changed = difference.read_rows().select(*_names(target))
    return changed.union(_find_coming(rows, before, target)).distinct()


def _find_changed_entities(
    rows: "DataFrame", earlier: "DataFrame", before: Publication, target: Publication
) -> "DataFrame":
    """Entities of the new version whose records are new or differ, by 128 bits of the rows that make them; no value is written as text for it."""
    from pyspark.sql import functions as F

    def digest(rows: "DataFrame", publication: Publication, *, is_new: bool) -> "DataFrame":
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

    both = digest(rows, target, is_new=True).unionByName(digest(earlier, before, is_new=False))
    new, old = (F.struct(*tell(side)) for side in (F.col(_IS_NEW), ~F.col(_IS_NEW)))
    is_other = (F.count_if(_IS_NEW) > 0) & (new != old)
    return both.groupBy(*_names(target)).agg(is_other.alias(_IS_OTHER)).filter(_IS_OTHER).drop(_IS_OTHER)


def _names(publication: Publication) -> list[str]:
    return [column.name for column in publication.entity]
