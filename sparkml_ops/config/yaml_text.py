"""YAML read strictly: plain data alone, every key once, and the place of each kept."""

import re
from pathlib import Path
from typing import Any

import yaml

from sparkml_ops.config.mistakes import Mistake, show_value
from sparkml_ops.config.places import Document, KeyPath, Place, format_key
from sparkml_ops.config.yaml_words import explain_yaml_error

_LARGEST_BYTES = 1_000_000  # some hundred times a large use case
_DEEPEST = 24  # levels; the sections need 8, free-form model parameters some more
_MOST_VALUES = 50_000  # after aliases are expanded; 2,000 columns with all their rules need 20,000

_TAG = "tag:yaml.org,2002:"
_STR, _MERGE = f"{_TAG}str", f"{_TAG}merge"
_BARE = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "timestamp")}
_CLASS = re.compile(r"0|[1-9][0-9]*")
"""A number that is a key, such as a class of the label, is read as text: nobody can take it for anything else."""
_ALLOWED_TAGS = {_STR, f"{_TAG}seq", f"{_TAG}map", f"{_TAG}value", *_BARE}


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader with a bound on depth, since its composer recurses."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As PyYAML's, down to a depth."""
        self.depth += 1
        if self.depth > _DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_DEEPEST} levels", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def add_plain_numbers(speaker: "type[yaml.SafeLoader | yaml.SafeDumper]") -> None:
    """YAML 1.1, which PyYAML speaks, reads 1e-3 as text; everybody means the number."""
    pattern = re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
    speaker.add_implicit_resolver(f"{_TAG}float", pattern, list("-+0123456789"))


add_plain_numbers(StrictLoader)


def read_yaml(path: Path, *, file: str) -> tuple[Document | None, list[Mistake]]:
    """Read a YAML file that holds one mapping.

    Args:
        path: the file.
        file: its name in messages.

    Returns:
        The document, or None when it cannot be read at all, and the mistakes.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES + 1)
    except OSError as error:
        return None, [Mistake(file, 0, "", f"cannot be read: {error.strerror or error}")]
    if len(content) > _LARGEST_BYTES:
        return None, [Mistake(file, 0, "", "too large", f"at most {_LARGEST_BYTES:,} bytes")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return None, [Mistake(file, line, "", f"the byte 0x{content[error.start]:02x} is not UTF-8", "text in UTF-8")]
    return parse_yaml(text, file=file)


def parse_yaml(text: str, *, file: str) -> tuple[Document | None, list[Mistake]]:
    """Read YAML text that holds one mapping; see `read_yaml`."""
    reader = _Reader(Place(file, 1))
    value = reader.read_text(text)
    if reader.mistakes and value is None:
        return None, reader.mistakes
    if not isinstance(value, dict):
        found = "nothing in it" if value is None else f"{show_value(value)} at the top"
        return None, [*reader.mistakes, Mistake(file, 0, "", found, "a mapping of keys, such as `name: flights`")]
    return Document(value, reader.places), reader.mistakes


def parse_value(text: str, place: Place) -> tuple[Any, list[Mistake]]:
    """Read one value, such as the right side of `--set key=value`; its place stands for all of it."""
    reader = _Reader(place)
    return reader.read_text(text), reader.mistakes


class _Reader:
    """Walks the nodes of one text; collects places and mistakes on the way."""

    def __init__(self, place: Place) -> None:
        self.top = place
        self.places: dict[KeyPath, Place] = {(): place}
        self.mistakes: list[Mistake] = []
        self._open: list[yaml.Node] = []
        self._values = 0

    def read_text(self, text: str) -> Any:
        """The value of a whole text; None after a syntax error."""
        try:
            self._loader = StrictLoader(text)
            node = self._loader.get_single_node()
            return None if node is None else self._read(node, ())
        except yaml.YAMLError as error:
            line, words = explain_yaml_error(error, text)
            self.mistakes.append(Mistake(self.top.file, line if self.top.line else 0, "", f"cannot be read: {words}"))
            return None

    def _read(self, node: yaml.Node, path: KeyPath) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            problem = f"more than {_MOST_VALUES:,} values once aliases are filled in"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        if node in self._open:
            raise yaml.MarkedYAMLError(problem="an alias within its own anchor", problem_mark=node.start_mark)
        if node.tag not in _ALLOWED_TAGS:
            tag = node.tag.replace(_TAG, "!!")
            return self._refuse(node, path, f"the tag {show_value(tag)}", "plain data (text, numbers, lists, mappings)")
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, path)
        self._open.append(node)
        value = self._read_mapping(node, path) if isinstance(node, yaml.MappingNode) else self._read_list(node, path)
        self._open.pop()
        return value

    def _read_list(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        for at, item in enumerate(node.value):
            self._place(item, (*path, at))
            items.append(self._read(item, (*path, at)))
        return items

    def _read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                # Own keys are read after, so that their places win over those of the anchor.
                merged = {**self._read_merged(value_node, path), **merged}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self._read_key(key_node, path)
            line = key_node.start_mark.line + 1
            if key in own:
                self._refuse(key_node, (*path, key), f"written twice; first in line {lines[key]}")
                continue
            lines[key] = line
            self._place(key_node, (*path, key), value_node)
            own[key] = self._read(value_node, (*path, key))
        return {**merged, **own}

    def _read_merged(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in reversed(parts):
            value = self._read(part, path)
            if not isinstance(value, dict):
                self._refuse(part, path, f"<< with {show_value(value)}", "<< with a mapping, or a list of mappings")
                continue
            merged.update(value)
        return merged

    def _read_key(self, node: yaml.Node, path: KeyPath) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, path, "a list or mapping as a key", "text as a key")
            return "?"
        word = str(node.value)
        if node.tag != _STR and not _CLASS.fullmatch(word):
            kind = {"bool": "true or false", "null": "nothing", "timestamp": "a date"}
            read_as = kind.get(node.tag.removeprefix(_TAG), "a number")
            self._refuse(
                node, (*path, word), f"the bare word {word} as a key, which YAML reads as {read_as}", f'"{word}"'
            )
        return word

    def _read_scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        word = str(node.value)
        if node.tag in {f"{_TAG}int", f"{_TAG}float"}:
            if ":" in word:
                return word  # 20:30 is text to everybody but YAML 1.1, which counts in sixties
            if re.fullmatch(r"[-+]?0[0-7_]+", word):
                return self._refuse(
                    node, path, f"{word}, which YAML reads to base 8", f'{word.lstrip("0") or 0}, or "{word}" for text'
                )
        try:
            return word if node.tag not in _BARE else self._loader.construct_object(node)
        except ValueError:
            return self._refuse(node, path, f"{show_value(word)} is no {node.tag.removeprefix(_TAG)}")

    def _place(self, node: yaml.Node, path: KeyPath, value: yaml.Node | None = None) -> None:
        scalar = value or node
        word = scalar.value if isinstance(scalar, yaml.ScalarNode) and scalar.tag in _BARE else None
        line = node.start_mark.line + 1 if self.top.line else 0
        self.places[path] = Place(self.top.file, line, word, is_whole_key=self.top.is_whole_key)

    def _refuse(self, node: yaml.Node, path: KeyPath, found: str, allowed: str | None = None) -> None:
        line = node.start_mark.line + 1 if self.top.line else 0
        key = "" if self.top.is_whole_key else format_key(path)
        self.mistakes.append(Mistake(self.top.file, line, key, found, allowed))
