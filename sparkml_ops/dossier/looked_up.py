"""The features of a row as they were used: looked up again at the recorded versions, by the function that scoring used.

Beside the values, the row of each view that counted: the look-up carries copies of its two times along, which are equal among rows that
tie, so that they change nothing about which row counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkml_ops.config.features import feature_name
from sparkml_ops.dossier.facts import LookedUpView
from sparkml_ops.dossier.keys import make_literal
from sparkml_ops.errors import ConfigError, SparkMLOpsError
from sparkml_ops.features import ViewRows, features_table, join_point_in_time, look_up_features, open_view
from sparkml_ops.lake import Lake, quote_identifier
from sparkml_ops.lake.failed_reads import blaming_tables
from sparkml_ops.lake.gone_files import require_files

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

READ_FAILURES = (SparkMLOpsError, PySparkException, Py4JError, OSError)
"""What it may come to when files of an old version are gone."""
_TIMESTAMP, _KNOWN_AT = "_row_timestamp", "_row_known_at"


@dataclass(frozen=True)
class LookedUp:
    """What the look-up gave.

    Attributes:
        views: by view, in the order of the dataset.
        features: one row with every feature column, as the model is given it; None where a view is gone.
        derived: the columns that were computed over the views.
        missing: what is not there any more.
    """

    views: tuple[LookedUpView, ...]
    features: "pa.Table | None"
    derived: Mapping[str, Any]
    missing: tuple[str, ...]


def look_up_row(use_case: "UseCase", lake: Lake, record: "pa.Table", *, versions: Mapping[str, int]) -> LookedUp:
    """Look up what a decision was scored by.

    Args:
        use_case: with the views as they were.
        lake: where the tables are.
        record: the prediction: the entity columns, and `as_of`.
        versions: version of each features table, as the prediction has them; without those that are other tables now.
    """
    moments = _open_moments(use_case, lake, record)
    names = [name for name in use_case.dataset.features if features_table(name) in versions]
    views, missing = _find_rows(use_case, lake, moments, names=names, versions=versions)
    unrecorded = [name for name in use_case.dataset.features if name not in names]
    missing += [f"the version of {features_table(name)}: there is none to look up" for name in unrecorded]
    features = None
    if not missing:
        try:
            features = _look_up_all(use_case, lake, moments, versions=versions)
        except READ_FAILURES as error:
            missing.append(f"the features together: {tell_failure(error)}")
    values = {} if features is None else features.to_pylist()[0]
    told = {name: _take_values(use_case, views[name], values) for name in names}
    for name in unrecorded:
        told[name] = LookedUpView(name, features_table(name), None, note="there is no version of it to look up")
    derived = {name: values[name] for name in use_case.dataset.derived if name in values}
    return LookedUp(tuple(told[name] for name in use_case.dataset.features), features, derived, tuple(missing))


def _open_moments(use_case: "UseCase", lake: Lake, record: "pa.Table") -> "DataFrame":
    """The decision under the names that scoring gives its columns; without a detour through Python's values."""
    as_of, entity = use_case.scoring.as_of, use_case.dataset.entity
    lacking = [name for name in entity if name not in record.column_names]
    if lacking:
        raise ConfigError(f"dataset.entity: predictions has no column {lacking[0]}; the configuration is another one.")
    moment = [] if as_of in entity else ["as_of"]
    rows = lake.spark.createDataFrame(record.select([*entity, *moment]))
    return rows.withColumnRenamed("as_of", as_of) if moment else rows


def _look_up_all(use_case: "UseCase", lake: Lake, moments: "DataFrame", *, versions: Mapping[str, int]) -> "pa.Table":
    with blaming_tables(lake):
        found, _ = look_up_features(moments, use_case, lake, timestamp=use_case.scoring.as_of, versions=versions)
        return found.toArrow()


def _find_rows(
    use_case: "UseCase", lake: Lake, moments: "DataFrame", *, names: Sequence[str], versions: Mapping[str, int]
) -> tuple[dict[str, LookedUpView], list[str]]:
    """The row of each view; of all together, and where that fails one by one, to tell which are gone."""
    try:
        return _join_rows(use_case, lake, moments, names=names, versions=versions), []
    except READ_FAILURES:
        pass
    found: dict[str, LookedUpView] = {}
    missing: list[str] = []
    for name in names:
        table = features_table(name)
        try:
            found |= _join_rows(use_case, lake, moments, names=[name], versions=versions)
        except READ_FAILURES as error:
            told, name_of_it = tell_failure(error), f"{table}@v{versions[table]}"
            missing.append(told if name_of_it in told else f"{name_of_it}: {told}")
            found[name] = LookedUpView(name, table, versions[table], note="it cannot be read any more")
    return found, missing


def _join_rows(
    use_case: "UseCase", lake: Lake, moments: "DataFrame", *, names: Sequence[str], versions: Mapping[str, int]
) -> dict[str, LookedUpView]:
    entity = moments.toArrow().to_pylist()[0]
    with blaming_tables(lake):
        views = [_open_with_times(use_case, lake, name, version=versions[features_table(name)]) for name in names]
        views = [_keep_entity(view, entity) for view in views]
        row = join_point_in_time(moments, views, timestamp=use_case.scoring.as_of).toArrow().to_pylist()[0]
    return {view.name: _tell_view(view, row, versions) for view in views}


def _open_with_times(use_case: "UseCase", lake: Lake, name: str, *, version: int) -> ViewRows:
    require_files(lake, features_table(name), version=version)
    view = open_view(lake, name, use_case.features[name], version=version)
    rows = view.rows.withColumns({_TIMESTAMP: F.col("timestamp"), _KNOWN_AT: F.col("_known_at")})
    return replace(view, rows=rows, columns=(*view.columns, _TIMESTAMP, _KNOWN_AT), has_plain_files=False)


def _keep_entity(view: ViewRows, entity: Mapping[str, Any]) -> ViewRows:
    """No other entity's rows have to be dealt to anybody."""
    rows = view.rows
    for name in view.entity:
        rows = rows.where(F.col(quote_identifier(name)) == make_literal(entity[name], rows.schema[name].dataType))
    return replace(view, rows=rows)


def _tell_view(view: ViewRows, row: Mapping[str, Any], versions: Mapping[str, int]) -> LookedUpView:
    values = {column: row[feature_name(view.name, column)] for column in view.columns}
    timestamp, known_at = values.pop(_TIMESTAMP), values.pop(_KNOWN_AT)
    return LookedUpView(
        view.name,
        features_table(view.name),
        versions[features_table(view.name)],
        timestamp=None if timestamp is None else timestamp.astimezone(UTC),
        known_at=None if known_at is None else known_at.astimezone(UTC),
        values=values,
        note="" if timestamp is not None else _tell_absence(view),
    )


def _tell_absence(view: ViewRows) -> str:
    aged = "" if view.ttl is None else f", or it was older than {view.ttl}"
    return f"no row was known at the moment{aged}"


def _take_values(use_case: "UseCase", view: LookedUpView, features: Mapping[str, Any]) -> LookedUpView:
    """The values as the model was given them, where it was."""
    names = {column: feature_name(view.view, column) for column in use_case.features[view.view].column_names()}
    given = {column: features.get(name, view.values.get(column)) for column, name in names.items()}
    return replace(view, values=given if view.values else {})


def tell_failure(error: BaseException) -> str:
    """The first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
