"""What a store says about itself: which view, which version of its table, as of when, and until when it holds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

FORMAT = 1
"""Of the records; a store with another one is published anew."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ServedColumn:
    """A column of a view.

    Attributes:
        name: its name.
        type: its Spark type as Spark writes it in JSON: "long", "decimal(10,2)", {"type": "array", …}.
    """

    name: str
    type: Any


@dataclass(frozen=True)
class Publication:
    """One state of a view in a store. All instants and durations are microseconds, UTC.

    Attributes:
        view: name of the view.
        generation: names the set of records; a full publishing makes another one.
        table: name of the view's table.
        table_id: Delta's own id of the table, which another table of that name does not have.
        version: version of the table.
        rows_version: the version by which it has the rows it has.
        published_at: the instant as of which the records were made.
        through: rows that come into effect later than this are not in the records.
        entity: entity columns, in the order of the view.
        columns: feature columns, in the order of the view.
        counts: the feature columns that are 0 where there is no live row.
        ttl: age past which a row says nothing; None for never.
        run_id: the run that published.
        format: of the records.
    """

    view: str
    generation: str
    table: str
    table_id: str
    version: int
    rows_version: int
    published_at: int
    through: int
    entity: tuple[ServedColumn, ...]
    columns: tuple[ServedColumn, ...]
    counts: tuple[str, ...]
    ttl: int | None
    run_id: str
    format: int = FORMAT

    def has_layout_of(self, other: "Publication") -> bool:
        """Whether the records of both are of the same columns and the same table."""
        mine, theirs = ((p.table_id, p.entity, p.columns, p.format) for p in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class Pending:
    """A publishing that has begun and not ended.

    Attributes:
        token: whose it is; a later publisher puts its own here, and the earlier one can write no more.
        target: the state that it leads to.
    """

    token: str
    target: Publication


@dataclass(frozen=True)
class ViewState:
    """What a store has of a view."""

    published: Publication | None = None
    pending: Pending | None = None


def write_publication(publication: Publication) -> str:
    """A publication as text."""
    return json.dumps(asdict(publication), sort_keys=True, ensure_ascii=False)


@lru_cache(maxsize=256)
def read_publication(text: str | bytes) -> Publication:
    """A publication from its text."""
    return _from_values(json.loads(text))


def write_pending(pending: Pending) -> str:
    """A publishing under way, as text."""
    return json.dumps(asdict(pending), sort_keys=True, ensure_ascii=False)


def read_pending(text: str | bytes) -> Pending:
    """A publishing under way, from its text."""
    values = json.loads(text)
    return Pending(values["token"], _from_values(values["target"]))


def take_over(pending: Pending, token: str) -> Pending:
    """The same publishing in other hands."""
    return replace(pending, token=token)


def to_instant(microseconds: int) -> datetime:
    """The UTC instant so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970 of an instant with a zone."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _from_values(values: Mapping[str, Any]) -> Publication:
    lists = {key: tuple(ServedColumn(**column) for column in values[key]) for key in ("entity", "columns")}
    return Publication(**{**values, **lists, "counts": tuple(values["counts"])})
