"""Stored features of some rows, held against what the raw tables say was known at their moments.

Twice: at the versions that the feature tables were made from, by the times that the events bear; and, where a moment lies within the history
of the raw tables, at the versions that there were at that moment, whatever the events say of themselves.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkml_ops.config.features import FeatureView, feature_name
from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.features.audit_figures import AuditFigure, judge_change, judge_difference
from sparkml_ops.features.definitions import features_table
from sparkml_ops.features.events import instant_microseconds
from sparkml_ops.features.past_versions import Commits, find_states
from sparkml_ops.features.rederive import ROW, list_doubtful, rederive_view
from sparkml_ops.features.stored_differences import Difference, Sample, find_differences
from sparkml_ops.lake import change_versions, find_inputs, resolve_relation
from sparkml_ops.lake.causes import list_causes
from sparkml_ops.lake.failed_reads import find_failed_read, find_table
from sparkml_ops.lake.tables import read_history

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features.training_sets import TrainingSet
    from sparkml_ops.lake import Lake

logger = logging.getLogger(__name__)

MOST_STATES = 8
"""States of a view's tables that are looked at: each is a job that reads them, and those with the most rows come first."""
_AT_A_TIME = 4  # views whose plans are made side by side: that takes longer than a few rows do
_GONE = (SparkMLOpsError, PySparkException, Py4JError)


@dataclass(frozen=True)
class HistoryCheck:
    """What could be held against the raw tables of one view, or of the derived columns.

    Attributes:
        view: name of the view, or `dataset.derived`.
        rows: rows that were computed again at the versions which the view was made from.
        rows_at_moment: rows that were computed again as the tables were at their moment.
        rows_before_history: rows whose moments lie before the tables' history begins.
        rows_passed_over: rows of further states of the tables, which were not looked at.
        rows_unreadable: rows at whose moment the tables' versions are gone, or do not fit the view.
        reason: why nothing, or not all, could be computed again.
        figures: what came out.
    """

    view: str
    rows: int = 0
    rows_at_moment: int = 0
    rows_before_history: int = 0
    rows_passed_over: int = 0
    rows_unreadable: int = 0
    reason: str | None = None
    figures: tuple[AuditFigure, ...] = ()

    def describe(self) -> str:
        """The counts in words."""
        told = (
            f"{self.rows} rows computed again; as of their moment {self.rows_at_moment}, before the history begins "
            f"{self.rows_before_history}, passed over {self.rows_passed_over}, unreadable {self.rows_unreadable}"
        )
        return f"{told} ({self.reason})" if self.reason else told


@dataclass(frozen=True)
class _Audited:
    """What all views are held against."""

    use_case: "UseCase"
    lake: "Lake"
    made: "TrainingSet"
    sample: Sample
    inputs: Mapping[str, Mapping[str, int]]
    hide_texts: bool

    def show(self, found: Difference) -> Difference:
        """A difference as messages may show it."""
        stored, again = (
            "…" if self.hide_texts and isinstance(each, str) else each for each in (found.stored, found.found)
        )
        return replace(found, stored=stored, found=again)


def check_history(
    use_case: "UseCase", lake: "Lake", made: "TrainingSet", sample: Sample, *, hide_texts: bool = False
) -> list[HistoryCheck]:
    """Compute the features of some rows again from the raw tables, and compare.

    Args:
        use_case: the use case, as the training set's definition has it.
        lake: where its tables are.
        made: the training set.
        sample: rows of it.
        hide_texts: show no text in messages, since a column of a source is personal.
    """
    if not sample.moments:
        return []
    # A source that has left the configuration since is still what its name means in the definition.
    known = frozenset(table.removeprefix("clean_") for table in made.inputs if table.startswith("clean_"))
    then = replace(lake, sources=lake.sources | known)
    audited = _Audited(use_case, then, made, sample, _find_inputs(use_case, lake, made), hide_texts)
    joined, checks, unknown = sample.rows, [], set[str]()
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="audit") as views:
        found = list(views.map(lambda name: _check_view(audited, name), use_case.dataset.features))
    for name, (check, again) in zip(use_case.dataset.features, found, strict=True):
        checks.append(check)
        if again is None:
            unknown |= set(_columns_of(name, use_case.features[name]))
        else:
            joined = joined.join(F.broadcast(again), ROW)
    derived = _check_derived(audited, joined, unknown)
    return [*checks, *([derived] if derived.rows or derived.reason else [])]


def _check_view(audited: _Audited, name: str) -> "tuple[HistoryCheck, DataFrame | None]":
    view, rows = audited.use_case.features[name], len(audited.sample.moments)
    stored = [feature for feature in _columns_of(name, view) if feature in audited.made.feature_columns]
    inputs = audited.inputs.get(features_table(name))
    if inputs is None:
        reason = f"no run tells what {features_table(name)} was made from"
        return HistoryCheck(name, reason=reason, figures=(_tell_nothing(name),)), None
    try:
        events, _ = resolve_relation(audited.lake, view.relation, versions=inputs)
        again = rederive_view(audited.sample.rows, view, events, name=name).localCheckpoint()
    except _GONE as error:
        return HistoryCheck(name, reason=_tell_reason(audited.lake, error), figures=(_tell_nothing(name),)), None
    found = find_differences(again.join(audited.sample.rows, ROW), stored)
    figures = [judge_difference(audited.show(each), rows=rows, keys=audited.sample.keys) for each in found]
    check = HistoryCheck(name, rows=rows, figures=tuple(figures))
    return _check_past(audited, check, inputs, stored), again


def _check_past(
    audited: _Audited, check: HistoryCheck, inputs: Mapping[str, int], stored: Sequence[str]
) -> HistoryCheck:
    """The same with the tables as they were at the rows' moments."""
    view = audited.use_case.features[check.view]
    commits = {table: _list_commits(audited.lake, table) for table in inputs}
    states, before = find_states(commits, audited.sample.moments)
    counted: dict[str, Difference] = {name: Difference(name, 0) for name in stored}
    done, unreadable, reason = 0, 0, None
    for state in states[:MOST_STATES]:
        there = audited.sample.rows.filter(F.col(ROW).isin([*state.rows]))
        try:
            events, _ = resolve_relation(audited.lake, view.relation, versions=state.versions)
            again = rederive_view(there, view, events, name=check.view)
            found = find_differences(again.join(there, ROW), stored)
        except _GONE as error:
            unreadable, reason = unreadable + len(state.rows), _tell_reason(audited.lake, error)
            continue
        done += len(state.rows)
        for each in found:
            sofar = counted[each.feature]
            example = sofar if sofar.row is not None else each
            counted[each.feature] = replace(example, rows=sofar.rows + each.rows)
    limit = audited.use_case.audit.changed_since_over
    figures = [
        judge_change(audited.show(each), rows=done, keys=audited.sample.keys, limit=limit) for each in counted.values()
    ]
    return replace(
        check,
        rows_at_moment=done,
        rows_before_history=before,
        rows_passed_over=sum(len(state.rows) for state in states[MOST_STATES:]),
        rows_unreadable=unreadable,
        reason=reason,
        figures=(*check.figures, *figures),
    )


def _check_derived(audited: _Audited, joined: "DataFrame", unknown: set[str]) -> HistoryCheck:
    dataset, stored = audited.use_case.dataset, audited.made.feature_columns
    views = {name: audited.use_case.features[name] for name in dataset.features}
    doubtful = list_doubtful(views, dataset, stored=stored, unknown=unknown)
    wanted = [name for name in dataset.derived if name in stored and name not in doubtful]
    for name, sql in dataset.derived.items():
        if name not in doubtful:
            joined = joined.withColumn(name, F.expr(sql))
    if not wanted:
        return HistoryCheck("dataset.derived")
    rows = len(audited.sample.moments)
    figures = [
        judge_difference(audited.show(each), rows=rows, keys=audited.sample.keys)
        for each in find_differences(joined, wanted)
    ]
    return HistoryCheck("dataset.derived", rows=rows, figures=tuple(figures))


def _find_inputs(use_case: "UseCase", lake: "Lake", made: "TrainingSet") -> dict[str, dict[str, int]]:
    """Which versions of which tables each feature table was made from, as far as the ledger tells."""
    tables = {table: made.inputs[table] for table in map(features_table, use_case.dataset.features)}
    # Upkeep makes new versions of the same rows, which no run of the view has written.
    return find_inputs(lake, change_versions(lake, tables))


def _list_commits(lake: "Lake", table: str) -> Commits:
    # Without a zone, as Spark gives it: astimezone reads that as this machine's.
    entries = [(int(each["version"]), each["timestamp"].astimezone()) for each in read_history(lake, table)]
    return sorted((version, instant_microseconds(at)) for version, at in entries)


def _columns_of(name: str, view: FeatureView) -> list[str]:
    return [feature_name(name, column) for column in view.column_names()]


def _tell_nothing(name: str) -> AuditFigure:
    return AuditFigure("after_moment", name, None, 0.0, "no_data")


def _tell_reason(lake: "Lake", error: Exception) -> str:
    failed = find_failed_read(error)
    if failed is not None:
        return f"{find_table(lake, failed.path) or failed.path} cannot be read at that version: {failed.reason}"
    behind = list_causes(error)
    told = str(behind[-1].getMessage() if behind else error).strip() or type(error).__name__
    return told.splitlines()[0][:300]
