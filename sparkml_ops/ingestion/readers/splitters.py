"""Text -> the rows in it, where a row may have several lines: small state machines that lose no character of a row.

They work on a stream of lines, each with its end, so what is held at hand is one row and never a file. What does not keep the
format is a piece with its whole text, and reading goes on behind it.
"""

import codecs
import re
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

NOT_TEXT = "row: is not in the source's `encoding`, which is utf-8 unless it names another"
AFTER_QUOTE = "row: a quote closes before its value ends"
CUT_OFF = "row: the file ends inside its array"
TOO_LONG = "row: goes on for too long; a quote or a bracket is left open"
FAULTS = (NOT_TEXT, AFTER_QUOTE, CUT_OFF, TOO_LONG)
MOST_CHARACTERS = 64_000_000
"""Of one row, which must fit into memory several times: a longer one comes in pieces, each with a fault."""

_NO_CHARACTER = "\udcff"  # stands for bytes that are none; no encoding can give it
_LINE_END = re.compile(r"\r\n|\r|\n")
_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\],\n]')


class Piece(NamedTuple):
    """A row's text; `number` counts from 0: lines up to its first one in CSV, values up to it in JSON."""

    text: str
    number: int
    fault: str | None


def decode_lines(lines: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Bytes between line feeds as lines of text, each with its end; the byte order mark of the file is left out."""
    codecs.register_error("sparkml_ops.no_character", _mark_bytes)
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("sparkml_ops.no_character")
    is_first, is_odd, last = True, False, b""
    for line in lines:
        if not is_first:
            yield decoder.decode(b"\n")
        is_first, is_odd, last = False, (len(line) + 1 + is_odd) % 2 == 1, line
        yield decoder.decode(line)
    # In UTF-16 a line feed is two bytes, and the one that divided the lines may be the file's last.
    yield decoder.decode(b"\n" if encoding == "utf-16" and not is_odd and last.endswith(b"\0") else b"", final=True)


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    return _NO_CHARACTER, error.end  # type: ignore[attr-defined]


def join_lines(texts: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that end where a line does."""
    kept: list[str] = []
    for text in texts:
        kept.append(text)
        if text.endswith("\n"):
            yield "".join(kept)
            kept = []
    if rest := "".join(kept):
        yield rest


def split_lines(lines: Iterable[str]) -> Iterator[Piece]:
    """Each line is a row, whether it ends with a line feed, a carriage return or both."""
    number = 0
    for line in lines:
        for text in _LINE_END.split(line)[: -1 if line.endswith(("\n", "\r")) else None]:
            yield _to_piece(text, number, None)
            number += 1


def _to_piece(text: str, number: int, fault: str | None) -> Piece:
    if _NO_CHARACTER in text:
        return Piece(text.replace(_NO_CHARACTER, "\ufffd"), number, NOT_TEXT)
    return Piece(text, number, fault)


class CsvSplitter:
    """RFC 4180: a value that begins with a quote goes on, over line ends too, to the quote that is not doubled."""

    def __init__(self, delimiter: str) -> None:
        self._ends = re.compile(rf"{re.escape(delimiter)}|\r\n|\r|\n")
        self._delimiter = delimiter
        self._kept: list[str] = []
        self._length = self._number = 0
        self._fault: str | None = None
        self._in_quotes, self._at_start, self._just_closed = False, True, False

    def split(self, lines: Iterable[str]) -> Iterator[Piece]:
        """The rows; the last one ends where the text does."""
        for line in lines:
            yield from self._split_line(line)
            if self._length > MOST_CHARACTERS:
                self._fault = TOO_LONG
                yield self._end_row("", line_end="")
        if self._kept:
            yield self._end_row("", line_end="")

    def _split_line(self, text: str) -> Iterator[Piece]:
        begin = at = 0
        while at < len(text):
            if self._in_quotes:
                at = self._leave_quotes(text, at)
            elif self._at_start and text[at] == '"':
                self._in_quotes, self._at_start, at = True, False, at + 1
            else:
                end = self._ends.search(text, at)
                if self._just_closed and (end is None or end.start() > at):
                    self._fault = AFTER_QUOTE
                self._just_closed, self._at_start = False, end is not None
                at = len(text) if end is None else end.end()
                if end is not None and end[0] != self._delimiter:
                    yield self._end_row(text[begin : end.start()], line_end=end[0])
                    begin = at
        if begin < len(text):
            self._kept.append(text[begin:])
            self._length += len(text) - begin

    def _leave_quotes(self, text: str, at: int) -> int:
        quote = text.find('"', at)
        if quote < 0:
            return len(text)
        if text[quote + 1 : quote + 2] == '"':
            return quote + 2
        self._in_quotes, self._just_closed = False, True
        return quote + 1

    def _end_row(self, last: str, *, line_end: str) -> Piece:
        text = "".join([*self._kept, last])
        piece = _to_piece(text if line_end else text.removesuffix("\n").removesuffix("\r"), self._number, self._fault)
        self._number += len(_LINE_END.findall(text)) + bool(line_end)
        self._kept, self._length, self._fault = [], 0, None
        return piece


class JsonSplitter:
    """Objects one after another, over as many lines as they like, and the elements of arrays that stand at the top."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._length = self._number = self._depth = 0
        self._fault: str | None = None
        self._in_string = self._in_array = False

    def split(self, lines: Iterable[str]) -> Iterator[Piece]:
        """The values; a text between them that is none is a piece too."""
        for line in lines:
            self._in_string = False  # no string of JSON has a line end in it, so an open quote ends with its line
            yield from self._split_line(line)
            if self._length > MOST_CHARACTERS:
                self._fault = TOO_LONG
                yield from self._end_value()
        if self._in_array:
            self._fault = CUT_OFF
        yield from self._end_value(even_blank=self._in_array)

    def _split_line(self, text: str) -> Iterator[Piece]:
        begin = at = 0
        while (mark := (_IN_STRING if self._in_string else _OUTSIDE).search(text, at)) is not None:
            sign, at = mark[0], mark.end()
            if sign == "\\":
                at += 1
            elif sign == '"':
                self._in_string = not self._in_string
            elif self._depth > 0:
                self._depth += (sign in "{[") - (sign in "}]")
                if self._depth == 0 and not self._in_array:
                    begin = yield from self._end_text(text, begin, at, goes_on_at=at)
            elif self._in_array and sign in "{[":
                self._depth = 1
            elif self._in_array and sign in ",]":
                begin = yield from self._end_text(text, begin, mark.start(), goes_on_at=at)
                self._in_array = sign == ","
            elif not self._in_array and sign in "{[\n":
                opens = sign == "{"
                begin = yield from self._end_text(text, begin, mark.start(), goes_on_at=mark.start() if opens else at)
                self._depth, self._in_array = int(opens), sign == "["
        self._keep(text[begin:])

    def _end_text(self, text: str, begin: int, end: int, *, goes_on_at: int) -> Generator[Piece, None, int]:
        self._keep(text[begin:end])
        yield from self._end_value()
        return goes_on_at

    def _keep(self, text: str) -> None:
        self._kept.append(text)
        self._length += len(text)

    def _end_value(self, *, even_blank: bool = False) -> Iterator[Piece]:
        text = "".join(self._kept).strip(" \t\r\n\ufeff")
        if text or even_blank:
            yield _to_piece(text, self._number, self._fault)
            self._number += 1
        self._kept, self._length, self._fault = [], 0, None
