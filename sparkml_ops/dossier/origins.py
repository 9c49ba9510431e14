"""What a version of a table was made of, down to the files of the sources.

Which rows of a clean table are meant is told by the entity, where its columns can be followed to that table from the text of the use case;
with a view that is made of the table itself by the time as well. Where they cannot be told, the table and its version are.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.config.column_reads import trace_column
from sparkml_ops.dossier.facts import LookedUpView, Origin, ScoredRow, SourceFile
from sparkml_ops.dossier.keys import describe_key, make_literal
from sparkml_ops.dossier.looked_up import READ_FAILURES, tell_failure
from sparkml_ops.dossier.spans import Span, find_span
from sparkml_ops.features import read_built_at
from sparkml_ops.lake import Lake, change_version, find_inputs, quote_identifier, read_table
from sparkml_ops.lake.failed_reads import blaming_tables
from sparkml_ops.lake.gone_files import require_files

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.types import Relation
    from sparkml_ops.config.use_case import UseCase

MOST_FILES = 5
_CLEAN, _FEATURES = "clean_", "features_"
_FILE, _BATCH, _INGESTED = "_source_file", "_batch_id", "_ingested_at"


def find_view_origins(use_case: "UseCase", lake: Lake, view: LookedUpView, *, row: ScoredRow) -> tuple[Origin, ...]:
    """What the table of a view was built from at the recorded version, and the rows of the entity in it.

    Args:
        use_case: with the view as it was.
        lake: where the tables are.
        view: what was looked up.
        row: the prediction.
    """
    if view.version is None:
        return ()
    inputs = _find_built_from(lake, view.table, view.version)
    declared = use_case.features[view.view]
    if not inputs:
        return (Origin(view.table, view.version, note="what it was built from is not recorded"),)
    if view.timestamp is None:
        note = "no row of the view counted" if not view.note else view.note
        return tuple(Origin(table, version, note=note) for table, version in inputs.items())
    entity = {name: row.entity[name] for name in declared.entity}
    return _tell_origins(use_case, lake, declared.relation, inputs, entity=entity, span=find_span(declared, view))


def find_request_origins(
    use_case: "UseCase", lake: Lake, inputs: Mapping[str, int], *, row: ScoredRow
) -> tuple[Origin, ...]:
    """What the row that was asked about came from.

    Args:
        use_case: its `scoring.from`.
        lake: where the tables are.
        inputs: what the run of the scoring read, but for the features.
        row: the prediction.
    """
    entity = {name: row.entity[name] for name in use_case.dataset.key_columns() if name in row.entity}
    return _tell_origins(use_case, lake, use_case.scoring.relation, inputs, entity=entity, span=None)


def _find_built_from(lake: Lake, table: str, version: int) -> dict[str, int]:
    """The clean tables, through views that are made of views; a table that cannot be followed stays as it is."""
    try:
        built = read_built_at(lake, table.removeprefix(_FEATURES), version)
        direct = (
            find_inputs(lake, {table: change_version(lake, table, at=version)}).get(table, {})
            if built is None
            else {name: one.version for name, one in built.inputs.items()}
        )
    except READ_FAILURES:
        direct = {}
    found: dict[str, int] = {}
    for name, at in direct.items():
        below = _find_built_from(lake, name, at) if name.startswith(_FEATURES) else {}
        found |= below or {name: at}
    return found


def _tell_origins(
    use_case: "UseCase",
    lake: Lake,
    relation: "Relation",
    inputs: Mapping[str, int],
    *,
    entity: Mapping[str, Any],
    span: Span | None,
) -> tuple[Origin, ...]:
    traced = {name: trace_column(use_case, relation, name).columns for name in entity}
    told = []
    for table, version in sorted(inputs.items()):
        source = table.removeprefix(_CLEAN)
        mine = {_one_of(columns, source): entity[name] for name, columns in traced.items()}
        found = {name: value for name, value in mine.items() if name is not None}
        if not table.startswith(_CLEAN) or not found:
            told.append(Origin(table, version, note=_tell_why(relation, table)))
            continue
        is_direct = relation.table in {source, table}  # of a view of a view the times are not those of the source
        told.append(_read_origin(lake, table, version, entity=found, span=span if is_direct else None))
    return tuple(told)


def _one_of(columns: Sequence[str], source: str) -> str | None:
    """The column of a source, if a column of the relation is made of exactly one of them."""
    mine = [one.partition(".")[2] for one in columns if one.partition(".")[0] == source]
    return mine[0] if len(mine) == 1 else None


def _tell_why(relation: "Relation", table: str) -> str:
    if not table.startswith(_CLEAN):
        return "no table of a source: its files are not recorded"
    if relation.python is not None:
        return "read by a Python function: which of its rows is not recorded"
    return "joined by other columns than the entity's: which of its rows is not recorded"


def _read_origin(lake: Lake, table: str, version: int, *, entity: Mapping[str, Any], span: Span | None) -> Origin:
    matched_by = describe_key(entity, " and ")
    try:
        with blaming_tables(lake):
            require_files(lake, table, version=version)
            rows = read_table(lake, table, version=version)
            conditions = [_equals(rows, name, value) for name, value in entity.items()]
            if span is not None:
                conditions.append(span.matches())
                matched_by += f" and {span.describe()}"
            return _count_files(rows.where(reduce(and_, conditions)), Origin(table, version, matched_by))
    except READ_FAILURES as error:
        return Origin(table, version, matched_by, note=tell_failure(error))


def _equals(rows: "DataFrame", name: str, value: Any) -> "Column":
    column = F.col(quote_identifier(name))
    return column.isNull() if value is None else column == make_literal(value, rows.schema[name].dataType)


def _count_files(rows: "DataFrame", origin: Origin) -> Origin:
    """Rows by file, of which five are named; how many files there are is counted where there are more."""
    lacking = [name for name in (_FILE, _BATCH, _INGESTED) if name not in rows.columns]
    if lacking:
        return Origin(origin.table, origin.version, origin.matched_by, rows.count(), note=f"has no column {lacking[0]}")
    by_file = rows.groupBy(_FILE, _BATCH).agg(F.count("*").alias("rows"), F.max(_INGESTED).alias("at"))
    newest = by_file.orderBy(F.desc("at"), F.asc(_FILE)).limit(MOST_FILES + 1).collect()
    files = tuple(SourceFile(one[_FILE], one[_BATCH], one["rows"]) for one in newest[:MOST_FILES])
    total, count = sum(one.rows for one in files), len(files)
    if len(newest) > MOST_FILES:
        total, count = by_file.agg(F.sum("rows"), F.count("*")).collect()[0]
    note = "" if files else "none of its rows: the query may change the entity's values on the way"
    return Origin(origin.table, origin.version, origin.matched_by, total, files, count - len(files), note)
