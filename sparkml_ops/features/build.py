"""Build feature tables: declared views in, `features_<view>` out.

A table is brought up to date by the rows that may have changed since it was built (`view_plans.py`), or is built anew. Either is one commit,
which also holds what the table was built from (`built.py`): killed at any instant, a build left the table as it was or as it was to be.
"""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark import inheritable_thread_target
from pyspark.sql import functions as F

from sparkml_ops.config.comments import comment_view
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.built import Built, name_write, read_built
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.definitions import features_table, hash_view, order_views
from sparkml_ops.features.entity_hash import GROUP_BYTES
from sparkml_ops.features.events import find_events, instant_microseconds, says_nothing
from sparkml_ops.features.statistics import record_statistics
from sparkml_ops.features.touched import Touched, tell_condition, touch_range
from sparkml_ops.features.view_plans import Decision, ViewPlan, decide_view, plan_view
from sparkml_ops.lake import (
    Commit,
    find_replaced,
    grouping_rows,
    new_run_id,
    read_table,
    record_step,
    replace_table,
    replace_where,
    resolve_relation,
)
from sparkml_ops.lake.describe import with_comments

if TYPE_CHECKING:
    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake, StepRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeaturesResult:
    """What a build did.

    Attributes:
        run_id: the run it belongs to.
        views: the commit of each view's table, by view; skipped_duplicate where nothing had changed.
    """

    run_id: str
    views: dict[str, Commit]


def build_features(
    use_case: "UseCase",
    lake: "Lake",
    *,
    views: Sequence[str] | None = None,
    full: bool = False,
    run_id: str | None = None,
) -> FeaturesResult:
    """Build the tables of some feature views, each in one commit; one that is up to date is left as it is.

    Args:
        use_case: the use case.
        lake: where its tables are.
        views: names of the views; all of them by default. One that is made of another comes after it.
        full: build them anew, whatever is there.
        run_id: the run this belongs to; a new one by default.

    Raises:
        ConfigError: a view is unknown, or does not fit its relation.
        TableNotFoundError: a table that a view is made from is not there.
    """
    run = run_id or new_run_id()
    built = {
        name: build_view(use_case, lake, name=name, full=full, run_id=run) for name in order_views(use_case, views)
    }
    return FeaturesResult(run, built)


def plan_features(
    use_case: "UseCase", lake: "Lake", *, views: Sequence[str] | None = None, full: bool = False
) -> list[ViewPlan]:
    """What `build_features` would do with the tables as they are; a view that follows from another may have more to do once that is built.

    Raises:
        ConfigError: a view is unknown, or does not fit its relation.
        TableNotFoundError: a table that a view is made from is not there.
    """
    return [plan_view(use_case.features[name], lake, name=name, full=full) for name in order_views(use_case, views)]


def backfill_features(  # a range has two ends
    use_case: "UseCase", lake: "Lake", *, view: str, since: datetime, until: datetime, run_id: str | None = None
) -> FeaturesResult:
    """Bring a table up to date, then compute the rows of a range of time once more, of all entities, and put them in the place of what is there.

    Args:
        use_case: the use case.
        lake: where its tables are.
        view: name of the view.
        since: the first instant of the range; UTC if it has no zone.
        until: the first instant after it.
        run_id: the run this belongs to; a new one by default.

    Raises:
        ConfigError: the view is unknown or timeless, was never built, or was built from another definition; the range is empty.
        TableNotFoundError: a table that the view is made from is not there.
    """
    declared, run = use_case.require_view(view), run_id or new_run_id()
    first, last = instant_microseconds(since), instant_microseconds(until) - 1
    if declared.timestamp is None:
        raise ConfigError(
            f"features.{view} is timeless: it has no range. Build it: `sparkml-ops features {use_case.name}`."
        )
    if last < first:
        raise ConfigError(f"from {since} to {until} is no range: the end has to come after the beginning.")
    _require_built(use_case, lake, view)
    build_view(use_case, lake, name=view, full=False, run_id=run)
    with record_step(lake, run_id=run, step=f"features:{view}", config_hash=hash_view(declared)) as record:
        before = _require_built(use_case, lake, view)
        versions = {table: one.version for table, one in before.inputs.items()}
        source, _ = resolve_relation(lake, declared.relation, versions=versions)
        decision = Decision("range", "asked for", source, before, before)
        commit = _replace_range(declared, lake, decision, touch_range(first, last), name=view, mark=run)
        assert commit is not None  # of the types that the build has just made
        _record(record, versions, commit, {"action": "backfill", "first": str(since), "before": str(until)})
        record_statistics(use_case, lake, view=view, commit=commit, run_id=run)
    return FeaturesResult(run, {view: commit})


def build_view(use_case: "UseCase", lake: "Lake", *, name: str, full: bool, run_id: str) -> Commit:
    """Build the table of one view, in one commit, unless it is up to date.

    Raises:
        ConfigError: the view does not fit its relation.
        TableNotFoundError: a table that it is made from is not there.
    """
    view = use_case.features[name]
    with record_step(lake, run_id=run_id, step=f"features:{name}", config_hash=hash_view(view)) as record:
        decision = decide_view(view, lake, name=name, full=full)
        decision, commit = _carry_out(view, lake, decision, name=name, mark=run_id if full else "")
        details: dict[str, object] = {"action": decision.action, "reason": decision.reason}
        if decision.changes is not None:
            details |= {"events": decision.changes.events, "slices": decision.changes.touched.slices()}
            details |= dict(zip(("first", "last"), map(str, decision.changes.touched.span() or ()), strict=False))
        _record(record, decision.inputs(), commit, details)
        if commit.status == "committed":
            left_out = _count_left_out(view, decision, name)
            record.note("events_left_out", left_out)
            logger.info(
                "features %s: %s, because %s: %d rows in v%d, %d events left out",
                *(name, decision.action, decision.reason, commit.rows, commit.version, left_out),
            )
        record_statistics(use_case, lake, view=name, commit=commit, run_id=run_id)
    return commit


def _carry_out(
    view: "FeatureView", lake: "Lake", decision: Decision, *, name: str, mark: str
) -> tuple[Decision, Commit]:
    """Do what was decided; or build the whole, where only the rows that were computed tell that a range does not fit."""
    if decision.action == "nothing":
        assert decision.before is not None  # there is a table
        return decision, Commit(features_table(name), decision.before.version, 0, "skipped_duplicate")
    if decision.action == "range":
        commit = _replace_range(view, lake, decision, decision.touched(), name=name)
        if commit is not None:
            return decision, commit
        decision = replace(
            decision, action="whole", reason=f"{decision.reason}, and its columns are of other types now", changes=None
        )
    return decision, _replace_whole(view, lake, decision, name=name, mark=mark)


def _replace_whole(view: "FeatureView", lake: "Lake", decision: Decision, *, name: str, mark: str) -> Commit:
    rows = with_comments(compute_features(decision.source, view, name=name), comment_view(view))
    fingerprint = decision.target.to_fingerprint(mark)
    with grouping_rows(lake, GROUP_BYTES):
        return replace_table(lake, features_table(name), rows, write_id=name_write(name), fingerprint=fingerprint)


def _replace_range(
    view: "FeatureView", lake: "Lake", decision: Decision, touched: Touched, *, name: str, mark: str = ""
) -> Commit | None:
    """Replace the touched rows; None where the table's columns are not of the types of these."""
    table = features_table(name)
    before = read_table(lake, table)
    condition = tell_condition(touched, before.schema, view.entity)
    with ThreadPoolExecutor(1) as beside:  # what is replaced is looked for while events are counted
        looking = beside.submit(inheritable_thread_target(lake.spark)(find_replaced), lake, table, condition)
        rows = compute_features(decision.source, view, name=name, touched=touched)
        found = looking.result()
    if rows.dtypes != before.dtypes:
        return None
    fingerprint = decision.target.to_fingerprint(mark)
    with grouping_rows(lake, GROUP_BYTES):
        return replace_where(
            lake, table, rows, condition=found or condition, write_id=name_write(name), fingerprint=fingerprint
        )


def _record(record: "StepRecord", inputs: dict[str, int], commit: Commit, details: dict[str, object]) -> None:
    for table, version in inputs.items():
        record.read(table, version)
    record.wrote(commit)
    record.note("build", json.dumps(details, sort_keys=True))


def _count_left_out(view: "FeatureView", decision: Decision, name: str) -> int:
    """Events that say nothing, of those that were looked at."""
    if decision.changes is not None:
        return decision.changes.left_out
    events = find_events(decision.source, view, name=name)
    return int(events.agg(F.count_if(says_nothing(view))).collect()[0][0])


def _require_built(use_case: "UseCase", lake: "Lake", view: str) -> Built:
    before = read_built(lake, view)
    if before is not None and before.is_ours and before.definition == hash_view(use_case.features[view]):
        return before
    why = "was never built" if before is None else "was built from another definition, or changed by another hand"
    raise ConfigError(
        f"{features_table(view)} {why}: a range alone would not fit the rest. Build the whole first: "
        f"`sparkml-ops features {use_case.name} --view {view}`."
    )
