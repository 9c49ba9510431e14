"""Ingestion that goes on: what lands is taken in as it lands, until somebody stops it.

Each turn is `ingest` itself, so a batch that is followed and one that is run by a scheduler are the same batch: one manifest, exactly
once, whoever was killed. That holds for every kind of source, which a stream with a checkpoint of its own would not give.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sparkml_ops.errors import ConflictError, ContractError, SetupError
from sparkml_ops.ingestion.ingest import SourceResult, choose_sources, find_batches, ingest

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=10)


@dataclass(frozen=True)
class Turn:
    """What came of one look at the sources.

    Attributes:
        taken: sources that had something new.
        refused: why a source could not be taken in, by source; told once, until it changes.
    """

    taken: tuple[SourceResult, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def follow(
    use_case: "UseCase",
    lake: "Lake",
    *,
    sources: Sequence[str] | None = None,
    every: timedelta = EVERY,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Turn]:
    """Take in what is new, again and again; a source that is refused stops no other, and is tried again when its pieces change.

    Args:
        use_case: the configuration.
        lake: where the tables are.
        sources: names of the sources to look at; all by default.
        every: how long to wait between two looks.
        wait: called with the seconds to wait.

    Yields:
        Each turn in which anything happened.

    Raises:
        ConfigError: an unknown source.
    """
    names = choose_sources(use_case, sources)
    stuck: dict[str, str] = {}  # the batch that was refused, or the message where there was none to be found
    while True:
        outcomes = {name: _take_turn(use_case, lake, name, stuck) for name in names}
        taken = tuple(outcome for outcome in outcomes.values() if isinstance(outcome, SourceResult))
        refused = tuple((name, outcome) for name, outcome in outcomes.items() if isinstance(outcome, str))
        if taken or refused:
            yield Turn(taken, refused)
        wait(every.total_seconds())


def _take_turn(use_case: "UseCase", lake: "Lake", name: str, stuck: dict[str, str]) -> SourceResult | str | None:
    """The result of a source, why it was refused, or None where nothing is new, or nothing new is wrong."""
    told, cause = stuck.pop(name, None), None
    try:
        batch = find_batches(use_case, lake, [name])[name]
        if batch is None:
            return None
        cause = batch.batch_id
        if told != cause:
            return ingest(use_case, lake, sources=[name]).sources[0]
        stuck[name] = cause
    except ConflictError as error:  # somebody else is at it: the next turn looks again
        return str(error)
    except (ContractError, SetupError) as error:
        stuck[name] = cause or str(error)
        if told != stuck[name]:
            logger.warning("source %s: %s", name, error)
            return str(error)
    return None
