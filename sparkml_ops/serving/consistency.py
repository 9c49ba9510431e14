"""The consistency report: what the store would answer, held against what the tables say.

As of one instant, and of every later one up to the horizon of the publishing, an entity is

* `same`: the store and the newest version of the table say the same of it;
* `stale`: both know it and differ, because the table has moved on or the record was changed;
* `missing`: the table knows it and the store does not;
* `extra`: the store knows it and the table does not.

The store is read page by page, and its records are put on disk beside the tables; Spark joins them. So memory stays the same however
many entities there are.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.lake import Metric, new_run_id, read_table, record_metrics, record_step, stage_folder
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.serving.aim import aim_publication, choose_views
from sparkml_ops.serving.keys import describe_key
from sparkml_ops.serving.publication import Publication, ServedColumn, ViewState, to_instant, to_microseconds
from sparkml_ops.serving.records import CONTENT, KEY, make_records, move_record
from sparkml_ops.serving.stores import FeatureStore, open_store

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

logger = logging.getLogger(__name__)

VERDICTS = ("same", "stale", "missing", "extra")
_EXAMPLES = 5
_LONGEST_EXAMPLE = 200  # characters
_DAMAGED = "damaged"  # no record that is made reads so
_SERVED = f"{KEY} string, {CONTENT} string"


@dataclass(frozen=True)
class ViewReport:
    """How the store and a table agree.

    Attributes:
        view: the view.
        version: of its table, that was compared.
        published_version: of its table, that is served; None where it is not published.
        counts: entities by verdict: same, stale, missing, extra.
        examples: keys of entities by verdict, at most five each; none of entities that are personal data.
        compared_at: the instant as of which they were compared.
    """

    view: str
    version: int
    published_version: int | None
    counts: dict[str, int]
    examples: dict[str, list[str]]
    compared_at: datetime

    @property
    def agrees(self) -> bool:
        """Whether every entity is the same."""
        return not any(count for verdict, count in self.counts.items() if verdict != "same")


@dataclass(frozen=True)
class ConsistencyResult:
    """The report of all views.

    Attributes:
        run_id: the run it belongs to.
        views: by name.
    """

    run_id: str
    views: dict[str, ViewReport]

    @property
    def agrees(self) -> bool:
        """Whether every entity of every view is the same."""
        return all(report.agrees for report in self.views.values())


def compare_served(
    use_case: "UseCase",
    lake: "Lake",
    *,
    views: Sequence[str] | None = None,
    as_of: datetime | None = None,
    run_id: str | None = None,
) -> ConsistencyResult:
    """Hold what is served against the newest versions of the tables; the figures go to `metrics`.

    Args:
        use_case: the use case.
        lake: where its tables are.
        views: names of the views; all that are served by default.
        as_of: the instant to compare as of; now by default. One before the publishing counts as the instant of publishing.
        run_id: the run this belongs to; a new one by default.

    Raises:
        ConfigError: a view is unknown, or its table is of another definition.
        TableNotFoundError: a view has not been built.
        SetupError: the store cannot be used.
        ConflictError: another check of this use case is under way.
    """
    names = choose_views(use_case, views)
    run, moment = run_id or new_run_id(), to_microseconds(as_of or datetime.now(UTC))
    reports = {}
    with hold_lease(lake, "check_served", wait_seconds=STAGE_WAIT_SECONDS), open_store(use_case) as store:
        for name in names:
            step = f"check_served:{name}"
            with record_step(lake, run_id=run, step=step, config_hash=hash_config(use_case.features[name])) as record:
                target = aim_publication(use_case, lake, view=name, at=moment, run_id=run)
                report = _compare_view(use_case, lake, store, target)
                record.read(target.table, target.version)
                for verdict, count in report.counts.items():
                    record.note(verdict, count)
                if not report.agrees:
                    record.refuse(_summarise(report))
                record_metrics(lake, _to_metrics(report), run_id=run, step=step, write_id=f"{step}:{run}")
            reports[name] = report
    return ConsistencyResult(run, reports)


def _compare_view(use_case: "UseCase", lake: "Lake", store: FeatureStore, target: Publication) -> ViewReport:
    published = store.read_states().get(target.view, ViewState()).published
    at, through = target.published_at, target.through
    if published is not None:
        at, through = max(at, published.published_at), published.through
    rows = read_table(lake, target.table, version=target.version)
    expected = make_records(rows, target, at=at, through=through).select(KEY, CONTENT)
    with _stage_served(lake, store, published, target, at=at) as served:
        counts, examples = _count_verdicts(expected, served, target.entity)
    if any(_is_personal(use_case, column.name) for column in target.entity):
        examples = {}
    version = None if published is None else published.version
    report = ViewReport(target.view, target.version, version, counts, examples, to_instant(at))
    logger.info("%s: %s", target.view, _summarise(report))
    return report


@contextmanager
def _stage_served(
    lake: "Lake", store: FeatureStore, published: Publication | None, target: Publication, *, at: int
) -> "Iterator[DataFrame]":
    """What the store has, in files: a page is a small job, and nothing else is held in memory."""
    if published is None or not published.has_layout_of(target):
        published = None  # records of other columns say nothing of these
    with stage_folder(lake, "check_served", target.view) as folder:
        pages = () if published is None else store.scan(published)
        for page in pages:
            records = [(c.key.decode(errors="replace"), _move(c.content, at)) for c in page if c.content is not None]
            lake.spark.createDataFrame(records, _SERVED).coalesce(1).write.mode("append").parquet(folder)
        yield lake.spark.read.schema(_SERVED).parquet(folder).dropDuplicates([KEY])


def _count_verdicts(
    expected: "DataFrame", served: "DataFrame", entity: Sequence[ServedColumn]
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Entities by verdict, and where there are any that are not the same, some of them."""
    from pyspark.sql import functions as F

    both = expected.alias("table").join(served.alias("store"), on=KEY, how="full_outer")
    judged = both.select(KEY, _judge(F.col(f"table.{CONTENT}"), F.col(f"store.{CONTENT}")).alias("verdict"))
    counted = judged.groupBy("verdict").count().collect()
    counts = dict.fromkeys(VERDICTS, 0) | {row["verdict"]: row["count"] for row in counted}
    examples = {}
    for verdict in VERDICTS[1:]:
        if counts[verdict]:
            rows = judged.where(F.col("verdict") == verdict).orderBy(KEY).limit(_EXAMPLES).collect()
            examples[verdict] = [describe_key(entity, row[KEY].encode())[:_LONGEST_EXAMPLE] for row in rows]
    return counts, examples


def _judge(expected: "Column", served: "Column") -> "Column":
    from pyspark.sql import functions as F

    return (
        F.when(served.isNull(), "missing")
        .when(expected.isNull(), "extra")
        .when(expected == served, "same")
        .otherwise("stale")
    )


def _move(content: bytes, at: int) -> str:
    try:
        return move_record(content, at).decode()
    except ValueError:  # somebody wrote something else there
        return _DAMAGED


def _is_personal(use_case: "UseCase", column: str) -> bool:
    return any(column in source.personal_columns() for source in use_case.sources.values())


def _summarise(report: ViewReport) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in report.counts.items())


def _to_metrics(report: ViewReport) -> list[Metric]:
    details = f"{report.view}@v{report.version} as of {report.compared_at:%Y-%m-%dT%H:%M:%SZ}; served v{report.published_version}"
    return [
        Metric(
            "serving",
            report.view,
            f"served_{verdict}",
            float(count),
            threshold=None if verdict == "same" else 0.0,
            verdict="info" if verdict == "same" else "alert" if count else "ok",
            details=details,
        )
        for verdict, count in report.counts.items()
    ]
