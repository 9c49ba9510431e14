"""A whole use case: the root of the typed configuration."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, Field

from sparkml_ops.config.audit import Audit
from sparkml_ops.config.dataset import Dataset
from sparkml_ops.config.environment import Environment
from sparkml_ops.config.exports import Export
from sparkml_ops.config.features import FeatureView, feature_name
from sparkml_ops.config.gates import Gates
from sparkml_ops.config.maintenance import Maintenance
from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.config.model import Model
from sparkml_ops.config.monitoring import Monitoring
from sparkml_ops.config.scoring import Scoring
from sparkml_ops.config.serving import Serving
from sparkml_ops.config.sources import Source
from sparkml_ops.config.sql import table_names
from sparkml_ops.config.types import Identifier, Relation, Section
from sparkml_ops.errors import ConfigError


class UseCase(Section):
    """One use case: sources, features, dataset, audit, model, gates, scoring, serving, exports, monitoring and maintenance."""

    name: Identifier
    description: str = ""
    owner: str = ""
    sources: dict[Identifier, Source] = Field(min_length=1)
    features: dict[Identifier, FeatureView] = Field(min_length=1)
    dataset: Dataset
    audit: Audit = Audit()
    model: Model
    gates: Gates = Gates()
    scoring: Scoring
    serving: Serving = Serving()
    exports: dict[Identifier, Export] = Field(default={}, description="where published predictions go, by name")
    monitoring: Monitoring = Monitoring()
    maintenance: Maintenance = Maintenance()
    environment: Environment = Field(exclude=True)

    def require_view(self, name: object) -> FeatureView:
        """The view of a name.

        Raises:
            ConfigError: there is none.
        """
        if isinstance(name, str) and name in self.features:
            return self.features[name]
        nearest = nearest_name(str(name), self.features)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ConfigError(
            f"{self.name} has no feature view {show_value(name)}.{hint} There are: {list_names(self.features)}."
        )

    def require_export(self, name: str) -> Export:
        """The export of a name.

        Raises:
            ConfigError: there is none.
        """
        if name in self.exports:
            return self.exports[name]
        nearest = nearest_name(name, self.exports)
        hint = f" Did you mean {nearest}?" if nearest else ""
        ways = (
            f"There are: {list_names(self.exports)}." if self.exports else "It declares none, in the section `exports`."
        )
        raise ConfigError(f"{self.name} has no export {show_value(name)}.{hint} {ways}")

    def served_views(self) -> list[str]:
        """The views that are published for applications."""
        return list(self.dataset.features if self.serving.views is None else self.serving.views)

    def tables_read(self, *relations: Relation) -> list[str]:
        """Tables that relations read; what a Python function reads cannot be known, so it follows all sources.

        Raises:
            ConfigError: the text of a query is not one SELECT.
        """
        names: list[str] = []
        for relation in relations:
            if relation.table is not None:
                names.append(relation.table)
            else:
                names += self.sources if relation.sql is None else sorted(table_names(relation.sql))
        return list(dict.fromkeys(f"clean_{name}" if name in self.sources else name for name in names))

    def views_read(self, relation: Relation) -> set[str]:
        """Views that a relation reads, by the names of their tables."""
        tables = self.tables_read(relation)
        return {name for name in self.features if f"features_{name}" in tables}

    def feature_columns(self) -> list[str]:
        """Every column a model of this use case learns from, in order: view columns, then derived ones."""
        looked_up = [
            feature_name(view, column)
            for view in self.dataset.features
            for column in self.features[view].column_names()
        ]
        return [name for name in (*looked_up, *self.dataset.derived) if name not in self.dataset.leave_out]


def hash_config(*parts: BaseModel | Any) -> str:
    """A short stable hash of some parts of the configuration; the environment is never part of it."""
    plain = [part.model_dump(mode="json", by_alias=True) if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
