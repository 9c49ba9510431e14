"""A use case taken apart, so that its sound parts can be judged while others are broken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sparkml_ops.config.audit import Audit
from sparkml_ops.config.dataset import Dataset
from sparkml_ops.config.exports import Export
from sparkml_ops.config.features import FeatureView, feature_name
from sparkml_ops.config.gates import Gates
from sparkml_ops.config.maintenance import Maintenance
from sparkml_ops.config.model import Model
from sparkml_ops.config.monitoring import Monitoring
from sparkml_ops.config.scoring import Scoring
from sparkml_ops.config.serving import Serving
from sparkml_ops.config.sources import Source
from sparkml_ops.config.types import Section
from sparkml_ops.config.use_case import UseCase

AnySection = TypeVar("AnySection", bound=Section)

INGESTION_COLUMNS = ("_ingested_at", "_batch_id", "_source_file")
"""Columns that ingestion adds to every clean table."""


@dataclass(frozen=True)
class Parts:
    """The sections of a use case; None where one is declared but broken, so that nothing about it can be said."""

    sources: Mapping[str, Source | None]
    features: Mapping[str, FeatureView | None]
    dataset: Dataset | None
    model: Model | None
    gates: Gates | None
    scoring: Scoring | None
    maintenance: Maintenance | None = None
    serving: Serving | None = None
    audit: Audit | None = None
    monitoring: Monitoring | None = None
    exports: Mapping[str, Export | None] = field(default_factory=dict)

    def table_columns(self, name: str) -> list[str] | None:
        """Columns of a source's clean table, or of a view's; None when they are not known."""
        view = self.features.get(name.removeprefix("features_")) if name.startswith("features_") else None
        if view is not None:
            return [*view.entity, "timestamp", "_known_at", *view.column_names()]
        source = self.sources.get(name.removeprefix("clean_") if name not in self.sources else name)
        if source is None or source.on_new_columns == "add":
            return None
        return [*source.column_names(), *source.history_columns(), *INGESTION_COLUMNS]

    def feature_columns(self) -> list[str] | None:
        """Looked-up columns of a training row, without the derived ones; None when they are not all known."""
        if self.dataset is None:
            return None
        views = {view: self.features.get(view) for view in self.dataset.features}
        names = [feature_name(name, column) for name, view in views.items() if view for column in view.column_names()]
        return names if all(views.values()) else None


def take_apart(use_case: UseCase) -> Parts:
    """The parts of a sound use case."""
    return Parts(
        use_case.sources,
        use_case.features,
        use_case.dataset,
        use_case.model,
        use_case.gates,
        use_case.scoring,
        use_case.maintenance,
        use_case.serving,
        use_case.audit,
        use_case.monitoring,
        use_case.exports,
    )


def salvage_parts(values: Mapping[str, Any]) -> Parts:
    """The parts of a document that are sound by themselves."""

    def read_each(key: str, section: type[AnySection]) -> dict[str, AnySection | None]:
        named = values.get(key)
        return {str(name): _read(section, value) for name, value in named.items()} if isinstance(named, dict) else {}

    return Parts(
        read_each("sources", Source),
        read_each("features", FeatureView),
        _read(Dataset, values.get("dataset")),
        _read(Model, values.get("model")),
        _read(Gates, values.get("gates", {})),
        _read(Scoring, values.get("scoring")),
        _read(Maintenance, values.get("maintenance", {})),
        _read(Serving, values.get("serving", {})),
        _read(Audit, values.get("audit", {})),
        _read(Monitoring, values.get("monitoring", {})),
        _read_exports(values.get("exports", {})),
    )


def _read_exports(values: object) -> dict[str, Export | None]:
    one: TypeAdapter[Export] = TypeAdapter(Export)
    found: dict[str, Export | None] = {}
    for name, value in values.items() if isinstance(values, dict) else ():
        try:
            found[str(name)] = one.validate_python(value)
        except ValidationError:
            found[str(name)] = None
    return found


def _read(section: type[AnySection], value: object) -> AnySection | None:
    try:
        return section.model_validate(value, by_alias=True, by_name=False)
    except ValidationError:
        return None
