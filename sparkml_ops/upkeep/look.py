"""What a table's files would gain by upkeep, and what it must keep. Nothing is written here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.maintenance import SHORTEST_KEEP
from sparkml_ops.config.types import format_duration
from sparkml_ops.lake.history import find_change
from sparkml_ops.lake.tables import read_history
from sparkml_ops.lake.upkeep import (
    KEEP_VERSIONS,
    SMALL_FILE,
    OldFiles,
    TableDetail,
    describe_detail,
    find_old_files,
    list_files,
    list_names,
    shortest_retention,
    version_at,
)
from sparkml_ops.upkeep.needs import KeptVersion, Needs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

ENOUGH_SMALL_FILES = 8  # fewer are read faster than they are rewritten


@dataclass(frozen=True)
class Look:
    """A table before its upkeep.

    Attributes:
        table: its name.
        detail: its files.
        small_files: how many are worth packing; 0 where that would not pay.
        cluster_by: the columns that it is to be clustered by from now on; None when it is, or when none are declared.
        has_unclustered: it is clustered, and rows came in since.
        old: files that no version needs.
        kept: old versions that stay readable, oldest first.
        retention: how long a file stays in any case.
        keeps_versions: its properties let old versions be read.
    """

    table: str
    detail: TableDetail
    small_files: int
    cluster_by: tuple[str, ...] | None
    has_unclustered: bool
    old: OldFiles
    kept: tuple[KeptVersion, ...]
    retention: timedelta
    keeps_versions: bool

    @property
    def is_compacted(self) -> bool:
        """Whether files are to be rewritten."""
        return bool(self.small_files or self.cluster_by or self.has_unclustered)

    def list_actions(self) -> dict[str, str]:
        """What is to be done, each with why."""
        found = {}
        if not self.keeps_versions:
            found["versions_kept"] = "versions are needed that Delta would not read after 7 days"
        if self.cluster_by:
            found["clustered"] = f"declared: {', '.join(self.cluster_by)}"
        if self.small_files:
            found["compacted"] = f"{self.small_files} small files"
        elif self.is_compacted:
            found["compacted"] = "rows came in that are not clustered"
        if self.old.files:
            found["vacuumed"] = f"{len(self.old.files)} files that no version needs, {self.old.orphans} of them orphans"
        return found


def look_at_table(use_case: "UseCase", lake: "Lake", table: str, *, needs: Needs, now: datetime) -> Look:
    """Look at one table."""
    detail, history = describe_detail(lake, table), read_history(lake, table)
    keep = use_case.maintenance.keep
    retention = shortest_retention(lake, detail, keep)
    before = now - retention
    needed = needs.versions.get(table, ())
    at_cut = version_at(history, before)
    kept = _add_days(needed, _list_days(history, at_cut), retention)
    small, old = 0, OldFiles()
    is_young = at_cut is None and history[-1]["version"] == 0
    if detail.files >= ENOUGH_SMALL_FILES or not is_young:  # else there is nothing to be found, and most tables are so
        files, newest = list_files(lake, detail), list_names(lake, table)
        small = sum(file.bytes < SMALL_FILE for file in files if file.name in newest)
        cut = before.timestamp() * 1000
        left = [file for file in files if file.modified_at < cut and file.name not in newest]
        old = find_old_files(lake, table, detail, left, needed=[one.version for one in kept])
    wanted = tuple(use_case.maintenance.cluster_by.get(table, ()))
    is_clustered = wanted == detail.clustered_by
    return Look(
        table=table,
        detail=detail,
        small_files=small if small >= ENOUGH_SMALL_FILES else 0,
        cluster_by=wanted if wanted and not is_clustered else None,
        has_unclustered=bool(wanted) and is_clustered and _changed_since_optimize(history),
        old=old,
        kept=kept,
        retention=retention,
        keeps_versions=KEEP_VERSIONS.items() <= detail.properties.items() or not (needed or keep > SHORTEST_KEEP),
    )


def _list_days(history: "Sequence[Any]", at_cut: int | None) -> list[int]:
    """The version of so many days ago, and those that brought older files back since.

    What else came since has files that are not old enough to go: so all versions from there on are readable.
    """
    first: int = history[-1]["version"] if at_cut is None else at_cut
    restored = [entry["version"] for entry in history if entry["operation"] == "RESTORE" and entry["version"] > first]
    return [first, *sorted(restored)]


def _add_days(
    needed: "Sequence[KeptVersion]", versions: "Sequence[int]", retention: timedelta
) -> tuple[KeptVersion, ...]:
    reasons = {one.version: one.reasons for one in needed}
    for version in versions:
        reasons[version] = (*reasons.get(version, ()), f"the last {format_duration(retention)} (maintenance.keep)")
    return tuple(KeptVersion(at, reasons[at]) for at in sorted(reasons))


def _changed_since_optimize(history: "Sequence[Any]") -> bool:
    optimized = max((entry["version"] for entry in history if entry["operation"] == "OPTIMIZE"), default=-1)
    return (find_change(history) or 0) > optimized
