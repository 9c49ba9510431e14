"""Maintenance, held against the tables that there will be."""

from collections.abc import Iterator

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.rules.scope import Scope, check_names


def check_maintenance(parts: Parts) -> Iterator[Finding]:
    """Only tables that grow with the data are clustered, and by columns that they have."""
    if parts.maintenance is None:
        return
    clean, features = [f"clean_{name}" for name in parts.sources], [f"features_{name}" for name in parts.features]
    tables = [*clean, *features, "predictions", "predictions_current"]
    for table, columns in parts.maintenance.cluster_by.items():
        path = ("maintenance", "cluster_by", table)
        if table not in tables:
            yield Finding(path, f"no table {show_value(table)}", list_names(tables), nearest_name(table, tables))
        else:
            yield from check_names(path, columns, Scope(table, _list_columns(parts, table)))


def _list_columns(parts: Parts, table: str) -> list[str] | None:
    """Columns of a clean or a features table; None where the text does not tell."""
    if table.startswith("clean_"):
        return parts.table_columns(table)
    view = parts.features.get(table.removeprefix("features_"))
    if view is None:
        return None
    return [*view.entity, *([view.timestamp, "_known_at"] if view.timestamp else []), *view.column_names()]
