"""Publish features: what changed in the feature tables since the last time, into the online store.

Each view is published by itself: what is under way is written down first, then the records that changed, then the new state. Killed
anywhere, the next publishing first ends what was begun, as it was begun, and then goes on from there; so the store is the same as if
nothing had happened. A full publishing writes a generation of its own beside the one that is served, and is seen all at once; it is
made when there is nothing to go on from: the first time, when columns or the table are others, when the old version is gone, or when it
is asked for.
"""

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake import new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.serving.aim import aim_publication, choose_views
from sparkml_ops.serving.changes import find_all_records, find_changes
from sparkml_ops.serving.publication import Pending, Publication, ViewState, take_over, to_instant, to_microseconds
from sparkml_ops.serving.stores import Change, FeatureStore, open_store
from sparkml_ops.serving.stores.protocol import PAGE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake, StepRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedView:
    """What a publishing did with a view.

    Attributes:
        view: its name.
        table: the table that it was published from.
        version: of the table.
        mode: full, incremental, or unchanged where no record differs.
        written: records that were put.
        removed: records that were taken out of an incremental publishing, because the table has the entity no more.
        published_at: the instant as of which the records are.
        holds_until: the records of busy entities may go out of date from then on; publish before.
    """

    view: str
    table: str
    version: int
    mode: Literal["full", "incremental", "unchanged"]
    written: int
    removed: int
    published_at: datetime
    holds_until: datetime


@dataclass(frozen=True)
class PublishResult:
    """What a publishing did.

    Attributes:
        run_id: the run it belongs to.
        views: by name.
        forgotten: views that were in the store and are served no more; their records are gone from it.
    """

    run_id: str
    views: dict[str, PublishedView]
    forgotten: tuple[str, ...] = ()


def publish_features(  # each is a choice of the caller's
    use_case: "UseCase",
    lake: "Lake",
    *,
    views: Sequence[str] | None = None,
    full: bool = False,
    as_of: datetime | None = None,
    run_id: str | None = None,
) -> PublishResult:
    """Bring the online store to the newest versions of the feature tables.

    Args:
        use_case: the use case.
        lake: where its tables are.
        views: names of the views; those of `serving.views`, or of the dataset, by default.
        full: write every record anew, whatever the store has.
        as_of: publish as of this instant; now by default. One before the last publishing makes a full one.
        run_id: the run this belongs to; a new one by default.

    Raises:
        ConfigError: a view is unknown, was built from another definition, or has a column that cannot be served.
        TableNotFoundError: a view has not been built.
        SetupError: the store cannot be used.
        ConflictError: another publishing is under way, or has taken a view over.
    """
    names = choose_views(use_case, views)
    run, at = run_id or new_run_id(), to_microseconds(as_of or datetime.now(UTC))
    done = {}
    with hold_lease(lake, "publish_features", wait_seconds=STAGE_WAIT_SECONDS), open_store(use_case) as store:
        for name in names:
            parts = (use_case.features[name], use_case.serving.horizon.total_seconds())
            with record_step(
                lake, run_id=run, step=f"publish_features:{name}", config_hash=hash_config(*parts)
            ) as record:
                target = aim_publication(use_case, lake, view=name, at=at, run_id=run)
                record.read(target.table, target.version)
                done[name] = _publish_view(lake, store, target, full=full, record=record)
        forgotten = _forget_others(store, names) if views is None else ()
    return PublishResult(run, done, forgotten)


def _publish_view(
    lake: "Lake", store: FeatureStore, target: Publication, *, full: bool, record: "StepRecord"
) -> PublishedView:
    state = store.read_states().get(target.view, ViewState())
    token = uuid.uuid4().hex
    before = None if full else _end_what_was_begun(lake, store, state, token=token, record=record)
    changes = None if before is None else _find_changes(lake, before, target)
    if before is None or changes is None:
        pending = Pending(token, replace(target, generation=uuid.uuid4().hex[:12]))
        written, removed = _carry_out(store, pending, find_all_records(lake, target))
        mode: Literal["full", "incremental", "unchanged"] = "full"
    else:
        pending = Pending(token, replace(target, generation=before.generation))
        written, removed = _carry_out(store, pending, changes)
        mode = "incremental" if written or removed else "unchanged"
    for key, figure in (("mode", mode), ("written", written), ("removed", removed)):
        record.note(key, figure)
    logger.info(
        "%s: %s@v%d is served (%s): %d records put, %d removed",
        target.view,
        target.table,
        target.version,
        mode,
        written,
        removed,
    )
    instants = to_instant(target.published_at), to_instant(target.through)
    return PublishedView(target.view, target.table, target.version, mode, written, removed, *instants)


def _forget_others(store: FeatureStore, names: Sequence[str]) -> tuple[str, ...]:
    """Take out what nobody is to ask for any more."""
    forgotten = tuple(view for view in store.read_states() if view not in names)
    for view in forgotten:
        store.forget(view)
        logger.info("%s is served no more: taken out of the store", view)
    return forgotten


def _end_what_was_begun(
    lake: "Lake", store: FeatureStore, state: ViewState, *, token: str, record: "StepRecord"
) -> Publication | None:
    """The state to go on from, after a publishing that was cut off has been ended as it was begun; None for none."""
    published, pending = state.published, state.pending
    if published is None or pending is None or pending.target.generation != published.generation:
        return published  # a full publishing that was cut off has touched nothing that is served
    mine = take_over(pending, token)
    changes = _find_changes(lake, published, mine.target)
    if changes is None:
        return None
    written, removed = _carry_out(store, mine, changes)
    record.note("ended_first", f"v{mine.target.version} of run {mine.target.run_id}: {written} put, {removed} removed")
    return mine.target


def _find_changes(lake: "Lake", before: Publication, target: Publication) -> "DataFrame | None":
    """The records that differ, None where that cannot be told."""
    if not before.has_layout_of(target) or target.version < before.version or target.published_at < before.published_at:
        return None
    try:
        return find_changes(lake, before, target)
    except TableNotFoundError:
        logger.info("%s: v%d, which was published last, is gone: all is published anew", before.table, before.version)
        return None


def _carry_out(store: FeatureStore, pending: Pending, changes: "DataFrame") -> tuple[int, int]:
    """Write the records and make the target the state that is served; how many were put, and how many removed."""
    store.begin(pending)
    write = _write_from_tasks if store.takes_many_writers else _write_from_driver
    written, removed = write(store, pending, changes)
    store.commit(pending)
    return written, removed


def _write_from_driver(store: FeatureStore, pending: Pending, changes: "DataFrame") -> tuple[int, int]:
    """A store with one writer is written by the driver, which holds two partitions of records at a time: one is made while the other is written."""
    rows = ((row[0], row[1]) for row in changes.toLocalIterator(prefetchPartitions=True))
    return _write_pages(store, pending, rows)


def _write_from_tasks(store: FeatureStore, pending: Pending, changes: "DataFrame") -> tuple[int, int]:
    """Each task writes its own records; one that is tried again writes the same."""
    from pyspark.sql import functions as F

    def write_partition(batches: Iterable[Any]) -> Iterator[Any]:
        import pyarrow as pa

        rows = (
            pair for batch in batches for pair in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        )
        written, removed = _write_pages(store, pending, rows)
        store.close()
        yield pa.RecordBatch.from_pydict({"written": [written], "removed": [removed]})

    counts = changes.mapInArrow(write_partition, "written bigint, removed bigint")
    total = counts.agg(F.coalesce(F.sum("written"), F.lit(0)), F.coalesce(F.sum("removed"), F.lit(0))).collect()[0]
    return int(total[0]), int(total[1])


def _write_pages(store: FeatureStore, pending: Pending, rows: Iterable[tuple[str, str | None]]) -> tuple[int, int]:
    written, removed = 0, 0
    changes = (Change(key.encode(), None if content is None else content.encode()) for key, content in rows)
    while page := list(islice(changes, PAGE)):
        store.put(pending, page)
        gone = sum(change.content is None for change in page)
        written, removed = written + len(page) - gone, removed + gone
    return written, removed
