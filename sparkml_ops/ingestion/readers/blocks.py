"""Files of text -> pieces, which are read side by side, and blocks of whole lines, of which one is in memory at a time."""

import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

BLOCK_BYTES = 8_000_000
_LONGEST_LINE_BYTES = 64_000_000
_LOCAL = re.compile(r"^(?:file:(?://)?)?(?P<path>/.*)$", re.DOTALL)
_GZIP = ".gz"
_OTHERS_PACKED = (".bz2", ".zst", ".lz4", ".snappy", ".deflate", ".xz")


class NoLinesError(ValueError):
    """What should be text has no line end for as long as nobody writes a line."""


@dataclass(frozen=True)
class Piece:
    """A part of a file that is read by one task: the lines that begin in it.

    Attributes:
        path: of a file on this machine.
        start: its first byte.
        end: the byte after its last; None for the rest of the file.
        kind: says which of several kinds of files it is of.
    """

    path: str
    start: int
    end: int | None
    kind: int = 0


def find_local(path: str) -> str | None:
    """Where on this machine a file is that Python can read as Spark does; None for others."""
    found = _LOCAL.match(path)
    return found["path"] if found and not path.lower().endswith(_OTHERS_PACKED) else None


def cut_pieces(files: Iterable[tuple[str, int, int]], *, most_bytes: int) -> list[list[Piece]]:
    """Pieces of about as many bytes, by the tasks that read them: large files are cut, small ones put together.

    Args:
        files: path, size in bytes and kind of each.
        most_bytes: what a task reads; a packed file is never cut.
    """
    tasks: list[list[Piece]] = [[]]
    filled = 0
    for path, size, kind in files:
        step = size if _is_packed(path) else most_bytes
        for start in range(0, size, max(step, 1)):
            end = None if start + step >= size else start + step
            length = (size if end is None else end) - start
            if filled and filled + length > most_bytes:
                tasks.append([])
                filled = 0
            tasks[-1].append(Piece(path, start, end, kind))
            filled += length
    return [task for task in tasks if task]


def read_blocks(piece: Piece, *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The lines of a piece, whole, many at a time; the last line of a file need not have an end.

    Raises:
        NoLinesError: a line is longer than anybody writes one.
        OSError: the file cannot be read, or is not packed as its name says.
    """
    with _open(piece.path) as file:
        if piece.start:
            file.seek(piece.start - 1)
            _read_line(file)  # begins in the piece before
        at = file.tell()
        while piece.end is None or at < piece.end:
            block = file.read(block_bytes if piece.end is None else min(block_bytes, piece.end - at))
            if not block:
                return
            block = block if block.endswith(b"\n") else block + _read_line(file)
            at += len(block)
            yield block


def _is_packed(path: str) -> bool:
    return path.lower().endswith(_GZIP)


def _open(path: str) -> BinaryIO:
    if _is_packed(path):
        return cast("BinaryIO", gzip.open(path))
    return Path(path).open("rb")


def _read_line(file: BinaryIO) -> bytes:
    line = file.readline(_LONGEST_LINE_BYTES)
    if len(line) == _LONGEST_LINE_BYTES and not line.endswith(b"\n"):
        raise NoLinesError(f"no line ends within {_LONGEST_LINE_BYTES} bytes")
    return line
