"""What the columns of the declared tables mean, in words that stand in the tables where SQL users see them."""

from sparkml_ops.config.aggregates import Aggregate, AggregateColumn, describe_operation
from sparkml_ops.config.features import FeatureView
from sparkml_ops.config.sources import Source
from sparkml_ops.config.types import format_duration

INGESTION_COMMENTS = {
    "_ingested_at": "when the batch of the row was taken in; UTC",
    "_batch_id": "the batch that brought the row; see ingested_files",
    "_source_file": "the file that the row stood in",
}


def comment_source(source: Source) -> dict[str, str]:
    """Comments of a clean table's columns: those of the contract, what is derived, and ingestion's own."""
    derived = {name: f"derived: {' '.join(sql.split())}" for name, sql in source.derive.items()}
    declared = {name: column.comment for name, column in source.columns.items() if column.comment}
    return {**derived, **declared, **INGESTION_COMMENTS}


def comment_view(view: FeatureView) -> dict[str, str]:
    """Comments of a features table's columns."""
    entity = dict.fromkeys(view.entity, "entity")
    time = {view.timestamp or "timestamp": "when it was true; UTC", "_known_at": "from when on it was known; UTC"}
    selected = {name: f"= {' '.join(sql.split())}" for name, sql in view.select.items()}
    windowed = {
        column.name: _comment_figure(view, each, column) for each in view.aggregates for column in each.columns()
    }
    derived = {name: f"= {' '.join(sql.split())}" for name, sql in view.derive.items()}
    made = {**selected, **windowed, **derived}
    said = {name: " ".join(one.description.split()) for name, one in view.columns.items() if one.description}
    described = {name: f"{text} ({made[name]})" for name, text in said.items() if name in made}
    return {**made, **described, **time, **entity}


def _comment_figure(view: FeatureView, aggregate: Aggregate, column: AggregateColumn) -> str:
    """What one aggregated figure is."""
    until = " before the midnight (UTC)" if view.accuracy == "snapshot" else ""
    figure = f"{describe_operation(column.operation)} of {' '.join(aggregate.of.split())}"
    conditions = [] if aggregate.where is None else [" ".join(aggregate.where.split())]
    if column.bucket is not None:
        conditions.append(f"{aggregate.by_column} is {aggregate.by_values[column.bucket]}")
    where = f", where {' and '.join(conditions)}" if conditions else ""
    return f"{figure} over the last {format_duration(column.window)}{until}{where}"
