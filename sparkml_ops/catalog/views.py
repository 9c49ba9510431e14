"""The feature views as they are now: who answers for them, how new they are, what they hold, and who uses them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.catalog.ledger import ModelUse, Used, read_published, read_trainings, read_uses
from sparkml_ops.catalog.meanings import find_owner
from sparkml_ops.catalog.view_columns import ViewColumn, describe_columns
from sparkml_ops.catalog.view_statistics import ColumnStatistics, read_statistics
from sparkml_ops.config.types import format_duration
from sparkml_ops.features import features_table, hash_view, list_training_sets
from sparkml_ops.features.built import read_built
from sparkml_ops.lake import read_table, table_exists, table_version

if TYPE_CHECKING:
    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features import TrainingSet
    from sparkml_ops.lake import Lake

_AT_A_TIME = 4  # each look at a table waits for its log more than it works


@dataclass(frozen=True)
class ViewEntry:
    """One feature view.

    Attributes:
        view: its name.
        description: what it says.
        owner: who answers for it.
        entity: what its rows are about.
        sources: what it is made from.
        columns: its feature columns.
        ttl: how long a row counts, as written; None for ever. Of aggregates the longest window.
        is_learned: whether the dataset looks it up.
        table: where its rows are.
        version: the newest version of the table; None when it was never built, as are the following.
        rows: rows of that version.
        built_at: when a build last brought it up to date, by the ledger; UTC.
        is_current: whether it is made by the definition as it is now, and by no other hand.
        newest_at: the time of the newest event in it; UTC. Of snapshots to the day; None of what is timeless or empty, and
            of windows of another definition.
        age_seconds: from then until now.
        models: model versions that learned from it, newest first.
        is_published: whether published predictions come from one of these.
    """

    view: str
    description: str | None
    owner: str
    entity: tuple[str, ...]
    sources: tuple[str, ...]
    columns: tuple[str, ...]
    ttl: str | None
    is_learned: bool
    table: str
    version: int | None
    rows: int | None
    built_at: datetime | None
    is_current: bool | None
    newest_at: datetime | None
    age_seconds: float | None
    models: tuple[ModelUse, ...]
    is_published: bool


@dataclass(frozen=True)
class ViewStory:
    """All about one feature view.

    Attributes:
        entry: its line in the catalog.
        columns: each column, with its figures, and its way from the sources to the predictions.
        rows_by: columns of the sources that say which rows there are: entity, times and `where`.
        sizes: rows of its table over time, newest first.
        training_sets: versions of the training set that hold it, newest first.
    """

    entry: ViewEntry
    columns: tuple[ViewColumn, ...]
    rows_by: tuple[str, ...]
    sizes: tuple[ColumnStatistics, ...]
    training_sets: tuple[str, ...]


def read_views(use_case: "UseCase", lake: "Lake") -> tuple[ViewEntry, ...]:
    """Every feature view. Of each table one column is read, for the newest time.

    Args:
        use_case: declares them.
        lake: where their tables are.
    """
    return tuple(story.entry for story in _read(use_case, lake, list(use_case.features), with_columns=False))


def read_view(use_case: "UseCase", lake: "Lake", name: str) -> ViewStory:
    """All about one feature view.

    Raises:
        ConfigError: there is no such view.
    """
    use_case.require_view(name)
    return _read(use_case, lake, [name])[0]


def read_view_stories(use_case: "UseCase", lake: "Lake") -> tuple[ViewStory, ...]:
    """All about every feature view."""
    return _read(use_case, lake, list(use_case.features))


def _read(
    use_case: "UseCase", lake: "Lake", names: Sequence[str], *, with_columns: bool = True
) -> tuple[ViewStory, ...]:
    sets, trainings, uses = list_training_sets(lake)[::-1], read_trainings(lake), read_uses(lake)
    published = read_published(lake)
    statistics = read_statistics(lake, names) if with_columns else {}

    def read(name: str) -> ViewStory:
        table = features_table(name)
        mine = [one for one in sets if table in one.inputs]
        models = tuple(use for use in trainings if use.training_set in {one.version for one in mine})
        entry = _read_entry(use_case, lake, name, uses=uses, models=models, published=published)
        if not with_columns:
            return ViewStory(entry, (), (), (), ())
        types = dict(read_table(lake, table).dtypes) if entry.version is not None else {}
        columns, rows_by = describe_columns(use_case, name, types, statistics, _learned(mine, models))
        return ViewStory(entry, columns, rows_by, statistics.get(name, ()), tuple(one.version for one in mine))

    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="views") as workers:
        return tuple(workers.map(read, names))


def _learned(sets: "Sequence[TrainingSet]", models: Sequence[ModelUse]) -> dict[str, tuple[int, ...]]:
    """Versions of the models that learned from a feature, by its name in the training row."""
    columns = {one.version: one.feature_columns for one in sets}
    found: dict[str, tuple[int, ...]] = {}
    for use in models:
        for name in columns[use.training_set]:
            found[name] = (*found.get(name, ()), use.version)
    return found


def _read_entry(
    use_case: "UseCase",
    lake: "Lake",
    name: str,
    *,
    uses: Sequence[Used],
    models: tuple[ModelUse, ...],
    published: frozenset[int],
) -> ViewEntry:
    view, table = use_case.features[name], features_table(name)
    is_there = table_exists(lake, table)
    built = [use.last_at for use in uses if use.table == table and use.is_written and use.step == f"features:{name}"]
    is_current = _is_current(view, lake, name) if is_there else None
    newest = _find_newest(view, lake, table) if is_current or (is_there and not view.aggregates) else None
    ttl = view.time_to_live() if view.timestamp is not None else None
    return ViewEntry(
        view=name,
        description=view.description,
        owner=find_owner(use_case, table),
        entity=tuple(view.entity),
        sources=tuple(table.removeprefix("clean_") for table in use_case.tables_read(view.relation)),
        columns=tuple(view.column_names()),
        ttl=None if ttl is None else format_duration(ttl),
        is_learned=name in use_case.dataset.features,
        table=table,
        version=table_version(lake, table) if is_there else None,
        rows=read_table(lake, table).count() if is_there else None,
        built_at=max(built, default=None),
        is_current=is_current,
        newest_at=newest,
        age_seconds=None if newest is None else (datetime.now(UTC) - newest).total_seconds(),
        models=models,
        is_published=any(use.version in published for use in models),
    )


def _is_current(view: "FeatureView", lake: "Lake", name: str) -> bool:
    built = read_built(lake, name)
    return built is not None and built.is_ours and built.definition == hash_view(view)


def _find_newest(view: "FeatureView", lake: "Lake", table: str) -> datetime | None:
    """The time of the newest event: the last row of aggregates is when it leaves the longest window."""
    if view.timestamp is None:
        return None
    newest = read_table(lake, table).agg(F.unix_micros(F.max("timestamp"))).collect()[0][0]
    if newest is None:
        return None
    until = view.time_to_live() if view.aggregates else None
    at = datetime.fromtimestamp(newest / 1e6, UTC)
    return at if until is None else at - until
