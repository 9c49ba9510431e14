"""What the columns of a feature table hold, as figures in `metrics`, for the versions that builds make.

A version is measured where a tenth of its rows were written since one was, or a day has gone by: a few new rows change no figure of a sample.

Scope `feature`, subject `<view>.<column>`: `nulls` (a share), `mean`, `p05` … `p95`, `distinct`, and the most frequent values of texts in the
details; subject `<view>`: `rows`. Rows are of the whole table, from its log; all else is of a sample of at most about `SAMPLE_ROWS` rows in one pass, which
reads no more row groups than it needs. Of a column that may hold personal data no value is told, only nulls and distinct values.
"""

import hashlib
import json
import logging
from datetime import datetime, timedelta
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from sparkml_ops.config.column_reads import list_personal
from sparkml_ops.lake import (
    METRICS,
    Metric,
    find_newest_write,
    has_plain_files,
    list_paths,
    list_row_groups,
    quote_identifier,
    read_history,
    read_row_groups,
    read_table,
    record_metrics,
    rows_changed,
    table_id,
)
from sparkml_ops.lake.column_figures import as_number, ask_spread, has_spread, tell_spread, tell_top

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Commit, Lake, RowGroup

logger = logging.getLogger(__name__)

SCOPE = "feature"
SAMPLE_ROWS = 100_000
_FIGURES_AT_A_TIME = 400  # Spark makes one method of all of them, and gives up on a larger one
_LEAST_GROUPS = 16  # that a sample is taken of
_SEED = 1
_LEAST_CHANGE = 0.1  # of the rows that were there, written or deleted, for a version to be measured anew
_LONGEST = timedelta(days=1)  # after which any newer version is


def record_statistics(use_case: "UseCase", lake: "Lake", *, view: str, commit: "Commit", run_id: str) -> None:
    """Measure the version of a view's table that a build has made, unless one with nearly the same rows was, less than a day ago.

    Args:
        use_case: says which columns may hold personal data.
        lake: where the table is.
        view: name of the view.
        commit: the build's.
        run_id: the run this belongs to.
    """
    step = f"features:{view}"
    prefix = f"statistics:{view}:{table_id(lake, commit.table)}:"
    if _is_measured(lake, commit, prefix):
        return
    rows = read_table(lake, commit.table, version=commit.version)
    columns = {
        name: kind.partition("(")[0]
        for name, kind in rows.select(*use_case.features[view].column_names()).dtypes
        if has_spread(kind.partition("(")[0])
    }
    total = rows.count()  # of a Delta table's log: no row is read
    measured = rows.select(*(quote_identifier(name) for name in columns))
    sample = _choose_sample(lake, commit.table, measured, total) if columns else rows
    told = _measure(sample, columns, personal=list_personal(use_case, view))
    batch, details = f"v{commit.version}", {"rows": told["rows"], "version": commit.version}
    metrics = [Metric(SCOPE, view, "rows", float(total), batch_id=batch, details=json.dumps(details))]
    for name in columns if told["rows"] else ():
        figures = {"nulls": told[f"{name}.nulls"] / told["rows"], "mean": told.get(f"{name}.mean")}
        for figure, value in (figures | tell_spread(name, told)).items():
            if value is None:
                continue
            more = details | (tell_top(name, told) if figure == "distinct" else {})
            text = json.dumps(more, ensure_ascii=False)
            metrics.append(Metric(SCOPE, f"{view}.{name}", figure, float(value), batch_id=batch, details=text))
    write_id = f"{prefix}{commit.version}"
    record_metrics(lake, metrics, run_id=run_id, step=step, write_id=write_id, fingerprint=str(total))
    logger.info("features %s: v%d measured on %d of %d rows", view, commit.version, told["rows"], total)


def _is_measured(lake: "Lake", commit: "Commit", prefix: str) -> bool:
    """Whether the figures of this version, or of one that it hardly differs from, are there."""
    found = find_newest_write(lake, METRICS, prefix)
    if found is None:
        return False
    measured, made_at = found
    version = int(measured.write_id.removeprefix(prefix))
    if version == commit.version:
        return True
    if datetime.now() - made_at > _LONGEST:  # noqa: DTZ005  # local, as a history has it
        return False
    since = [entry for entry in read_history(lake, commit.table) if version < entry["version"] <= commit.version]
    return sum(map(rows_changed, since)) < _LEAST_CHANGE * int(measured.fingerprint or 0)


def _choose_sample(lake: "Lake", table: str, rows: "DataFrame", total: int) -> "DataFrame":
    """All rows, or about `SAMPLE_ROWS` of them, the same ones each time, out of as few row groups as hold them."""
    if total <= SAMPLE_ROWS:
        return rows
    if not has_plain_files(lake, table):
        return rows.sample(SAMPLE_ROWS / total, _SEED)
    schema = to_arrow_schema(rows.schema, timezone="UTC")
    groups = _choose_groups(list_paths(rows), total)
    share, tasks = SAMPLE_ROWS / sum(one.rows for one in groups), rows.sparkSession.sparkContext.defaultParallelism

    def read(numbers: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        for number in (number for batch in numbers for number in batch["id"].to_pylist()):
            for group in groups[number::tasks]:
                draw = np.random.default_rng([*_hash(f"{group.path} {group.number}")])
                for batch in read_row_groups([group], schema):
                    yield batch.filter(pa.array(draw.random(batch.num_rows) < share))

    return rows.sparkSession.range(0, tasks, 1, tasks).mapInArrow(read, rows.schema)


def _choose_groups(paths: "Sequence[str]", total: int) -> "list[RowGroup]":
    """Enough row groups, at least `_LEAST_GROUPS` where there are.

    A file has rows of a stretch of time, a row group those of some entities. In the order of a hash they are no choice of the newest or the first;
    every file that is opened gives one before any gives a second.
    """
    wanted = min(max(-(-len(paths) * SAMPLE_ROWS // total), _LEAST_GROUPS), len(paths))
    by_file = [
        sorted(groups, key=lambda one: _hash(f"{one.path} {one.number}"))
        for _, groups in groupby(list_row_groups(sorted(paths, key=_hash)[:wanted]), key=attrgetter("path"))
    ]
    chosen: list[RowGroup] = []
    for group in (one for turn in zip_longest(*by_file) for one in turn if one is not None):
        if len(chosen) >= _LEAST_GROUPS and sum(one.rows for one in chosen) >= SAMPLE_ROWS:
            break
        chosen.append(group)
    return chosen


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _measure(sample: "DataFrame", columns: dict[str, str], *, personal: frozenset[str]) -> dict[str, Any]:
    asked = []
    for name, kind in columns.items():
        asked.append(F.count_if(F.col(name).isNull()).alias(f"{name}.nulls"))
        number = None if name in personal or kind in {"date", "timestamp"} else as_number(name, kind)
        if number is not None:
            asked.append(F.avg(number).alias(f"{name}.mean"))
        asked += ask_spread(name, kind, is_personal=name in personal)
    told: dict[str, Any] = {}
    for start in range(0, max(len(asked), 1), _FIGURES_AT_A_TIME):
        part = asked[start : start + _FIGURES_AT_A_TIME]
        told |= sample.agg(F.count(F.lit(1)).alias("rows"), *part).collect()[0].asDict(recursive=True)
    return told
