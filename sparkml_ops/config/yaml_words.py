"""PyYAML's complaints in plain words."""

import re
from collections.abc import Sequence

import yaml

from sparkml_ops.config.mistakes import show_value

_AT_START = "start"  # the thing began where PyYAML's context points; the end of the file would help nobody
_AT_END = "end"
_TWO_COLONS = "a second ': ' on one line; put quotes around text that holds ': '"
_BARE_VARIABLE = "a ${…} within brackets, which needs quotes around it"
_TOO_DEEP = "a key below a value, or indented deeper than its neighbours"

_WORDS: Sequence[tuple[str, str, str]] = (
    (r"found character '\\t'", _AT_END, "a tab; YAML is indented with spaces"),
    (r"found character '(.)'", _AT_END, "a bare text that starts with {0}; put quotes around it"),
    (r"mapping values are not allowed", _AT_END, _TWO_COLONS),
    (r"could not find expected ':'", _AT_START, "a line without ': ' after its key"),
    (r"expected <block end>", _AT_END, "a line whose indentation fits nothing above it"),
    (r"expected ',' or '(.)'", _AT_START, "a bracket that is not closed with {0}, or a comma that is missing"),
    (r"unexpected end of stream", _AT_START, "a quote that is not closed"),
    (r"found undefined alias '?([^']*)'?", _AT_END, "an alias *{0} without an anchor &{0} above it"),
    (r"found duplicate anchor '?([^']*)'?", _AT_END, "the anchor &{0} a second time"),
    (r"found another document", _AT_END, "a second document (---); a file holds one"),
    (r"unknown escape character '(.)'", _AT_END, "\\{0} within double quotes; use single quotes, or write \\\\"),
    (r"unknown tag handle|found undefined tag handle", _AT_END, "a tag (!…); only plain data is read"),
)


def explain_yaml_error(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line, from 1, and what is wrong there, with the line itself."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n")
        return line + 1, f"a character that YAML does not allow: {text[error.position]!a}"
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, str(error)
    problem = error.problem or str(error.context)
    words, mark = _translate(problem, error)
    line = mark.line if mark else 0
    written = text.splitlines()[line].strip() if line < len(text.splitlines()) else ""
    if words == _TWO_COLONS and f"{written} ".count(": ") == 1:
        words = _TOO_DEEP
    if problem.startswith("expected ','") and "${" in written:
        words = _BARE_VARIABLE
    return line + 1, f"{words}, in the line {show_value(written)}" if written else words


def _translate(problem: str, error: yaml.MarkedYAMLError) -> tuple[str, yaml.Mark | None]:
    for pattern, position, words in _WORDS:
        match = re.search(pattern, problem)
        if match:
            mark = error.context_mark if position == _AT_START else error.problem_mark
            return words.format(*match.groups()), mark or error.problem_mark
    return problem, error.problem_mark or error.context_mark
