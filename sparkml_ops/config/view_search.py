"""Feature views and columns found by words: in names, descriptions, owners, entities, expressions. It needs no table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.config.comments import comment_view
from sparkml_ops.config.mistakes import nearest_name

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

_WEIGHTS = {"name": 4, "description": 3, "meaning": 2, "entity": 2, "owner": 2, "source": 1}
"""What a word counts by where it stands; in a name most."""


@dataclass(frozen=True)
class Hit:
    """A view, or one of its columns, in which every word is found.

    Attributes:
        view: the view.
        column: the column; None where the view itself is found.
        where: where words were found: name, description, meaning, entity, owner, source.
        text: what it says.
        score: greater is nearer.
    """

    view: str
    column: str | None
    where: tuple[str, ...]
    text: str
    score: int


def search_views(use_case: "UseCase", text: str) -> list[Hit]:
    """Every view in which all words of the text stand, and every column that has one more of them than its view; nearest first.

    Args:
        use_case: whose views.
        text: words.
    """
    words = text.casefold().split()
    if not words:
        return []
    texts = list(_list_texts(use_case))
    of_views = {view: fields for view, column, fields in texts if column is None}
    found = [
        hit
        for view, column, fields in texts
        if (hit := _match(view, column, fields, words, around={} if column is None else of_views[view]))
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.view, hit.column or ""))


def suggest_word(use_case: "UseCase", text: str) -> str | None:
    """The name of a view or column that was probably meant."""
    names = {name for view, column, _ in _list_texts(use_case) for name in (view, column) if name}
    return nearest_name(text, sorted(names))


def _list_texts(use_case: "UseCase") -> Iterator[tuple[str, str | None, dict[str, str]]]:
    for name, view in use_case.features.items():
        relation = view.relation
        yield (
            name,
            None,
            {
                "name": name,
                "description": view.description or "",
                "entity": ", ".join(view.entity),
                "owner": view.owner or use_case.owner,
                "source": relation.table or relation.python or relation.sql or "",
            },
        )
        meanings = comment_view(view)
        for column in view.column_names():
            said = view.columns.get(column)
            yield (
                name,
                column,
                {"name": column, "meaning": meanings.get(column, ""), "owner": (said and said.owner) or ""},
            )


def _match(
    view: str, column: str | None, fields: Mapping[str, str], words: Sequence[str], *, around: Mapping[str, str]
) -> Hit | None:
    """A column is found by its own words and those of its view, when at least one is its own alone."""
    own = {word: _find(word, fields) for word in words}
    outer = {word: _find(word, around) for word in words}
    if not all(own[word] or outer[word] for word in words) or not any(own[word] and not outer[word] for word in words):
        return None
    where = tuple(dict.fromkeys(place for word in words for place in own[word]))
    score = sum(max(_WEIGHTS[place] for place in own[word] or outer[word]) for word in words)
    is_named = fields["name"].casefold() in words
    text = fields.get("description") or fields.get("meaning") or ""
    return Hit(view, column, where, text, score + _WEIGHTS["name"] * is_named)


def _find(word: str, fields: Mapping[str, str]) -> list[str]:
    return [where for where, text in fields.items() if word in text.casefold()]
