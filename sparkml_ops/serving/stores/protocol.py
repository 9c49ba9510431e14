"""What every store can do.

A publishing is `begin`, any number of `put`, `commit`. Who begins takes the view over: one who began earlier and has not ended gets a
ConflictError from its next `put` or `commit`, so that two publishers never mix their records, and none waits for one that was killed.
What was begun and not ended stays on record until it is ended or taken over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sparkml_ops.serving.publication import Pending, Publication, ViewState

PAGE = 2000
"""Records that are written, or read in a scan, at a time."""


@dataclass(frozen=True)
class Change:
    """A record of an entity; None in `content` takes it out."""

    key: bytes
    content: bytes | None


@dataclass(frozen=True)
class Found:
    """What a store has of some entities of a view: the publication, and a record for each key in its order, None where there is none."""

    publication: Publication
    records: list[bytes | None]


class FeatureStore(Protocol):
    """A place with the records of one use case's views."""

    @property
    def takes_many_writers(self) -> bool:
        """Whether tasks on other machines may write at the same time; the store is pickled to them."""

    def read_states(self) -> dict[str, ViewState]:
        """What there is of each view."""

    def begin(self, pending: Pending) -> None:
        """Take a view over for a publishing."""

    def put(self, pending: Pending, changes: Sequence[Change]) -> None:
        """Write some records, all or none; the same again changes nothing.

        Raises:
            ConflictError: another publisher has taken over.
        """

    def commit(self, pending: Pending) -> None:
        """Make the target the state that is served, and clear other generations of the view away.

        Raises:
            ConflictError: another publisher has taken over.
        """

    def forget(self, view: str) -> None:
        """Take a view out with all its records."""

    def find(self, keys: Mapping[str, Sequence[bytes]]) -> dict[str, Found]:
        """Records by view, each view's of one generation; views that are not published are left out."""

    def scan(self, publication: Publication) -> Iterator[list[Change]]:
        """All records of a publication, page by page; it is not held still meanwhile."""

    def close(self) -> None:
        """Let go of connections."""
