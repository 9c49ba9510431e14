"""Values given outside the files: `--set key=value`, and `SPARKML_OPS_LAKE__ROOT` in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkml_ops.config.mistakes import Mistake
from sparkml_ops.config.places import Document, KeyPath, Place, set_value
from sparkml_ops.config.yaml_text import parse_value

PREFIX = "SPARKML_OPS_"
_SECTIONS = ("lake", "mlflow", "spark", "variables")
_ENVIRONMENT, _VARIABLES = "environment", "variables"
_CONF = ("spark", "conf")  # its keys hold dots themselves


@dataclass(frozen=True)
class Override:
    """One value that is laid over the files, and where it was given."""

    path: KeyPath
    value: Any
    place: Place


@dataclass(frozen=True)
class Overrides:
    """What was given outside the files, by the document it belongs to; later ones win."""

    environment: list[Override]
    use_case: list[Override]
    mistakes: list[Mistake]


def read_overrides(given: Mapping[str, str] | None, environ: Mapping[str, str]) -> Overrides:
    """Sort what was given on the command line and in the environment.

    Args:
        given: values by dotted key: of the use case, or with `environment.` or `variables.` before it.
        environ: the environment; `SPARKML_OPS_<SECTION>__<KEY>` belongs to the environment's sections.
    """
    found = Overrides([], [], [])
    for name, text in sorted(environ.items()):
        path = _environment_path(name)
        if path:
            place = Place(f"environment variable {name}", secrets=(text,), is_whole_key=True)
            _add(found, found.environment, path, text, place)
    for key, text in (given or {}).items():
        place = Place(f"--set {key if key.isprintable() else ascii(key)}"[:200], is_whole_key=True)
        parts = _split_key(key)
        if not all(parts) or parts == (_ENVIRONMENT,):
            found.mistakes.append(Mistake(place.file, 0, "", "no key", "a dotted key, such as scoring.threshold"))
        elif parts[0] == _ENVIRONMENT:
            _add(found, found.environment, parts[1:], text, place)
        elif parts[0] == _VARIABLES:
            _add(found, found.environment, parts, text, place)
        else:
            _add(found, found.use_case, parts, text, place)
    return found


def apply_overrides(document: Document, overrides: list[Override]) -> Document:
    """Lay overrides over a document, in their order."""
    for override in overrides:
        document = set_value(document, _existing_path(document.values, override.path), override.value, override.place)
    return document


def _add(found: Overrides, target: list[Override], path: KeyPath, text: str, place: Place) -> None:
    value, mistakes = parse_value(text, place) if isinstance(text, str) else (text, [])
    if mistakes:
        found.mistakes.extend(mistakes)
        return
    word = text if not isinstance(value, str) else None
    target.append(Override(path, value, Place(place.file, 0, word, place.secrets, is_whole_key=True)))


def _environment_path(name: str) -> KeyPath:
    if name == f"{PREFIX}REPORTS":
        return ("reports",)
    section, _, key = name.removeprefix(PREFIX).partition("__")
    if not name.startswith(PREFIX) or section.lower() not in _SECTIONS or not key:
        return ()
    return (section.lower(), *key.lower().split("__"))


def _split_key(key: str) -> KeyPath:
    parts = key.split(".")
    start = 1 if parts[0] == _ENVIRONMENT else 0
    conf_end = start + len(_CONF)
    if start and tuple(parts[start:conf_end]) == _CONF and len(parts) > conf_end:
        return (*parts[:conf_end], ".".join(parts[conf_end:]))
    return tuple(parts)


def _existing_path(values: Any, path: KeyPath) -> KeyPath:
    """The path with the indices of lists as numbers."""
    if not path:
        return ()
    part = path[0]
    if isinstance(values, list):
        is_index = isinstance(part, str) and part.isdecimal() and int(part) < len(values)
        return (int(part), *_existing_path(values[int(part)], path[1:])) if is_index else path
    if not isinstance(values, dict):
        return path
    return (part, *_existing_path(values.get(part), path[1:]))
