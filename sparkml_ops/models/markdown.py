"""Words of users as Markdown that shows them letter by letter, and tables of them. Pure: values in, text out."""

import re
from collections.abc import Sequence
from typing import Literal

NONE = "\N{EN DASH}"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|&~])")
_AT_START = re.compile(r"^([#+=:-]|\d+(?=[.)]))")
Side = Literal["left", "right"]


def escape_text(text: str) -> str:
    """One line of words; nothing in it is taken for Markdown or HTML, and no character of it steers a terminal."""
    line = _SPECIAL.sub(r"\\\1", _make_plain(text))
    at_start = _AT_START.match(line)
    if at_start is None:
        return line
    cut = at_start.end() if line[0].isdigit() else 0  # 1. is broken by 1\.
    return f"{line[:cut]}\\{line[cut:]}"


def escape_paragraphs(text: str) -> str:
    """Words of several paragraphs, which empty lines stand between."""
    paragraphs = (escape_text(part) for part in re.split(r"\n\s*\n", text))
    return "\n\n".join(part for part in paragraphs if part)


def quote_code(text: str) -> str:
    """A name or value in a typewriter's letters, whatever backticks it has itself; an empty one is a dash."""
    line = _make_plain(text)
    if not line:
        return NONE
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def quote_cell(text: str) -> str:
    """As `quote_code`, for a cell of a table, where a bar must be escaped and elsewhere must not."""
    return quote_code(text).replace("|", r"\|")


def make_table(columns: Sequence[tuple[str, Side]], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already.

    Args:
        columns: Head and side of each.
        rows: Their cells.
    """
    head = [name for name, _ in columns]
    sides = ["---:" if side == "right" else "---" for _, side in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, sides, *rows))


def _make_plain(text: str) -> str:
    spaced = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in spaced)
