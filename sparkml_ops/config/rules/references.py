"""References between sources that can be kept."""

from collections.abc import Iterator, Mapping

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.rules.scope import Scope, check_name
from sparkml_ops.config.sources import Column, Source


def check_references(parts: Parts) -> Iterator[Finding]:
    """Each `references` names a column of another source, of the same type; and none goes round in a circle."""
    sources = {name: source for name, source in parts.sources.items() if source is not None}
    for name, source in sources.items():
        for column, rule in source.columns.items():
            if rule.references is not None:
                path: KeyPath = ("sources", name, "columns", column, "references")
                yield from _check_reference(path, rule, sources, parts)


def _check_reference(path: KeyPath, rule: Column, sources: Mapping[str, Source], parts: Parts) -> Iterator[Finding]:
    name = str(path[1])
    other, _, column = str(rule.references).partition(".")
    if other not in parts.sources:
        found = f"there is no source {show_value(other)}"
        yield Finding(path, found, f"a source: {list_names(parts.sources)}", nearest_name(other, parts.sources))
    elif other == name:
        yield Finding(path, "the source itself", "another source: its rows must be there first")
    elif other in sources:
        yield from check_name(path, column, Scope(other, sources[other].column_names()))
        known = sources[other].columns.get(column)
        if known is not None and known.type != rule.type:
            yield Finding(path, f"{other}.{column} is a {known.type}", f"the type of this column, {rule.type}")
        if _leads_to(name, other, sources):
            yield Finding(path, f"{other} refers to {name} in turn", "references in one direction")


def _leads_to(name: str, start: str, sources: Mapping[str, Source]) -> bool:
    seen: set[str] = set()
    open_ends = [start]
    while open_ends:
        here = open_ends.pop()
        if here == name:
            return True
        if here in sources and here not in seen:
            seen.add(here)
            open_ends += sources[here].referred_sources()
    return False
