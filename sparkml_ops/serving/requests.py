"""What applications ask for, held against what is served: every mistake is told with what would be right. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from sparkml_ops.serving.keys import describe_type, make_key
from sparkml_ops.serving.publication import Publication

_MOST_TOLD = 5  # mistakes in one answer
_LONGEST = 80  # characters of what was found


class BadRequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        status: the HTTP status to answer with.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def require_view(name: str, served: Sequence[str], publications: Mapping[str, Publication]) -> Publication:
    """The publication of a view.

    Raises:
        BadRequestError: 404: there is no such view, or it is not published yet.
    """
    if name not in served:
        nearest = get_close_matches(name[:100], served, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise BadRequestError(404, f"there is no view {name[:100]!r}.{hint} Served are: {', '.join(served)}.")
    if name not in publications:
        raise BadRequestError(404, f"the view {name} is not published yet: `sparkml-ops online publish` does it.")
    return publications[name]


def read_body(body: bytes, lists: Mapping[str, type], *, beside: Sequence[str] = ()) -> dict[str, Any]:
    """The lists of a JSON object.

    Args:
        body: as it came.
        lists: the lists that it must have, and of what.
        beside: what else it may have, whatever that is.

    Raises:
        BadRequestError: 422: it is no such object.
    """
    shape = "{" + ", ".join(f'"{name}": […]' for name in lists) + "}"
    try:
        document = json.loads(body, object_pairs_hook=_take_object)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(422, f"the body is no JSON: {str(error)[:200]}. Expected {shape}.") from error
    if not isinstance(document, dict) or set(document) - set(beside) != set(lists):
        found = (
            f"the keys {sorted(document)[:_MOST_TOLD]}"
            if isinstance(document, dict)
            else json.dumps(document)[:_LONGEST]
        )
        raise BadRequestError(422, f"the body: expected {shape}, found {found}.")
    for name, kind in lists.items():
        items = document[name]
        words = "objects" if kind is dict else "texts"
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise BadRequestError(422, f"{name}: expected a list of {words}.")
        if not items:
            raise BadRequestError(422, f"{name}: expected at least one, found an empty list.")
    return document


def _take_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return _take_once(pairs, "the body: `{}` is given twice in one object.")


def _take_once(pairs: Iterable[tuple[str, Any]], refusal: str) -> dict[str, Any]:
    """Values by name; of a name that is given twice nobody can tell which value is meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadRequestError(422, refusal.format(name[:100]))
        found[name] = value
    return found


def require_size(asked: int, limit: int, *, what: str = "look-ups") -> None:
    """No more look-ups, or rows, than one request may ask for.

    Raises:
        BadRequestError: 422: there are more.
    """
    if asked > limit:
        raise BadRequestError(
            422, f"{asked} {what} in one request: at most {limit} are answered (serving.max_batch). Ask in several."
        )


def find_keys(
    publication: Publication, entities: Iterable[Mapping[str, Any]], *, others: Iterable[str] = ()
) -> list[bytes | None]:
    """The key of each entity; None for one with a null in it.

    Args:
        publication: the view's.
        entities: a value by name of entity column.
        others: names that belong to other views, and are left alone.

    Raises:
        BadRequestError: 422: a name is unknown or lacking, or a value is of another type.
    """
    names = [column.name for column in publication.entity]
    known = {*names, *others}
    keys: list[bytes | None] = []
    mistakes: list[str] = []
    for at, entity in enumerate(entities):
        place = f"entity {at} of {publication.view}: "
        told = [f"{place}unknown `{name[:100]}`{suggest_name(name, known)}" for name in entity if name not in known]
        told += [f"{place}`{name}` is lacking" for name in names if name not in entity]
        if not told:
            try:
                keys.append(make_key(publication.entity, entity))
            except ValueError as error:
                told = [f"{place}{error}"]
        mistakes += told
        if len(mistakes) >= _MOST_TOLD:
            break
    if mistakes:
        entity_words = ", ".join(f"{column.name} ({describe_type(column.type)})" for column in publication.entity)
        raise BadRequestError(
            422, f"{'; '.join(mistakes[:_MOST_TOLD])}. An entity of {publication.view} has: {entity_words}."
        )
    return keys


def suggest_name(name: str, known: Iterable[str]) -> str:
    """`, did you mean …?` where a known name is near."""
    nearest = get_close_matches(name[:100], list(known), n=1)
    return f", did you mean `{nearest[0]}`?" if nearest else ""


def read_query(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The entity in a URL's query.

    Raises:
        BadRequestError: 422: a name is given twice.
    """
    return _take_once(pairs, "`{}` is given twice: ask for several entities with POST.")
