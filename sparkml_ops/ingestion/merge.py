"""Changes -> the clean table and the tombstones, each in one commit that is exactly once.

The tombstones are written first. A batch that is killed in between is gone on with, by what it found the first time
(`read_before`); a replay of the quarantine that is killed there is as if it had never been, but for tombstones that the same rows
will bring again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.changes import (
    AT_VERSION,
    CHANGE,
    IN_FILE,
    IS_DELETION,
    SUPERSEDED,
    TIED,
    decide_changes,
    decide_single_changes,
    flag_orders,
    settle_ties,
)
from sparkml_ops.ingestion.contract import blaming_expressions, find_severities
from sparkml_ops.ingestion.counts import flag_refused
from sparkml_ops.ingestion.evolve import match_table
from sparkml_ops.ingestion.history import BEFORE, list_patches
from sparkml_ops.ingestion.manifest import stamp_rows, write_name
from sparkml_ops.lake import (
    DELETE,
    PATCH,
    UPSERT,
    Commit,
    Lake,
    MergeRules,
    Places,
    merge_rows,
    put_rows,
    read_table,
    replace_table,
    table_exists,
    table_version,
    version_before,
)

if TYPE_CHECKING:
    from sparkml_ops.config.sources import Merge, Source


@dataclass(frozen=True)
class Taken:
    """What became of a batch's rows that keep the contract.

    Attributes:
        clean: the commit of the clean table.
        deleted: the commit of the tombstones; None where no row is a deletion.
        superseded: rows that changed nothing.
        patched: rows in the clean commit that are none of the batch's: versions that end now.
    """

    clean: Commit
    deleted: Commit | None = None
    superseded: int = 0
    patched: int = 0

    @property
    def rows_put_in(self) -> int:
        """Rows of the batch in the clean commit."""
        return self.clean.rows - self.patched

    @property
    def rows_deleted(self) -> int:
        """Deletions that were carried out."""
        return self.deleted.rows if self.deleted else 0

    @property
    def rows(self) -> int:
        """Rows of the batch, whatever became of them."""
        return self.rows_put_in + self.rows_deleted + self.superseded


@contextmanager
def judge_changes(lake: Lake, source: "Source", batch: Batch, judged: DataFrame) -> Iterator[DataFrame]:
    """The batch's rows with what becomes of each (`_change`), kept at hand while the block runs.

    Args:
        lake: where the tables are.
        source: the contract, with `merge`.
        batch: says whether what the tables know counts.
        judged: rows under the contract.
    """
    merge = _order_of(source)
    _require_moment(source, merge, judged)
    is_refused = flag_refused(find_severities(source))
    with blaming_expressions(batch.source):
        flagged = flag_orders(judged, source, merge, now=batch.started_at)
        keys = flagged.where(~is_refused).select(*source.key)
        version, rows, tombstones = _read_tables(lake, batch)
        known = _list_known(rows, tombstones, source, keys)
        is_single = known is None and keys.groupBy(*source.key).count().where("count > 1").isEmpty()
    if is_single:
        # Most first loads have one row of each key, and are spared the shuffle of whole rows.
        yield decide_single_changes(flagged, merge, refused=is_refused)
        return
    decided = decide_changes(flagged, known, source, merge, refused=is_refused)
    decided = decided.withColumn(AT_VERSION, F.lit(version).cast("bigint")).persist()
    try:
        with blaming_expressions(batch.source):
            is_tied = not decided.where(F.col(CHANGE) == TIED).isEmpty()
        yield settle_ties(decided, rows, source, merge) if is_tied and rows is not None else decided
    finally:
        decided.unpersist()


def write_changes(lake: Lake, source: "Source", batch: Batch, good: DataFrame) -> Taken:
    """Write what `judge_changes` decided about the rows that are not refused."""
    merge = _order_of(source)
    upserts, deletions, superseded, patched = _count_changes(good)
    table, name = f"clean_{batch.source}", write_name(batch)
    rows = stamp_rows(good, batch).drop(IS_DELETION, BEFORE, IN_FILE, AT_VERSION)
    is_new = batch.mode == "replace" or not table_exists(lake, table)
    if not is_new and upserts + deletions:
        rows = match_table(lake, source, table, rows)  # what it refuses is refused before the tombstones
    deleted = _write_tombstones(lake, source, batch, good, rows=deletions)
    if is_new:
        whole = rows.where(F.col(CHANGE) == UPSERT).drop(CHANGE)
        clean = replace_table(lake, table, whole, write_id=name, never_null=source.key)
    elif upserts + deletions == 0:
        clean = Commit(table, table_version(lake, table), 0, "skipped_duplicate")
    elif deletions + patched == 0:
        puts = rows.where(F.col(CHANGE) == UPSERT).drop(CHANGE)
        places = _find_places(source, good)
        if merge.history or places is None:
            # Rules that no row asks for would be looked at for each row of the table.
            clean = merge_rows(lake, table, puts, rules=MergeRules(_name_row(source), never_null=True), write_id=name)
        else:
            clean = put_rows(lake, table, puts, places=places, rows_put=upserts, write_id=name)
    else:
        rows = rows.where(F.col(CHANGE).isin(UPSERT, DELETE))
        if merge.history:
            patches = list_patches(good, source.key).withColumn(CHANGE, F.lit(PATCH))
            rows = rows.unionByName(patches, allowMissingColumns=True)
        rules = MergeRules(_name_row(source), never_null=True, action=CHANGE, patched=source.history_columns()[1:])
        clean = merge_rows(lake, table, rows, rules=rules, write_id=name)
    return Taken(clean, deleted, superseded, patched)


def _name_row(source: "Source") -> list[str]:
    """The columns that name a row of the clean table: none of them is ever null."""
    return [*source.key, *source.history_columns()[:1]]


def _order_of(source: "Source") -> "Merge":
    if source.merge is None:
        raise AssertionError("a source without `merge` has no changes")
    return source.merge


def _require_moment(source: "Source", merge: "Merge", judged: DataFrame) -> None:
    kind = dict(judged.dtypes)[merge.order_by[0]]
    if merge.history and kind not in {"date", "timestamp"}:
        raise ContractError(
            f"merge.history keeps versions from {merge.order_by[0]}, which is derived as a {kind}: expected a date or a timestamp. "
            f"Nothing was written. Mend `derive`, for instance with to_timestamp(…), or `merge.order_by`; the key is {source.key}."
        )


def _read_tables(lake: Lake, batch: Batch) -> tuple[int | None, DataFrame | None, DataFrame | None]:
    """The version of the clean table that the batch finds, its rows, and the tombstones; None for what it replaces."""
    if batch.mode == "replace":
        return None, None, None
    tables = (f"clean_{batch.source}", f"deleted_{batch.source}")
    clean, deleted = (version_before(lake, table, write_name(batch)) for table in tables)
    rows = read_table(lake, tables[0], version=clean) if clean is not None else None
    return clean, rows, read_table(lake, tables[1], version=deleted) if deleted is not None else None


def _list_known(
    rows: DataFrame | None, tombstones: DataFrame | None, source: "Source", keys: DataFrame
) -> DataFrame | None:
    """Key, order, kind and file of every change of these keys that the tables hold."""
    columns, nowhere = [*source.key, *_order_of(source).order_by], F.lit(None).cast("string")
    known = [
        changes.select(*columns, F.lit(is_deletion).alias(IS_DELETION), file.alias(IN_FILE))
        for changes, is_deletion, file in ((rows, False, F.col("_metadata.file_name")), (tombstones, True, nowhere))
        if changes is not None
    ]
    return reduce(DataFrame.unionByName, known).join(keys, list(source.key), "left_semi") if known else None


def _count_changes(good: DataFrame) -> tuple[int, ...]:
    before = F.count(BEFORE) if BEFORE in good.columns else F.lit(0)
    kinds = [F.count_if(F.col(CHANGE) == kind) for kind in (UPSERT, DELETE, SUPERSEDED)]
    return tuple(int(count) for count in good.agg(*kinds, before).first() or (0, 0, 0, 0))


def _find_places(source: "Source", good: DataFrame) -> Places | None:
    """Where the rows are that are replaced; None where that was not looked up."""
    if AT_VERSION not in good.columns or IN_FILE not in good.columns:
        return None
    puts = good.where(F.col(CHANGE) == UPSERT)
    found = puts.agg(F.max(AT_VERSION), F.collect_set(IN_FILE), F.count(IN_FILE)).collect()[0]
    return Places(source.key, *found) if found[0] is not None else None


def _write_tombstones(lake: Lake, source: "Source", batch: Batch, good: DataFrame, *, rows: int) -> Commit | None:
    merge, table = _order_of(source), f"deleted_{batch.source}"
    deletions = good.where(F.col(CHANGE) == DELETE).select(*source.key, *merge.order_by, "_source_file")
    stamped = stamp_rows(deletions, batch)
    if batch.mode == "replace" and table_exists(lake, table):
        return replace_table(lake, table, stamped, write_id=write_name(batch))
    if not rows:
        return None
    keys = [*source.key, *merge.order_by[: 1 if merge.history else 0]]
    return merge_rows(lake, table, stamped, rules=MergeRules(keys), write_id=write_name(batch))
