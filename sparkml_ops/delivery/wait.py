"""Waiting until something is published: what a scheduler starts the next job by."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.delivery.published import BATCHES, CURRENT
from sparkml_ops.lake import Lake, read_table, table_exists, table_version

if TYPE_CHECKING:
    from pyspark.sql import Row

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Awaited:
    """What is waited for; all that is given has to hold.

    Attributes:
        batch: name of a batch, which has to be published; any by default.
        as_of: a decision of this moment, or a later one, has to be published.
        published_after: it has to be published after this instant.
    """

    batch: str | None = None
    as_of: datetime | None = None
    published_after: datetime | None = None


@dataclass(frozen=True)
class WaitResult:
    """What there was at the end.

    Attributes:
        is_there: whether what was waited for is published.
        reason: in words.
        batch: the batch that was published last, of those that are waited for; None where there is none.
        version: of `predictions_current`, that published it.
        published_at: when that was.
        newest_as_of: the newest moment of decision that is published, of the batch where one is named; None of nothing.
        waited_seconds: how long it took.
    """

    is_there: bool
    reason: str
    batch: str | None = None
    version: int | None = None
    published_at: datetime | None = None
    newest_as_of: datetime | None = None
    waited_seconds: float = 0.0


def wait_for_publication(
    lake: Lake,
    awaited: Awaited,
    *,
    timeout_seconds: float,
    every_seconds: float = 30.0,
    sleep: Callable[[float], None] = time.sleep,
) -> WaitResult:
    """Wait until something is published, or the time is over. Tables are read only when they have changed.

    Args:
        lake: where the tables are.
        awaited: what is waited for.
        timeout_seconds: how long at most; 0 looks once.
        every_seconds: how long between two looks.
        sleep: waits.
    """
    start = time.monotonic()
    seen, result = None, WaitResult(is_there=False, reason="nothing was ever published")
    while True:
        now = table_version(lake, BATCHES) if table_exists(lake, BATCHES) else None
        if now != seen:
            seen, result = now, look_for_publication(lake, awaited)
            logger.info("%s: %s", lake.use_case, result.reason)
        waited = time.monotonic() - start
        if result.is_there or waited >= timeout_seconds:
            return WaitResult(**{**vars(result), "waited_seconds": round(waited, 1)})
        sleep(min(every_seconds, timeout_seconds - waited))


def look_for_publication(lake: Lake, awaited: Awaited) -> WaitResult:
    """Whether what is awaited is published now."""
    last = _find_last(lake, awaited.batch)
    if last is None:
        return WaitResult(is_there=False, reason=_tell_state(lake, awaited.batch))
    published_at, newest = last["published_at"].astimezone(UTC), _find_newest(lake, awaited.batch)
    told = f"batch {last['batch_id']} was published at {published_at:%Y-%m-%d %H:%M:%S} UTC"
    lacks = None
    if awaited.published_after is not None and published_at <= awaited.published_after:
        lacks = f"nothing was published after {awaited.published_after.isoformat()}; {told}"
    elif awaited.as_of is not None and (newest is None or newest < awaited.as_of):
        reach = "no decision" if newest is None else f"decisions up to {newest.isoformat()}"
        lacks = f"{reach} published, none of {awaited.as_of.isoformat()} or later"
    facts = (last["batch_id"], last["current_version"], published_at, newest)
    return WaitResult(lacks is None, lacks or told, *facts)


def _find_last(lake: Lake, batch: str | None) -> "Row | None":
    if not table_exists(lake, BATCHES):
        return None
    rows = read_table(lake, BATCHES).where("status = 'published'")
    named = rows if batch is None else rows.where(F.col("batch_id") == batch)
    return named.orderBy(F.desc("published_at")).first()


def _find_newest(lake: Lake, batch: str | None) -> datetime | None:
    rows = read_table(lake, CURRENT)
    named = rows if batch is None else rows.where(F.col("batch_id") == batch)
    found = named.agg(F.unix_micros(F.max("as_of"))).collect()[0][0]
    return None if found is None else datetime.fromtimestamp(found / 1e6, UTC)


def _tell_state(lake: Lake, batch: str | None) -> str:
    """Why there is nothing: what is known of the batch."""
    if batch is None:
        return "no batch is published"
    rows = read_table(lake, BATCHES).where(F.col("batch_id") == batch) if table_exists(lake, BATCHES) else None
    last = rows.orderBy(F.col("status") == "scored", F.desc("scored_at")).first() if rows is not None else None
    return f"the batch {batch} is {'not there' if last is None else last['status']}"
