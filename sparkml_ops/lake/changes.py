"""How many rows came and went between two versions of a table, as its history tells it; no data is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake.history import KEEPS_ROWS
from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.tables import read_history, read_table

_APPENDS = frozenset({"STREAMING UPDATE", "COPY INTO"})
_MAKES_TABLE = frozenset({"CREATE TABLE", "ADD COLUMNS"})
_Figures = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
_FIGURES: dict[str, _Figures] = {
    "append": (("numOutputRows",), (), ()),
    "replace table": (("numOutputRows",), (), ("rowsBefore",)),
    "replace slice": (("numOutputRows", "-numCopiedRows"), (), ("numDeletedRows",)),
    "DELETE": ((), (), ("numDeletedRows",)),
    "UPDATE": ((), ("numUpdatedRows",), ()),
    "MERGE": (("numTargetRowsInserted",), ("numTargetRowsUpdated",), ("numTargetRowsDeleted",)),
}
"""By kind of commit, the metrics that add up to rows added, updated and removed; one with a minus is taken off."""


@dataclass(frozen=True)
class RowChanges:
    """Rows that were added, changed in place, and removed; a row that was written anew by an overwrite is both added and removed."""

    added: int = 0
    updated: int = 0
    removed: int = 0

    def and_then(self, other: "RowChanges") -> "RowChanges":
        """Both, one after the other."""
        return RowChanges(self.added + other.added, self.updated + other.updated, self.removed + other.removed)

    def backwards(self) -> "RowChanges":
        """The way back."""
        return RowChanges(self.removed, self.updated, self.added)


def count_rows(lake: Lake, table: str, *, version: int) -> int | None:
    """Rows of a table at a version, which Delta tells by the statistics of its files; None where that version is gone."""
    try:
        return read_table(lake, table, version=version).count()
    except TableNotFoundError:
        return None


def count_changes(lake: Lake, table: str, *, since: int, until: int) -> RowChanges | None:
    """What happened after one version up to another; backwards where the second is the older. None where nobody tells.

    Args:
        lake: where the table is.
        table: its name.
        since: a version.
        until: another.
    """
    if until < since:
        forwards = count_changes(lake, table, since=until, until=since)
        return None if forwards is None else forwards.backwards()
    try:
        commits = sorted(
            (entry for entry in read_history(lake, table) if since < entry["version"] <= until),
            key=lambda entry: int(entry["version"]),
        )
    except TableNotFoundError:
        return None
    if len(commits) < until - since:
        return None
    total, rows = RowChanges(), None
    for commit in commits:
        if _is_overwrite(commit):
            rows = count_rows(lake, table, version=commit["version"] - 1)
        change = _read_change(commit, rows)
        if change is None:
            return None
        total = total.and_then(change)
    return total


def _is_overwrite(commit: Mapping[str, Any]) -> bool:
    return _name_kind(commit) == "replace table"


def _read_change(commit: Mapping[str, Any], rows_before: int | None) -> RowChanges | None:
    """One commit, by the metrics that Delta keeps of it; None where they do not tell."""
    if commit["operation"] in KEEPS_ROWS | _MAKES_TABLE:
        return RowChanges()
    if _is_overwrite(commit) and rows_before is None:
        return None
    figures = dict(commit["operationMetrics"] or {}, rowsBefore=rows_before or 0)
    told = _FIGURES.get(_name_kind(commit))
    if told is None or any(name.lstrip("-") not in figures for names in told for name in names):
        return None
    counts = [sum(-int(figures[n[1:]]) if n[0] == "-" else int(figures[n]) for n in names) for names in told]
    return RowChanges(*counts)


def _name_kind(commit: Mapping[str, Any]) -> str:
    if commit["operation"] in _APPENDS:
        return "append"
    if commit["operation"] != "WRITE":
        return str(commit["operation"])
    said = commit["operationParameters"] or {}
    if said.get("mode") == "Overwrite":
        return "replace slice" if said.get("predicate") else "replace table"
    return "append" if said.get("mode") == "Append" else "unknown"
