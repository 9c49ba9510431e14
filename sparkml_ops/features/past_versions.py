"""Which versions of some tables there were at some moments."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Commits = Sequence[tuple[int, int]]
"""Versions of a table that can be asked for, oldest first, each with the microsecond at which it was committed."""


@dataclass(frozen=True)
class PastState:
    """Tables as they were together, and the rows whose moments lie there."""

    versions: dict[str, int]
    rows: tuple[int, ...]


def find_states(commits: Mapping[str, Commits], moments: Sequence[int]) -> tuple[list[PastState], int]:
    """The states of some tables at some moments.

    Args:
        commits: the history of each table.
        moments: microseconds since 1970, by the number of the row.

    Returns:
        The states, the one with the most rows first, and how many rows lie before some table's history begins.
    """
    rows: dict[tuple[int, ...], list[int]] = {}
    before = 0
    for row, moment in enumerate(moments):
        found = [_version_at(history, moment) for history in commits.values()]
        known = tuple(version for version in found if version is not None)
        if len(known) < len(found):
            before += 1
        else:
            rows.setdefault(known, []).append(row)
    states = [PastState(dict(zip(commits, versions, strict=True)), tuple(those)) for versions, those in rows.items()]
    return sorted(states, key=lambda state: (-len(state.rows), [*state.versions.values()])), before


def _version_at(history: Commits, moment: int) -> int | None:
    position = bisect_right([at for _, at in history], moment) - 1
    return None if position < 0 else history[position][0]
