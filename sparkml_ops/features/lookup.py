"""The features of a use case at given moments: the one road that training and scoring share."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.compute import restate_windows
from sparkml_ops.features.definitions import features_table
from sparkml_ops.features.derived import cast_features, derive_columns
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.rounds import ViewRows
from sparkml_ops.lake import has_plain_files, read_table, resolve_relation, table_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake


def look_up_features(
    moments: "DataFrame",
    use_case: "UseCase",
    lake: "Lake",
    *,
    timestamp: str,
    versions: Mapping[str, int] | None = None,
    as_known_at: datetime | None = None,
) -> "tuple[DataFrame, dict[str, int]]":
    """Give each moment every feature of the dataset, as it was known then.

    Args:
        moments: rows with the entity columns of the dataset's views and a time. Where they have no column of the
            dataset's own name for the moment, derived columns see theirs under it.
        use_case: whose features to look up.
        lake: where the tables are.
        timestamp: name of the column with the moment.
        versions: versions to read tables at, by table name; the newest for those that are not named.
        as_known_at: restate all moments by what was known at this instant, UTC if it has no zone; by what was known at each by default.

    Returns:
        The moments' own columns followed by `use_case.feature_columns()`, each a double or a string; and the
        versions of the features tables, by table name.

    Raises:
        TableNotFoundError: a features table, or a version of it, is not there.
        ConfigError: the moments, the tables and the configuration do not fit together.
    """
    dataset = use_case.dataset
    clash = sorted({*dataset.entity, dataset.timestamp, timestamp} & set(dataset.derived))
    if clash:
        raise ConfigError(f"dataset.derived: `{clash[0]}` is an entity or time column. Give the feature another name.")
    used = {features_table(name): _pin(lake, features_table(name), versions) for name in dataset.features}
    views = [
        open_view(lake, name, use_case.features[name], version=used[features_table(name)], as_known_at=as_known_at)
        for name in dataset.features
    ]
    joined = join_point_in_time(moments, views, timestamp=timestamp, as_known_at=as_known_at)
    is_named = dataset.timestamp in joined.columns
    named = joined if is_named else joined.withColumn(dataset.timestamp, F.col(timestamp))
    complete = derive_columns(named, dataset.derived).drop(*dataset.leave_out)
    features = cast_features(complete, use_case.feature_columns())
    return features if is_named else features.drop(dataset.timestamp), used


def _pin(lake: "Lake", table: str, versions: Mapping[str, int] | None) -> int:
    pinned = (versions or {}).get(table)
    return table_version(lake, table) if pinned is None else pinned


def open_view(
    lake: "Lake", name: str, view: "FeatureView", *, version: int | None = None, as_known_at: datetime | None = None
) -> ViewRows:
    """The table of a view, ready to be looked up; at its newest version unless told.

    To restate windows (`as_known_at`) is to compute them once more, from the tables that the view is made of, as they are now.

    Raises:
        TableNotFoundError: the table, or the version of it, is not there.
        ConfigError: it was built from a definition with other columns.
    """
    if as_known_at is not None and view.aggregates:
        events, _ = resolve_relation(lake, view.relation)
        return take_rows(name, view, restate_windows(events, view, name=name, as_known_at=as_known_at))
    pinned = table_version(lake, features_table(name)) if version is None else version
    rows = read_table(lake, features_table(name), version=pinned)
    lacking = [column for column in [*view.entity, *view.column_names()] if column not in rows.columns]
    if lacking:
        raise ConfigError(
            f"{features_table(name)}@v{pinned} has no column `{lacking[0]}`, which features.{name} declares: "
            f"it was built from another definition. Build it again: `sparkml-ops features {lake.use_case}`."
        )
    return replace(take_rows(name, view, rows), has_plain_files=has_plain_files(lake, features_table(name)))


def take_rows(name: str, view: "FeatureView", rows: "DataFrame") -> ViewRows:
    """Rows of a view, ready to be looked up, wherever they come from."""
    # What is timeless does not age.
    ttl = None if view.timestamp is None else view.time_to_live()
    return ViewRows(name, tuple(view.entity), tuple(view.column_names()), rows, ttl, view.zero_when_missing())
