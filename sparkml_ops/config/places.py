"""Where each key of a document is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where a key stands.

    Attributes:
        file: file as the user would name it, or `--set …` or `environment variable …`.
        line: line of the key, from 1; 0 where there are no lines.
        word: the bare word, where YAML read one as something else than text.
        secrets: texts from the environment that are part of the value, never to be shown.
        is_whole_key: the file's name says the key already.
    """

    file: str
    line: int = 0
    word: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_whole_key: bool = False


Places = Mapping[KeyPath, Place]


@dataclass(frozen=True)
class Document:
    """A mapping as it was written, and the place of everything in it; the empty path is the document itself."""

    values: dict[str, Any]
    places: dict[KeyPath, Place]


def format_key(path: KeyPath) -> str:
    """Write a path as a person would: `features.delays.aggregate[0].ops[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return text.encode("unicode_escape").decode() if not text.isprintable() else text


def find_place(places: Places, path: KeyPath) -> Place:
    """The place of a key, or of the nearest thing around it that is written somewhere."""
    return next(places[path[:length]] for length in range(len(path), -1, -1) if path[:length] in places)


def merge_documents(below: Document, above: Document) -> Document:
    """Lay one document over another: mappings are merged key by key, anything else is replaced."""
    return Document(_merge_values(below.values, above.values), {**below.places, **above.places, (): below.places[()]})


def set_value(document: Document, path: KeyPath, value: Any, place: Place) -> Document:
    """The document with one value set; what stands in the way of its path becomes a mapping."""
    kept = {known: where for known, where in document.places.items() if known[: len(path)] != path}
    made = {path[:length]: place for length in range(1, len(path)) if not _holds(document.values, path[: length + 1])}
    return Document(_with_value(document.values, path, value), {**kept, **made, path: place})


def _holds(values: Any, path: KeyPath) -> bool:
    """Whether a value can be set at the path without making or replacing anything around it."""
    for part in path[:-1]:
        is_there = part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int)
        values = values[part] if is_there else None
    return isinstance(values, dict) or (isinstance(values, list) and isinstance(path[-1], int))


def _merge_values(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {
        **below,
        **{key: _merge_values(below[key], value) if key in below else value for key, value in above.items()},
    }


def _with_value(values: Any, path: KeyPath, value: Any) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(values, list) and isinstance(first, int):
        return [_with_value(item, rest, value) if at == first else item for at, item in enumerate(values)]
    below = values if isinstance(values, dict) else {}
    return {**below, first: _with_value(below.get(first, {}), rest, value)}
