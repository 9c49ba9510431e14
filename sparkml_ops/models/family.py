"""Models per segment beside the model of all rows: in one file with an index in front, each parsed when it is first asked.

The file is a line of JSON (columns, and of each segment its place, length and sha256) and behind it the estimators, each in the format of
its kind and compressed by zlib. A row is served by the deepest segment of it that has a model; else by the model of all rows.
"""

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.errors import ModelError
from sparkml_ops.models.kinds._base import EstimatorKind
from sparkml_ops.models.segments import (
    GLOBAL,
    Groups,
    SegmentColumn,
    count_levels,
    encode_texts,
    group_rows,
    read_texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

SEGMENTS_FILE = "segments.bin"
PARSED_BYTES = 256 * 2**20
"""Of estimators, as they are stored without compression: so much of them one process keeps parsed, those asked last."""


class _Parsed:
    """Estimators that were asked last, as many as `PARSED_BYTES` hold; threads may share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, code: int, read: Any) -> Any:
        with self._lock:
            if code not in self._kept:
                self._kept[code] = read()
                self._bytes += self._kept[code][1]
                while self._bytes > PARSED_BYTES and len(self._kept) > 1:
                    self._bytes -= self._kept.popitem(last=False)[1][1]
            self._kept.move_to_end(code)
            return self._kept[code][0]

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[type["_Parsed"], tuple[()]]:
        """What travels or is copied begins empty: a lock cannot travel."""
        return _Parsed, ()


@dataclass(frozen=True)
class Member:
    """Where the estimator of one segment is in the file."""

    at: int
    length: int
    sha256: str


@dataclass(frozen=True)
class Family:
    """The models of segments.

    Attributes:
        columns: By which segments are told, first level first.
        names: Segments that have a model; a row's code is the position in it plus 1, and 0 is the model of all rows.
        members: Where each is, in the order of the names.
        content: The file.
        start: Where in the file the first estimator begins.
    """

    columns: tuple[SegmentColumn, ...]
    names: tuple[str, ...]
    members: tuple[Member, ...]
    content: bytes = field(repr=False)
    start: int = field(repr=False)
    _parsed: _Parsed = field(default_factory=_Parsed, compare=False, repr=False)

    @property
    def segment_columns(self) -> list[str]:
        """Names of the columns that rows must have, beside the features."""
        return [column.name for column in self.columns]

    def check_columns(self, present: "Iterable[str]") -> None:
        """Refuse rows whose segment cannot be told.

        Raises:
            ModelError: Says which columns they lack.
        """
        missing = sorted(set(self.segment_columns) - set(present))
        if missing:
            raise ModelError(
                f"The rows lack {', '.join(missing)}, by which the model tells segments (model.segment_by): which model "
                "serves a row cannot be known."
            )

    def find_members(self, levels: Sequence[Groups]) -> "NDArray[np.int64]":
        """Which model serves each row, shape (rows,): that of the deepest level that has one."""
        codes = {name: at + 1 for at, name in enumerate(self.names)}
        served = np.zeros(len(levels[0].codes), dtype=np.int64)
        for groups in levels:
            of_segment = np.array([*(codes.get(name, 0) for name in groups.names), 0], dtype=np.int64)
            mine = of_segment[groups.codes]
            served = np.where(mine > 0, mine, served)
        return served

    def serve_batch(self, batch: "pa.RecordBatch") -> "NDArray[np.int64]":
        """Which model serves each row of an Arrow batch."""
        encoded = [encode_texts(read_texts(batch.column(column.name), column.kind)) for column in self.columns]
        codes, values = [code for code, _ in encoded], [known for _, known in encoded]
        return self.find_members(group_rows(codes, values, self.segment_columns))

    def serve_frame(self, frame: "pd.DataFrame") -> "NDArray[np.int64]":
        """Which model serves each row of a pandas frame.

        Raises:
            ModelError: Columns are missing, or hold what cannot be read.
        """
        import pyarrow as pa

        self.check_columns(frame.columns)
        try:
            return self.serve_batch(pa.RecordBatch.from_pandas(frame[self.segment_columns], preserve_index=False))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ModelError(f"The segments of the rows cannot be told: {error}") from error

    def name_members(self, served: "NDArray[np.int64]") -> "pa.Array":
        """The names of the models that served rows."""
        import pyarrow as pa

        return pa.array([GLOBAL, *self.names], type=pa.string()).take(pa.array(served))

    def count_served(self, rows: Mapping[str, int]) -> dict[str, int]:
        """Rows by the level of the model that served them, of rows by the model's name.

        Returns:
            `segment`: by a model of all columns; `parent`: of the first ones, since the segment itself has none; `global`: of all rows.
        """
        found = {"segment": 0, "parent": 0, GLOBAL: 0}
        for name, count in rows.items():
            is_deepest = name != GLOBAL and count_levels(name, self.segment_columns) == len(self.columns)
            found[GLOBAL if name == GLOBAL else "segment" if is_deepest else "parent"] += count
        return found

    def load_member(self, kind: EstimatorKind, code: int) -> Any:
        """The estimator of a code from 1 up.

        Raises:
            ModelError: Its part of the file is not what was packaged.
        """
        return self._parsed.find(code, lambda: self._read(kind, code))

    def _read(self, kind: EstimatorKind, code: int) -> tuple[Any, int]:
        member, name = self.members[code - 1], self.names[code - 1]
        stored = self.content[self.start + member.at : self.start + member.at + member.length]
        # A damaged part must not reach a native parser: LightGBM's ends the whole process.
        if hashlib.sha256(stored).hexdigest() != member.sha256:
            raise ModelError(f"The model of the segment {name} in {SEGMENTS_FILE} is damaged.")
        whole = zlib.decompress(stored)
        return kind.load_estimator(whole), len(whole)


def store_estimator(kind: EstimatorKind, estimator: Any) -> bytes:
    """An estimator as it lies in the file."""
    return zlib.compress(kind.dump_estimator(estimator))


def read_stored(kind: EstimatorKind, stored: bytes) -> Any:
    """What `store_estimator` wrote."""
    return kind.load_estimator(zlib.decompress(stored))


def pack_family(columns: Sequence[SegmentColumn], stored: Mapping[str, bytes]) -> Family:
    """The family of some segments.

    Args:
        columns: By which segments are told.
        stored: By the name of a segment, what `store_estimator` gave.
    """
    members, at = {}, 0
    for name in sorted(stored):
        members[name] = {"at": at, "length": len(stored[name]), "sha256": hashlib.sha256(stored[name]).hexdigest()}
        at += len(stored[name])
    head = {"columns": [asdict(column) for column in columns], "members": members}
    index = json.dumps(head, ensure_ascii=False).encode()
    return parse_family(b"\n".join([index, b"".join(stored[name] for name in sorted(stored))]))


def parse_family(content: bytes) -> Family:
    """Read the file; estimators are parsed when they are asked.

    Raises:
        ModelError: It is damaged.
    """
    head, _, rest = content.partition(b"\n")
    try:
        plain = json.loads(head)
        columns = tuple(SegmentColumn(**column) for column in plain["columns"])
        members = tuple(Member(**member) for member in plain["members"].values())
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"The file {SEGMENTS_FILE} is damaged: {error}") from error
    if sum(member.length for member in members) != len(rest):
        raise ModelError(f"The file {SEGMENTS_FILE} is damaged: it is not as long as its index says.")
    return Family(columns, tuple(plain["members"]), members, content, len(head) + 1)


def split_rows(served: "NDArray[np.int64]") -> Iterator[tuple[int, "NDArray[np.int64]"]]:
    """Each code that is there, and the positions of its rows in their order."""
    order = np.argsort(served, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(served[order])) + 1):
        if len(rows):
            yield int(served[rows[0]]), rows
