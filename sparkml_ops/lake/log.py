"""A table's log on this machine, read as the files that it is: asking Spark for it takes longer than a small commit.

The format is Delta's protocol (https://github.com/delta-io/delta/blob/master/PROTOCOL.md): one file of JSON lines for each
version, of which one line, `commitInfo`, tells what the writer says of the commit.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

_COMMIT = re.compile(r"\d{20}\.json")


def read_log(table: Path, *, limit: int | None = None) -> list[Mapping[str, Any]] | None:
    """What `DESCRIBE HISTORY` tells of a table, newest version first, by the names of its columns.

    Args:
        table: the table's folder.
        limit: of how many versions, counted from the newest; all by default.

    Returns:
        The entries; None where these files do not tell it all, so that Delta is to be asked, which says what is wrong.
    """
    try:
        files = sorted(file for file in (table / "_delta_log").iterdir() if _COMMIT.fullmatch(file.name))
        newest = files[-limit:] if limit else files
        entries = [_read_commit(file) for file in newest]
    except (OSError, ValueError):
        return None
    versions = [entry["version"] for entry in entries]
    if not versions or versions != [*range(versions[0], versions[-1] + 1)]:
        return None
    return _in_order(entries)[::-1]


def _read_commit(file: Path) -> dict[str, Any]:
    changed_at = file.stat().st_mtime_ns // 1_000_000
    info = _find_info(file)
    return {
        "version": int(file.stem),
        "timestamp": info.get("inCommitTimestamp") or changed_at,
        "operation": info.get("operation"),
        "operationParameters": {
            name: _as_text(value) for name, value in (info.get("operationParameters") or {}).items()
        },
        "operationMetrics": info.get("operationMetrics"),
        "userMetadata": info.get("userMetadata"),
    }


def _find_info(file: Path) -> dict[str, Any]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            action = json.loads(line)
            if not isinstance(action, dict):
                raise ValueError(f"{file} has a line that is no action")  # noqa: TRY004  # of the file, not of a caller
            if "commitInfo" in action:
                info: dict[str, Any] = action["commitInfo"]
                return info
    return {}


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _in_order(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A file may be no younger than the one before it; to Delta each version is a millisecond later at least."""
    last = 0
    found: list[Mapping[str, Any]] = []
    for entry in entries:
        last = max(entry["timestamp"], last + 1)
        found.append({**entry, "timestamp": datetime.fromtimestamp(last / 1000)})  # noqa: DTZ006  # local, as Spark gives it
    return found
