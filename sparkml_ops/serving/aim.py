"""What is to be served of a view: the newest version of its table, its columns, and the instants it is made for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkml_ops.errors import ConfigError
from sparkml_ops.features import features_table
from sparkml_ops.features.events import to_microseconds
from sparkml_ops.lake import change_version, read_table, table_id, table_version
from sparkml_ops.serving.keys import can_be_key
from sparkml_ops.serving.publication import Publication, ServedColumn
from sparkml_ops.serving.values import find_unservable

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake


def choose_views(use_case: "UseCase", views: Sequence[str] | None) -> list[str]:
    """Names of the views that are meant: those that are given, or all that are served.

    Raises:
        ConfigError: one of them is not there.
    """
    served = use_case.served_views()
    names = list(dict.fromkeys(served if views is None else views))
    for name in names:
        use_case.require_view(name)
        if name not in served:
            raise ConfigError(
                f"{use_case.name} does not serve {name}: add it to serving.views. Served are: {', '.join(served)}."
            )
    return names


def aim_publication(use_case: "UseCase", lake: "Lake", *, view: str, at: int, run_id: str) -> Publication:
    """The state of a view that a publishing at an instant leads to, still without a generation.

    Args:
        use_case: the use case.
        lake: where its tables are.
        view: name of the view.
        at: the instant, in microseconds.
        run_id: the run that publishes.

    Raises:
        TableNotFoundError: the view has not been built.
        ConfigError: its table is of another definition, or has a column that cannot be served.
    """
    declared, table = use_case.features[view], features_table(view)
    version = table_version(lake, table)
    schema = read_table(lake, table, version=version).schema
    entity = _find_columns(schema, declared.entity, view=view, place=f"{table}@v{version}", use_case=use_case.name)
    columns = _find_columns(
        schema, declared.column_names(), view=view, place=f"{table}@v{version}", use_case=use_case.name
    )
    _require_servable(view, entity, columns)
    return Publication(
        view=view,
        generation="",
        table=table,
        table_id=table_id(lake, table),
        version=version,
        rows_version=change_version(lake, table, at=version),
        published_at=at,
        through=at + to_microseconds(use_case.serving.horizon),
        entity=entity,
        columns=columns,
        counts=tuple(sorted(declared.zero_when_missing())),
        # What is timeless does not age.
        ttl=None if declared.timestamp is None else _live_for(declared),
        run_id=run_id,
    )


def _require_servable(view: str, entity: Sequence[ServedColumn], columns: Sequence[ServedColumn]) -> None:
    for column in entity:
        if not can_be_key(column.type):
            raise ConfigError(
                f"features.{view}: its entity column `{column.name}` is of type {column.type}, by which nothing can be looked up online. "
                "Make it a text, a whole number, a decimal, a boolean, a date or a timestamp in the view's relation."
            )
    for column in columns:
        if (unservable := find_unservable(column.type)) is not None:
            raise ConfigError(
                f"features.{view}: `{column.name}` holds values of type {unservable}, which have no form in JSON. Cast it in the view, or "
                "leave the view out of serving.views."
            )


def _find_columns(
    schema: "StructType", names: Sequence[str], *, view: str, place: str, use_case: str
) -> tuple[ServedColumn, ...]:
    lacking = [name for name in names if name not in schema.names]
    if lacking:
        raise ConfigError(
            f"{place} has no column `{lacking[0]}`, which features.{view} declares: it was built from another definition. Build it again: "
            f"`sparkml-ops features {use_case}`."
        )
    return tuple(ServedColumn(name, schema[name].dataType.jsonValue()) for name in names)


def _live_for(view: "FeatureView") -> int | None:
    ttl = view.time_to_live()
    return None if ttl is None else to_microseconds(ttl)
