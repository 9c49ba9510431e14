"""A feature view in words, as Markdown. Pure: the definition in, text out."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.comments import comment_view
from sparkml_ops.config.features import feature_name
from sparkml_ops.config.types import format_duration
from sparkml_ops.config.yaml_entries import write_entry

if TYPE_CHECKING:
    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase


def document_view(name: str, use_case: "UseCase", definition: Mapping[str, Any]) -> str:
    """What the view is about, when its rows count, what its columns mean, and how it is written.

    Args:
        name: the view.
        use_case: with the view.
        definition: its keys as written.
    """
    view = use_case.features[name]
    learned = "is" if name in use_case.dataset.features else "is not"
    lines = [
        f"# {name}",
        "",
        view.description or f"What is known about {', '.join(view.entity)} as time goes by.",
        "",
        *(f"- {line}" for line in _tell_facts(view, use_case)),
        f"- It {learned} among the features that {use_case.name} learns from.",
        "",
        "| column | in a training row | meaning | without a row |",
        "|---|---|---|---|",
        *_tell_columns(name, view),
        "",
        "```yaml",
        write_entry(name, definition).rstrip("\n"),
        "```",
        "",
    ]
    return "\n".join(lines)


def _tell_facts(view: "FeatureView", use_case: "UseCase") -> Iterator[str]:
    owner = view.owner or use_case.owner
    yield f"Owner: {owner or 'nobody is named'}"
    yield f"Entity: {', '.join(f'`{column}`' for column in view.entity)}"
    relation = view.relation
    source = f"`{relation.table}`" if relation.table else f"`{relation.python}`" if relation.python else "a query"
    yield f"From: {source}" + (f", where `{_flat(view.where)}`" if view.where else "")
    if view.timestamp is None:
        yield "Time: none; its rows are true, and known, at all times"
        return
    later = f"known {format_duration(view.available_after)} after" if view.available_after else "known at once"
    known = f"known at `{view.known_at}`" if view.known_at else later
    yield f"Time: true at `{view.timestamp}`, {known}"
    ttl = view.time_to_live()
    if view.aggregates:
        exact = "exact at every instant" if view.accuracy == "temporal" else "as of the last midnight (UTC)"
        yield f"Windows: {exact}"
    else:
        yield f"Time to live: {format_duration(ttl) if ttl else 'none; the newest row counts, however old it is'}"


def _tell_columns(name: str, view: "FeatureView") -> Iterator[str]:
    meanings, zeros = comment_view(view), view.zero_when_missing()
    for column in view.column_names():
        impute = view.impute.get(column)
        missing = "0" if column in zeros else "null"
        if impute is not None:
            filled = f"{impute.value}" if impute.method == "constant" else f"the {impute.method} of the training rows"
            missing = f"{missing}, filled with {filled}" + (f", flagged in `{column}__missing`" if impute.flag else "")
        cells = (f"`{column}`", f"`{feature_name(name, column)}`", _cell(meanings.get(column, "")), _cell(missing))
        yield f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """A text that cannot end its cell, nor be read as HTML."""
    return _flat(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _flat(text: str) -> str:
    return " ".join(text.split())
