"""One entry of a section put into the text of a YAML file, with every other character left as it is.

A round trip through a parser, even one that keeps comments, lays quotes, line breaks and spaces anew. So the text is not written
anew: the lines of the entry are found, and they alone are replaced. Of an entry that is there already, the keys whose values stay
keep their lines too, with their comments and anchors. What came out is read again and held against what was meant.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from sparkml_ops.config.yaml_text import StrictLoader, add_plain_numbers, parse_yaml
from sparkml_ops.errors import ConfigError

_LONGEST_LINE = 110  # of a list or mapping that is written in brackets, as people do up to there
_ODD_BREAKS = frozenset("\r\x85\u2028\u2029")  # line breaks to YAML, which folds them unless they are escaped
_STEP = 2  # spaces, where the file shows no other way


class _Dumper(yaml.SafeDumper):
    """Lists stand deeper than their key, as in the files that people write."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002  # PyYAML's own
        del indentless
        super().increase_indent(flow, False)


add_plain_numbers(_Dumper)


@dataclass(frozen=True)
class _Entry:
    """A key and its lines: from the start of the key's own line to the end of its last line."""

    key: str
    start: int
    end: int
    indent: int
    node: yaml.Node


def write_entry(name: str, value: Mapping[str, Any], *, indent: int = 0, step: int = _STEP) -> str:
    """A key and its mapping as YAML, as a person would lay it out."""
    dumper = _Dumper(io.StringIO(), sort_keys=False)
    node = dumper.represent_data({name: dict(value)})
    for each in _list_nodes(node):
        if isinstance(each, yaml.ScalarNode) and _ODD_BREAKS & set(each.value):
            each.style = '"'
        elif isinstance(each, yaml.ScalarNode) and "\n" in each.value:
            each.style = "|"
        elif isinstance(each, yaml.CollectionNode):
            each.flow_style = each is not node and _fits_a_line(each)
    node.value[0][1].flow_style = False
    text: str = yaml.serialize(node, Dumper=_Dumper, indent=step, width=10_000, allow_unicode=True)
    return "".join(f"{' ' * indent}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def put_entry(text: str, section: str, name: str, value: Mapping[str, Any]) -> str:
    """The text with an entry of a section set: in the place of the one of that name, or after the last one.

    Args:
        text: a YAML file that holds one mapping.
        section: the key at its top.
        name: the entry's key in the section.
        value: what it should say.

    Raises:
        ConfigError: the section cannot be written into without changing something else; says how to do it by hand.
    """
    line_break = "\r\n" if "\r\n" in text else "\n"
    try:
        new_text = _splice(text, section, name, value, line_break)
    except _CannotSpliceError as error:
        raise ConfigError(_tell_by_hand(section, name, value, str(error))) from error
    if not _says(new_text, text, section, name, value):
        raise ConfigError(_tell_by_hand(section, name, value, "something else in the file depends on these lines"))
    return new_text


class _CannotSpliceError(Exception):
    """The text is laid out so that an entry has no lines of its own."""


def _splice(text: str, section: str, name: str, value: Mapping[str, Any], line_break: str) -> str:
    top = yaml.compose(text, Loader=StrictLoader)
    sections = list(_list_entries(text, top, len(text)))
    found = next((entry for entry in sections if entry.key == section), None)
    if found is None:
        raise _CannotSpliceError(f"there is no section {section}")
    entries = list(_list_entries(text, found.node, found.end))
    if not entries:
        raise _CannotSpliceError(f"{section} is empty")
    indent = entries[0].indent
    step = next((inner - indent for entry in entries if (inner := _inner_indent(entry.node)) is not None), _STEP)
    old = next((entry for entry in entries if entry.key == name), None)
    if old is None:
        block = write_entry(name, value, indent=indent, step=step).replace("\n", line_break)
        at = entries[-1].end
        before = text[:at] if text[:at].endswith("\n") else text[:at] + line_break
        gap = line_break if _has_gaps(text, entries) else ""
        return before + gap + block + text[at:]
    read, _ = parse_yaml(text, file="")
    known = read.values[section][name] if read is not None else None
    block = _write_over(text, old, value, known=known, step=step).replace("\r\n", "\n").replace("\n", line_break)
    return text[: old.start] + block + text[old.end :]


def _write_over(text: str, old: _Entry, value: Mapping[str, Any], *, known: Any, step: int) -> str:
    """The lines of an entry with other values; keys that say the same keep theirs."""
    whole = write_entry(old.key, value, indent=old.indent, step=step)
    is_plain = isinstance(old.node, yaml.MappingNode) and not old.node.flow_style
    if not is_plain or any(key.tag.endswith(":merge") for key, _ in old.node.value):
        return whole
    try:
        keys = list(_list_entries(text, old.node, old.end))
    except _CannotSpliceError:
        return whole
    last = text.index("\n", old.start) + 1
    parts = [text[old.start : last]]
    for key in keys:
        if key.key not in value:
            last = key.end
            continue
        parts.append(text[last : key.start])  # the comments above it
        same = isinstance(known, dict) and key.key in known and _is_same(known[key.key], value[key.key])
        parts.append(text[key.start : key.end] if same else _write_key(key.key, value[key.key], key.indent, step))
        last = key.end
    if parts and not parts[-1].endswith("\n"):
        parts.append("\n")
    there = {key.key for key in keys}
    parts += [_write_key(key, one, keys[0].indent, step) for key, one in value.items() if key not in there]
    return "".join(parts)


def _write_key(key: str, value: Any, indent: int, step: int) -> str:
    within = write_entry("_", {key: value}, step=step).partition("\n")[2]
    return "".join(
        f"{' ' * (indent - step)}{line}" if line.strip() else line for line in within.splitlines(keepends=True)
    )


def _list_entries(text: str, node: yaml.Node | None, end: int) -> Iterator[_Entry]:
    """The entries of a mapping that is written with one key a line."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        raise _CannotSpliceError("it is not written with one key a line")
    starts = [_start_of_line(text, key.start_mark.index) for key, _ in node.value]
    for number, (key, value) in enumerate(node.value):
        if value.start_mark.index < key.start_mark.index and key.tag.endswith(":str"):
            value = yaml.ScalarNode("tag:yaml.org,2002:str", "")  # noqa: PLW2901  # an alias: it stands somewhere else
        until = starts[number + 1] if number + 1 < len(starts) else end
        indent = key.start_mark.index - starts[number]
        yield _Entry(key.value, starts[number], _end_of_content(text, starts[number], until, indent), indent, value)


def _start_of_line(text: str, index: int) -> int:
    start = text.rfind("\n", 0, index) + 1
    if text[start:index].strip(" "):
        raise _CannotSpliceError("two keys stand in one line")
    return start


def _end_of_content(text: str, start: int, end: int, indent: int) -> int:
    """Without blank lines at its end, and without comments that are no deeper than its key: they belong to what follows."""
    while end > start:
        line_start = text.rfind("\n", start, end - 1) + 1
        line = text[line_start:end]
        bare = line.strip()
        is_comment = bare.startswith("#") and len(line) - len(line.lstrip(" ")) <= indent
        if (bare and not is_comment) or line_start <= start:
            return end
        end = line_start
    return end


def _inner_indent(node: yaml.Node) -> int | None:
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        return None
    return int(node.value[0][0].start_mark.column)


def _has_gaps(text: str, entries: list[_Entry]) -> bool:
    """Whether blank lines stand between the entries; one alone leaves it open, and gets one."""
    if len(entries) == 1:
        return True
    following = pairwise(entries)
    return any(not line.strip() for one, two in following for line in text[one.end : two.start].splitlines())


def _says(new_text: str, old_text: str, section: str, name: str, value: Mapping[str, Any]) -> bool:
    """Whether the new text says the same as the old one but for the entry, and in the same order."""
    new, new_mistakes = parse_yaml(new_text, file="")
    old, _ = parse_yaml(old_text, file="")
    if new is None or old is None or new_mistakes:
        return False
    written = new.values[section].pop(name, None)
    old.values[section].pop(name, None)
    return (
        _is_same(written, dict(value))
        and _is_same(new.values, old.values)
        and list(new.values[section]) == list(old.values[section])
    )


def _is_same(one: Any, two: Any) -> bool:
    """Equal values of equal types: 1 is neither true nor 1.0."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_is_same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_is_same, one, two))
    return type(one) is type(two) and bool(one == two)


def _list_nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    yield node
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _list_nodes(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield from _list_nodes(value)


def _fits_a_line(node: yaml.Node) -> bool:
    """Whether a person would write it in brackets; each mapping of a list gets a line of its own."""
    if isinstance(node, yaml.SequenceNode) and any(isinstance(item, yaml.MappingNode) for item in node.value):
        return False
    texts = [each.value for each in _list_nodes(node) if isinstance(each, yaml.ScalarNode)]
    return sum(len(text) + 3 for text in texts) <= _LONGEST_LINE and not any("\n" in text for text in texts)


def _tell_by_hand(section: str, name: str, value: Mapping[str, Any], why: str) -> str:
    lines = write_entry(name, value, indent=_STEP)
    return f"{section}.{name} cannot be written into the file: {why}. Nothing was changed. By hand it reads:\n{lines}"
