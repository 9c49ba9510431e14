"""What a build of a view would do, and why: nothing, a range of its rows, or all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as F

from sparkml_ops.config.sql import table_names
from sparkml_ops.config.sql_rows import find_obstacle
from sparkml_ops.features.built import Built, note_inputs, read_built
from sparkml_ops.features.definitions import features_table
from sparkml_ops.features.events import find_events
from sparkml_ops.features.touched import ChangedEvents, Touched, measure_changes, tell_condition
from sparkml_ops.lake import (
    Difference,
    change_version,
    find_difference,
    read_table,
    resolve_relation,
    resolve_table_name,
    table_exists,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.types import Relation
    from sparkml_ops.lake import Lake

Action = Literal["nothing", "range", "whole"]
MOST = 0.5
"""Of an input: where more of it is new, the whole view is built again, which costs less."""


@dataclass(frozen=True)
class ViewPlan:
    """What a build of a view would do.

    Attributes:
        view: its name.
        action: nothing, a range of its rows, or the whole.
        reason: why.
        inputs: versions of the tables that are read, by name.
        events: changed events that the range comes from.
        rows: rows of the table that are replaced by it.
        first: the first instant of the range; None unless there is one.
        last: the last one.
        slices: how many of the 256 slices of the entities are touched.
    """

    view: str
    action: Action
    reason: str
    inputs: dict[str, int]
    events: int | None = None
    rows: int | None = None
    first: datetime | None = None
    last: datetime | None = None
    slices: int | None = None


@dataclass(frozen=True)
class Decision:
    """A plan with what it takes to carry it out.

    Attributes:
        action: nothing, a range of its rows, or the whole.
        reason: why.
        source: rows of the view's relation.
        target: the state that the table is in after it.
        before: the state that it is in now, where it is known.
        changes: what changed, where that is looked at.
    """

    action: Action
    reason: str
    source: "DataFrame"
    target: Built
    before: Built | None = None
    changes: ChangedEvents | None = None

    def inputs(self) -> dict[str, int]:
        """Versions of the tables that are read."""
        return {table: one.version for table, one in self.target.inputs.items()}

    def touched(self) -> Touched:
        """The rows of the range."""
        assert self.changes is not None  # of a range
        return self.changes.touched


def decide_view(view: "FeatureView", lake: "Lake", *, name: str, full: bool = False) -> Decision:
    """Decide what has to be done so that the table holds what the newest inputs make; reads changed rows alone.

    Raises:
        ConfigError: the view does not fit its relation.
        TableNotFoundError: a table that it is made from is not there.
    """
    source, versions = resolve_relation(lake, view.relation)
    target, before = note_inputs(lake, view, versions), read_built(lake, name)
    if before is None:
        return Decision("whole", "never built, or by an earlier release", source, target)
    reason = "asked for" if full else _find_other_table(before, target)
    if reason is not None:
        return Decision("whole", reason, source, target, before)
    moved = [
        table for table, one in before.inputs.items() if change_version(lake, table, at=versions[table]) > one.version
    ]
    if not moved:
        return Decision("nothing", "nothing changed", source, target, before)
    found = _find_difference(view, lake, before, target, moved)
    if isinstance(found, str):
        return Decision("whole", found, source, target, before)
    rows, _ = resolve_relation(lake, view.relation, versions=versions, instead={moved[0]: found.read_rows()})
    changes = measure_changes(find_events(rows, view, name=name), view)
    told = f"{moved[0]} changed from v{before.inputs[moved[0]].version} to v{versions[moved[0]]}"
    if not changes.touched.slices():
        return Decision("nothing", f"{told}, in no event of this view", source, target, before, changes)
    return Decision("range", told, source, target, before, changes)


def plan_view(view: "FeatureView", lake: "Lake", *, name: str, full: bool = False) -> ViewPlan:
    """As `decide_view`, in words and figures.

    Raises:
        ConfigError: the view does not fit its relation.
        TableNotFoundError: a table that it is made from is not there.
    """
    unbuilt = _find_unbuilt(view.relation, lake)
    if unbuilt:
        return ViewPlan(name, "whole", f"{unbuilt} comes first, which was never built", {})
    decision = decide_view(view, lake, name=name, full=full)
    events = None if decision.changes is None else decision.changes.events
    if decision.action != "range":
        return ViewPlan(name, decision.action, decision.reason, decision.inputs(), events)
    touched = decision.touched()
    first, last = touched.span() or (None, None)
    rows = count_touched(lake, name, touched, view.entity)
    return ViewPlan(name, "range", decision.reason, decision.inputs(), events, rows, first, last, touched.slices())


def _find_unbuilt(relation: "Relation", lake: "Lake") -> str | None:
    """The table of another view that a relation reads and that is not there yet."""
    names = [relation.table] if relation.table else sorted(table_names(relation.sql)) if relation.sql else []
    tables = [resolve_table_name(lake, name) for name in names]
    return next((name for name in tables if name.startswith(features_table("")) and not table_exists(lake, name)), None)


def count_touched(lake: "Lake", view: str, touched: Touched, entity: Sequence[str]) -> int:
    """Rows of a view's table that are touched."""
    table = read_table(lake, features_table(view))
    return table.filter(F.expr(tell_condition(touched, table.schema, entity))).count()


def _find_other_table(before: Built, target: Built) -> str | None:
    """Why what is there cannot be gone on with."""
    if before.definition != target.definition:
        return "its definition changed"
    if not before.is_ours:
        return f"its rows were changed by another hand since v{before.version}"
    if before.inputs.keys() != target.inputs.keys():
        return f"it reads other tables: {', '.join(sorted(target.inputs.keys() ^ before.inputs.keys()))}"
    for table, one in target.inputs.items():
        known = before.inputs[table]
        if known.id != one.id or known.version > one.version:
            return f"{table} is another table of this name, or was set back: it is at v{one.version}, and v{known.version} was read"
    return None


def _find_difference(
    view: "FeatureView", lake: "Lake", before: Built, target: Built, moved: Sequence[str]
) -> Difference | str:
    """What changed in the one input that did; or why that is not to be gone by."""
    if len(moved) > 1:
        return f"{len(moved)} of its inputs changed: {', '.join(moved)}"
    table = moved[0]
    obstacle = _find_obstacle(lake, view.relation, table)
    if obstacle is not None:
        return f"{table} changed, and {obstacle}"
    since, until = before.inputs[table].version, target.inputs[table].version
    difference = find_difference(lake, table, since=since, until=until)
    if difference is None:
        return f"{table} changed, and its log does not tell how after v{since}"
    if difference.share > MOST:
        return f"{table} changed, and {min(difference.share, 1):.0%} of it is new"
    return difference


def _find_obstacle(lake: "Lake", relation: "Relation", table: str) -> str | None:
    if relation.python is not None:
        return "what a Python function makes of it is not known"
    if relation.sql is None:
        return None
    return find_obstacle(relation.sql, lambda name: resolve_table_name(lake, name) == table)
