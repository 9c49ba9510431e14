"""Answers: what a record says at the moment of a request. Pure.

`status` is

* `fresh`: a row counts, and is not older than the view's time to live;
* `expired`: a row counts, and is older: its features are null;
* `missing`: no row is known yet, or the entity is not known at all: features are null;
* `outdated`: since the moment told in `_outdated_since` a row counts that was not published: features are null, and counts too, because
  nothing is known of them. Publishing again puts it right.

Where it is `expired` or `missing`, counts are 0, because nothing happened; except for an entity with a null in it, of which nothing can
be said. This is what the point-in-time lookup gives for the same entity and moment.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkml_ops.serving.publication import Publication
from sparkml_ops.serving.records import find_row, holds_until
from sparkml_ops.serving.values import plan_rendering, render_instant

STATUSES = ("fresh", "expired", "missing", "outdated")


@dataclass(frozen=True)
class AnswerPlan:
    """How records of a publication are told.

    Attributes:
        publication: it.
        renders: for each feature column how its value is told.
        nothing: the features where no live row counts.
        unknown: the features where nothing can be said.
    """

    publication: Publication
    renders: Mapping[str, Callable[[Any], Any]]
    nothing: Mapping[str, Any]
    unknown: Mapping[str, Any]

    def has_entity_of(self, other: "AnswerPlan") -> bool:
        """Whether both know an entity by the same columns."""
        return self.publication.entity == other.publication.entity


def plan_answers(publication: Publication) -> AnswerPlan:
    """How records of a publication are told."""
    names = [column.name for column in publication.columns]
    counts = dict.fromkeys(publication.counts, 0)
    return AnswerPlan(
        publication,
        {column.name: plan_rendering(column.type) for column in publication.columns},
        {name: counts.get(name) for name in names},
        dict.fromkeys(names),
    )


def answer(plan: AnswerPlan, record: bytes | None, *, moment: int, is_whole: bool = True) -> dict[str, Any]:
    """What is known of an entity at a moment.

    Args:
        plan: of the publication that the record is from.
        record: what the store has of the entity; None for nothing.
        moment: of the request, in microseconds. One before the publishing counts as the moment of publishing: rows that no longer
            counted by then are not in the record.
        is_whole: whether no value of the entity is null.

    Returns:
        `status`, `_timestamp`, `_known_at` and `features`; `_outdated_since` where it is outdated.
    """
    if record is None:
        return _tell("missing", None, plan.nothing if is_whole else plan.unknown)
    at = max(moment, plan.publication.published_at)
    until = holds_until(record)
    if until is not None and at >= until:
        return _tell("outdated", None, plan.unknown) | {"_outdated_since": render_instant(until)}
    row = find_row(record, at)
    if row is None:
        return _tell("missing", None, plan.nothing)
    ttl = plan.publication.ttl
    if ttl is not None and at - row[0] > ttl:
        return _tell("expired", row[:2], plan.nothing)
    values = json.loads(row[2])
    named = enumerate(plan.renders.items())
    return _tell("fresh", row[:2], {name: render(values[str(number)]) for number, (name, render) in named})


def _tell(status: str, times: tuple[int, int] | None, features: Mapping[str, Any]) -> dict[str, Any]:
    timestamp, known_at = (None, None) if times is None else map(render_instant, times)
    return {"status": status, "_timestamp": timestamp, "_known_at": known_at, "features": dict(features)}
