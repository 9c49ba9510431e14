"""What an export has to do, from what is published and what the target has. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sparkml_ops.delivery.marker import Marker

Mode = Literal["whole", "incremental", "batch", "unchanged"]


@dataclass(frozen=True)
class ExportPlan:
    """What is to be done, and why.

    Attributes:
        mode: whole (every published row), incremental (what changed since), batch (the rows of one batch), or unchanged.
        reason: why, in words.
        since: the version that the target has; None where that does not count.
    """

    mode: Mode
    reason: str
    since: int | None = None


def plan_export(
    markers: Mapping[str, Marker], *, version: int, table_id: str, batch: str | None, full: bool
) -> ExportPlan:
    """Choose what is to be done.

    Args:
        markers: what was exported before, by scope: a batch's name, or empty for all that is published.
        version: that is published now.
        table_id: of the table that it is a version of.
        batch: the batch to export; None for all.
        full: bring all rows, whatever the target has.
    """
    done = [markers.get(""), markers.get(batch) if batch is not None else None]
    newest = [marker for marker in done if marker and (marker.version, marker.table_id) == (version, table_id)]
    if newest and not full:
        return ExportPlan("unchanged", f"the target has v{version} already", version)
    if batch is not None:
        return ExportPlan("batch", "as asked")
    return _plan_whole(markers, version=version, table_id=table_id, full=full)


def _plan_whole(markers: Mapping[str, Marker], *, version: int, table_id: str, full: bool) -> ExportPlan:
    last = markers.get("")
    if full:
        return ExportPlan("whole", "as asked")
    if last is None:
        alone = " but single batches" if markers else ""
        return ExportPlan("whole", f"nothing was exported there before{alone}")
    if last.table_id != table_id:
        return ExportPlan("whole", "predictions_current was made anew since the last export")
    if last.version > version:
        return ExportPlan("whole", f"the target has v{last.version}, and the newest is v{version}")
    return ExportPlan("incremental", f"the target has v{last.version}", last.version)
