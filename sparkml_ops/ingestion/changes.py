"""Which change of a key holds.

A source of mode `merge` with `merge.order_by` brings changes: a row says what its key holds from then on, or, where
`deleted_when` is true of it, that the key is gone. Whatever the files and batches they come in, and in whatever order:

- Of the changes of a key the latest by `order_by` holds. An earlier one that comes later changes nothing: it is *superseded*.
- A deletion is kept as a tombstone in `deleted_<source>`, so that an earlier row that comes later does not bring the key back. A
  later row does. A deletion that comes again is carried out again, which changes nothing.
- The same change again, equal in every column of the contract, is a copy, and superseded.
- Two changes of one key with the same order and other values contradict each other. Within a batch both go to quarantine; against
  the table the one that came first holds, and the other goes to quarantine.
- A change without an order goes to quarantine, as does one that is further ahead of its batch than `future_tolerance`: it would win
  against everything until then.
- A deletion is judged by key, order and what `deleted_when` reads alone: feeds send nothing else with it.
- A change is the whole row. What a feed leaves out of it is null, and breaks the contract where the column is not nullable.

So rows in = rows put in + deletions + superseded rows + rows in quarantine. Keys and orders are compared as they are stored: text byte
by byte, so é as one character and as two are different keys; 0.0 and -0.0 are the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.window import Window, WindowSpec

from sparkml_ops.config.sql import read_expression
from sparkml_ops.config.types import format_duration
from sparkml_ops.ingestion.contract import READER_COLUMNS, VIOLATIONS, find_severities, list_reasons
from sparkml_ops.ingestion.history import BEFORE, add_intervals, add_open_intervals
from sparkml_ops.lake import DELETE, UPSERT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Merge, Source

CHANGE = "_change"
"""What becomes of a row that keeps the contract: upsert, delete, superseded, or tied; null of others."""
SUPERSEDED, TIED = "superseded", "tied"
IS_DELETION, IS_KNOWN = "_is_deletion", "_is_known"
_CONTRADICTS, _IS_TIED, _CONTENT, _HOLDS = "_contradicts", "_is_tied", "_content", "_holds"
IN_FILE = "_in_file"
"""The file of the clean table that holds the row of the key; null where it has none."""
AT_VERSION = "_at_version"
"""The version of the clean table by which all this was decided."""
OURS = (CHANGE, IS_DELETION, BEFORE, IN_FILE, AT_VERSION)
"""Columns of judged changes that no table has."""
CONTRADICTION = "merge: another row of the key has the same order and other values"


def flag_orders(judged: "DataFrame", source: "Source", merge: "Merge", *, now: datetime) -> "DataFrame":
    """Tell deletions, and add violations to changes that cannot be put in order.

    Args:
        judged: rows under the contract, with `_violations`.
        source: the contract.
        merge: its order.
        now: the batch's start.
    """
    is_deletion = F.coalesce(F.expr(merge.deleted_when), F.lit(False)) if merge.deleted_when else F.lit(False)
    told = judged.withColumn(IS_DELETION, is_deletion)
    limit = F.lit(now + merge.future_tolerance)
    kinds = dict(judged.dtypes)
    moments = [name for name in merge.order_by if kinds[name] in {"date", "timestamp"}]
    tolerance = format_duration(merge.future_tolerance)
    reasons = [F.when(F.col(name).isNull(), F.lit(f"merge: {name} is null")) for name in merge.order_by]
    reasons += [
        F.when(F.col(name) > limit, F.lit(f"merge: {name} is more than {tolerance} ahead of the batch"))
        for name in moments
    ]
    excused = F.when(F.col(IS_DELETION), F.array_except(VIOLATIONS, _list_excused(source, merge)))
    kept = F.coalesce(excused, F.col(VIOLATIONS))
    return told.withColumn(VIOLATIONS, F.concat(kept, list_reasons(reasons)))


def _list_excused(source: "Source", merge: "Merge") -> Column:
    """The reasons that do not count for a deletion: those of columns that it need not have, and of whole rows."""
    read = read_expression(merge.deleted_when or "false").columns
    needed = {name.lower() for name in (*source.key, *merge.order_by, *read)}
    reasons = [F.lit(reason) for reason in find_severities(source) if reason.partition(":")[0].lower() not in needed]
    return F.array(*reasons).cast("array<string>")


def decide_changes(
    changes: "DataFrame", known: "DataFrame | None", source: "Source", merge: "Merge", *, refused: Column
) -> "DataFrame":
    """Add to each change what becomes of it: `_change`, where its key is (`_in_file`), and with a history `valid_from`, `valid_to`, `_before`.

    Args:
        changes: rows of `flag_orders`.
        known: what the tables know of the keys of these changes: key, `order_by`, `_is_deletion`, `_in_file`; None for nothing.
        source: the contract.
        merge: its order.
        refused: true of rows that go to quarantine.

    Returns:
        The rows; those that contradict each other with a violation.
    """
    events = changes.where(~refused).withColumn(IS_KNOWN, F.lit(False))
    content = hash_content(events, list_content(changes.columns, source), deletion=F.col(IS_DELETION))
    events = events.withColumn(_CONTENT, content)
    if known is not None:
        events = events.unionByName(known.withColumn(IS_KNOWN, F.lit(True)), allowMissingColumns=True)
    # One shuffle by key serves all windows.
    events = _compare_at_once(events.repartition(*source.key), source, merge)
    events = _flag_holding(events, source, merge)
    if known is not None:
        events = events.withColumn(IN_FILE, _find_file(Window.partitionBy(*source.key)))
    if merge.history:
        events = add_intervals(
            events, source.key, merge.order_by[0], holds=_HOLDS, is_version=F.col(IS_KNOWN) & ~F.col(IS_DELETION)
        )
    events = events.withColumn(
        CHANGE,
        F.when(F.col(_CONTRADICTS), F.lit(None).cast("string"))
        .when(F.col(_HOLDS), F.when(F.col(IS_DELETION), F.lit(DELETE)).otherwise(F.lit(UPSERT)))
        .when(F.col(_IS_TIED), F.lit(TIED))
        .otherwise(F.lit(SUPERSEDED)),
    )
    fresh = events.where(~F.col(IS_KNOWN)).drop(IS_KNOWN, _CONTENT, _CONTRADICTS, _IS_TIED, _HOLDS)
    return fresh.unionByName(changes.where(refused), allowMissingColumns=True)


def decide_single_changes(changes: "DataFrame", merge: "Merge", *, refused: Column) -> "DataFrame":
    """As `decide_changes`, where the tables know nothing and no key has two changes: every one holds, and nothing is shuffled."""
    kind = F.when(F.col(IS_DELETION), F.lit(DELETE)).otherwise(F.lit(UPSERT))
    decided = changes.withColumn(CHANGE, F.when(~refused, kind))
    return add_open_intervals(decided, merge.order_by[0]) if merge.history else decided


def settle_ties(decided: "DataFrame", rows: "DataFrame", source: "Source", merge: "Merge") -> "DataFrame":
    """Decide the changes that have the order of a row of the table: a copy of it, or a contradiction.

    Args:
        decided: rows of `decide_changes`.
        rows: the table's.
        source: the contract.
        merge: its order.
    """
    content = [name for name in list_content(decided.columns, source) if name in rows.columns]
    place = [*source.key, *merge.order_by]
    there = rows.select(*place, hash_content(rows, content).alias(_CONTENT))
    tied = decided.where(F.col(CHANGE) == TIED).join(there, place, "left")
    is_copy = F.col(_CONTENT) == hash_content(tied, content)
    settled = tied.withColumn(CHANGE, F.when(is_copy, F.lit(SUPERSEDED))).withColumn(
        VIOLATIONS, F.when(is_copy, F.col(VIOLATIONS)).otherwise(_with_contradiction())
    )
    others = decided.where(~F.col(CHANGE).eqNullSafe(TIED))
    return others.unionByName(settled.select(*decided.columns))


def list_content(columns: Sequence[str], source: "Source") -> list[str]:
    """The columns of the contract among those of judged changes."""
    ours = (*READER_COLUMNS, VIOLATIONS, *OURS, *source.history_columns())
    return [name for name in columns if name not in ours]


def hash_content(rows: "DataFrame", columns: Sequence[str], *, deletion: Column | None = None) -> Column:
    """A hash of what a row holds; of a deletion, that it is one, since its other columns are what the feed happened to send."""
    kinds = dict(rows.dtypes)
    # Maps have no hash: their entries have no order.
    values = [F.to_json(name) if "map<" in kinds[name] else F.col(name) for name in columns]
    hashed = F.xxhash64(*values)
    return hashed if deletion is None else F.when(~deletion, hashed).otherwise(F.lit(0))


def _compare_at_once(events: "DataFrame", source: "Source", merge: "Merge") -> "DataFrame":
    """Flag rows that contradict others of the same key and order, and rows that have those of a row of the table."""
    at_once = Window.partitionBy(*source.key, *merge.order_by)
    differs = F.min(_CONTENT).over(at_once) != F.max(_CONTENT).over(at_once)
    is_mixed = F.min(IS_DELETION).over(at_once) != F.max(IS_DELETION).over(at_once)
    is_tied = F.max(IS_KNOWN).over(at_once) & ~F.col(IS_DELETION)
    contradicts = ~F.col(IS_KNOWN) & (F.coalesce(differs, F.lit(False)) | is_mixed)
    flagged = events.withColumns({_CONTRADICTS: contradicts, _IS_TIED: is_tied})
    violations = F.when(F.col(_CONTRADICTS), _with_contradiction()).otherwise(F.col(VIOLATIONS))
    return flagged.withColumn(VIOLATIONS, violations)


def _flag_holding(events: "DataFrame", source: "Source", merge: "Merge") -> "DataFrame":
    """The latest change of a key, or with a history of a key and moment, unless it is a row that the table has already."""
    of, rest = (merge.order_by[:1], merge.order_by[1:]) if merge.history else ([], merge.order_by)
    # Of a row that comes again the one in the table holds. A deletion holds anew: where its tombstone was written and we were
    # killed before the row was taken out, it is taken out now.
    known_first = F.col(IS_KNOWN) == F.col(IS_DELETION)
    latest = Window.partitionBy(*source.key, *of).orderBy(
        _CONTRADICTS, *[F.desc(name) for name in rest], known_first, "_source_file"
    )
    return events.withColumn(_HOLDS, (F.row_number().over(latest) == 1) & ~F.col(_CONTRADICTS))


def _find_file(of_key: WindowSpec) -> Column:
    """The file of the key's row; no file's name where somebody has put the key into several."""
    first, last = F.min(IN_FILE).over(of_key), F.max(IN_FILE).over(of_key)
    return F.when(first == last, last).when(first.isNotNull(), F.lit(""))


def _with_contradiction() -> Column:
    return F.concat(VIOLATIONS, F.array(F.lit(CONTRADICTION)))
