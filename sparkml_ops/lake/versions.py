"""Which version of a table a write made, found, or was made beside."""

from collections.abc import Collection
from datetime import datetime

from sparkml_ops.lake.history import WrittenBy, commits_in_effect
from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.tables import read_history, table_exists


def find_write(lake: Lake, table: str, write_id: str) -> WrittenBy | None:
    """The commit by which a write is in effect in the newest version of a table, or None."""
    if not table_exists(lake, table):
        return None
    return next(
        (commit for commit in commits_in_effect(read_history(lake, table)) if commit.write_id == write_id), None
    )


def find_newest_write(lake: Lake, table: str, prefix: str) -> tuple[WrittenBy, datetime] | None:
    """The newest write in effect whose name begins so, and when it was committed, in local time; or None."""
    if not table_exists(lake, table):
        return None
    history = read_history(lake, table)
    found = next((commit for commit in commits_in_effect(history) if commit.write_id.startswith(prefix)), None)
    if found is None:
        return None
    return found, next(entry["timestamp"] for entry in history if entry["version"] == found.version)


def version_before(lake: Lake, table: str, write_id: str) -> int | None:
    """The version that a write of this name found; the newest where it is not in effect. None where there was no table.

    So what is decided by the rows of a table is decided the same when a killed batch is gone on with.
    """
    if not table_exists(lake, table):
        return None
    history = read_history(lake, table)
    done = next((commit for commit in commits_in_effect(history) if commit.write_id == write_id), None)
    version = int(history[0]["version"]) if done is None else done.version - 1
    return version if version >= 0 else None


def version_beside(lake: Lake, table: str, *, of: Collection[str], write_id: str) -> int:
    """The version that a table had when a write of this name was committed to another; the newest where it is not in effect.

    Args:
        lake: where the tables are.
        table: the table.
        of: the tables that the write may have gone to.
        write_id: names the write.
    """
    versions = read_history(lake, table)
    for other in of:
        done = find_write(lake, other, write_id)
        if done is not None:
            at = next(entry["timestamp"] for entry in read_history(lake, other) if entry["version"] == done.version)
            before = [int(entry["version"]) for entry in versions if entry["timestamp"] <= at]
            return max(before, default=int(versions[-1]["version"]))
    return int(versions[0]["version"])
