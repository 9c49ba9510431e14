"""What is wrong, where it stands, and how it is told: every mistake at once, each on its own lines."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sparkml_ops.config.places import KeyPath, Places, find_place, format_key
from sparkml_ops.errors import ConfigError

_LONGEST_VALUE = 80  # characters of a value that are shown; enough to recognise it, too few to fill a screen
_MOST_NAMES = 15  # names that are listed; past it the nearest one helps more than the list
_SHORTEST_SECRET = 4  # a shorter text from the environment would blank out parts of ordinary words
_HIDDEN = "a value from the environment, which is not shown"


@dataclass(frozen=True)
class Finding:
    """A mistake by its key path, before it is known where that key is written.

    Attributes:
        path: keys from the top of the document; indices for list items.
        found: what is there and why it cannot be.
        allowed: what could be there.
        nearest: the valid name that is closest to what was found.
    """

    path: KeyPath
    found: str
    allowed: str | None = None
    nearest: str | None = None


@dataclass(frozen=True, order=True)
class Mistake:
    """A finding with its file, line and dotted key, ready to be shown."""

    file: str
    line: int
    key: str
    found: str
    allowed: str | None = None
    nearest: str | None = None

    def __str__(self) -> str:
        """One line: `conf/flights.yml:12: sources.flights.colums: unknown key; allowed: …; did you mean 'columns'?`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [self.found]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.nearest:
            parts.append(f"did you mean '{self.nearest}'?")
        return ": ".join(part for part in (place, self.key, "; ".join(parts)) if part)


def locate_finding(finding: Finding, places: Places) -> Mistake:
    """Say in which file and line a finding stands; values that came from the environment are taken out."""
    place = find_place(places, finding.path)
    found, allowed, nearest = finding.found, finding.allowed, finding.nearest
    if _is_hidden(finding.path, places):
        found, nearest = _HIDDEN, None
    elif allowed is not None and allowed.startswith("text") and finding.path in places and places[finding.path].word:
        word = places[finding.path].word
        read_as = "" if found.endswith(f" {word}") else f", which is how YAML reads the bare word {word}"
        found = f"{found}{read_as}: put quotes around it"
    secrets = {secret for known in places.values() for secret in known.secrets if len(secret) >= _SHORTEST_SECRET}
    for secret in sorted(secrets, key=len, reverse=True):
        found = found.replace(secret, "…")
        allowed = allowed and allowed.replace(secret, "…")
    key = "" if place.is_whole_key else format_key(finding.path)
    return Mistake(place.file, place.line, key, found, allowed, nearest)


def first_per_path(findings: Iterable[Finding]) -> list[Finding]:
    """Of several findings about one key the first alone, since the later ones follow from it."""
    by_path: dict[KeyPath, Finding] = {}
    for finding in findings:
        by_path.setdefault(finding.path, finding)
    return list(by_path.values())


def raise_mistakes(mistakes: Collection[Mistake], *, subject: str) -> None:
    """Raise one ConfigError with all mistakes in the order of files and lines; none, no error.

    Raises:
        ConfigError: there is a mistake.
    """
    if not mistakes:
        return
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    ordered = sorted(mistakes, key=lambda mistake: (mistake.file, mistake.line, mistake.key, mistake.found))
    raise ConfigError("\n".join([f"{subject}: {count}", *(f"  {mistake}" for mistake in ordered)]))


def nearest_name(name: str, names: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The name that was probably meant, if any is as close as difflib's ratio `likeness`."""
    by_folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name[:100].casefold(), by_folded, n=1, cutoff=likeness)
    return by_folded[close[0]] if close else None


def list_names(names: Iterable[str]) -> str:
    """Names for a message: the first few, and how many there are beside them."""
    every = list(names)
    shown = ", ".join(every[:_MOST_NAMES])
    return f"{shown}, … ({len(every)} in all)" if len(every) > _MOST_NAMES else shown or "none"


def show_value(value: object) -> str:
    """A value for a message: as one would write it, cut when long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return _cut(f"{{{', '.join(f'{key}: {show_value(item)}' for key, item in list(value.items())[:_MOST_NAMES])}}}")
    if isinstance(value, list | tuple):
        return _cut(f"[{', '.join(show_value(item) for item in value[:_MOST_NAMES])}]")
    if isinstance(value, str | int | float):
        return _cut(repr(value))
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)} characters)"


def _is_hidden(path: KeyPath, places: Places) -> bool:
    return any(
        place.secrets and (known[: len(path)] == path or path[: len(known)] == known) for known, place in places.items()
    )
