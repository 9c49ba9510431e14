"""Which rows of the mapped matrix are of which segment: found once per machine, beside the rows, and mapped as they are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.errors import TrainingError
from sparkml_ops.models.segments import Groups, encode_texts, group_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow.dataset import Dataset

PREFIX = "_segment"
"""Of columns of the matrix's folder with the texts by which segments are told, one for each level: `_segment0_origin`, …"""
FOLDER = "segments"
SMALLEST = 50
"""Rows to fit on that a segment needs to be listed at all: `segment_by.minimum_rows` is at least this."""
MAX_VALUES = 1_000_000
"""Of one column: past it the column names rows, not segments."""
_DAY = 86_400_000_000


@dataclass(frozen=True)
class MappedLevel:
    """The segments of one level that have at least `SMALLEST` rows to fit on.

    Attributes:
        names: Of the segments, in order.
        parents: Of each, the position on the level above; 0 on the first.
        codes: Position of each row's segment, or -1, shape (rows,).
        order: Positions of the rows of all these segments, one after the other, each in the matrix's order.
        starts: Where in `order` each begins, and behind them where the last ends.
        fitted: How many rows of each are to fit on; the others are to tune on.
        too_small: How many segments are left out, and their rows.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    codes: "NDArray[np.int32]"
    order: "NDArray[np.int64]"
    starts: "NDArray[np.int64]"
    fitted: "NDArray[np.int64]"
    too_small: tuple[int, int]

    def rows_of(self, position: int) -> "NDArray[np.int64]":
        """Positions of the rows of a segment, those to fit on first."""
        return self.order[self.starts[position] : self.starts[position + 1]]


@dataclass(frozen=True)
class MappedSegments:
    """The levels, and the day of each row as days since 1970, shape (rows,)."""

    levels: tuple[MappedLevel, ...]
    days: "NDArray[np.int32]"

    def groups(self) -> list[Groups]:
        """The segments of each row, as they are told when rows are scored."""
        return [Groups(np.asarray(level.codes, dtype=np.int64), level.names, level.parents) for level in self.levels]


def save_segments(
    files: "Dataset", order: "NDArray[np.int64]", times: "NDArray[np.int64]", *, place: Path, fitted: int
) -> None:
    """Find the segments of the rows and write them into a folder; nothing where the rows have no such columns.

    Args:
        files: What `write_matrix` wrote.
        order: The order of the rows when they are mapped.
        times: Of each row, as it was written, microseconds since 1970.
        place: The folder of the mapped rows.
        fitted: How many rows are to fit on.

    Raises:
        TrainingError: A column has more values than segments can be.
    """
    columns = sorted(name for name in files.schema.names if name.startswith(PREFIX))
    if not columns:
        return
    folder = place / FOLDER
    folder.mkdir()
    encoded = [_encode_column(files, name) for name in columns]
    names = [_name_column(name) for name in columns]
    found = group_rows([codes[order] for codes, _ in encoded], [values for _, values in encoded], names)
    np.save(folder / "days.npy", (times[order] // _DAY).astype(np.int32))
    kept_above = np.zeros(1, dtype=np.int64)
    listed = []
    for at, groups in enumerate(found):
        plain, kept_above = _save_level(groups, kept_above, folder, at=at, fitted=fitted)
        listed.append(plain)
    (folder / "levels.json").write_text(json.dumps(listed))


def load_segments(place: Path) -> MappedSegments | None:
    """What `save_segments` wrote beside the mapped rows; None where it wrote nothing."""
    folder = place / FOLDER
    if not folder.exists():
        return None
    levels = []
    for at, plain in enumerate(json.loads((folder / "levels.json").read_text())):
        codes, order, starts, fitted = (
            np.load(folder / f"{name}{at}.npy", mmap_mode="r") for name in ("codes", "order", "starts", "fitted")
        )
        names, parents, too_small = (tuple(plain[key]) for key in ("names", "parents", "too_small"))
        levels.append(MappedLevel(names, parents, codes, order, starts, fitted, too_small))
    return MappedSegments(tuple(levels), np.load(folder / "days.npy", mmap_mode="r"))


def _name_column(written: str) -> str:
    return written.split("_", 2)[2]


def _encode_column(files: "Dataset", name: str) -> tuple["NDArray[np.int64]", list[str]]:
    """Batch by batch, so that no more than the distinct texts are held."""
    known: dict[str, int] = {}
    parts = []
    for batch in files.to_batches(columns=[name]):
        codes, values = encode_texts(batch.column(0))
        mine = [known.setdefault(value, len(known)) for value in values]
        parts.append(np.array([*mine, -1], dtype=np.int32)[codes])
        if len(known) > MAX_VALUES:
            raise TrainingError(
                f"model.segment_by: {_name_column(name)} has more than {MAX_VALUES:,} values: it names rows, not segments."
            )
    values = sorted(known)
    ranks = np.empty(len(values) + 1, dtype=np.int64)
    ranks[[known[value] for value in values]] = np.arange(len(values))
    ranks[-1] = -1
    return ranks[np.concatenate([np.empty(0, dtype=np.int32), *parts])], values


def _save_level(
    groups: Groups, kept_above: "NDArray[np.int64]", folder: Path, *, at: int, fitted: int
) -> tuple[dict[str, object], "NDArray[np.int64]"]:
    """Write one level; gives what is listed of it, and of each segment its new position, or -1."""
    count = len(groups.names)
    to_fit = np.bincount(groups.codes[:fitted][groups.codes[:fitted] >= 0], minlength=count)
    rows = np.bincount(groups.codes[groups.codes >= 0], minlength=count)
    is_kept = to_fit >= SMALLEST
    positions = np.append(np.where(is_kept, np.cumsum(is_kept) - 1, -1), -1)
    codes = positions[groups.codes]
    order = np.argsort(np.where(codes < 0, count, codes), kind="stable")[: int((codes >= 0).sum())]
    starts = np.concatenate([[0], np.cumsum(rows[is_kept])]).astype(np.int64)
    np.save(folder / f"codes{at}.npy", codes.astype(np.int32))
    np.save(folder / f"order{at}.npy", order)
    np.save(folder / f"starts{at}.npy", starts)
    np.save(folder / f"fitted{at}.npy", to_fit[is_kept])
    plain: dict[str, object] = {
        "names": [name for name, kept in zip(groups.names, is_kept, strict=True) if kept],
        "parents": [int(kept_above[p]) for p, kept in zip(groups.parents, is_kept, strict=True) if kept],
        "too_small": [int((~is_kept).sum()), int(rows[~is_kept].sum())],
    }
    return plain, positions[:-1]
