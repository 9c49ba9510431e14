"""What tables there are: what each means, who writes and reads it, and what breaks if it changes."""

from sparkml_ops.catalog.describe import describe_tables
from sparkml_ops.catalog.entries import CatalogColumn, CatalogEntry, TableStory, read_catalog, read_story
from sparkml_ops.catalog.freshness import Freshness
from sparkml_ops.catalog.ledger import ContractVerdict, ModelUse
from sparkml_ops.catalog.lineage import StepTables, follow_downstream, list_step_tables
from sparkml_ops.catalog.view_columns import ViewColumn
from sparkml_ops.catalog.view_statistics import ColumnStatistics
from sparkml_ops.catalog.views import ViewEntry, ViewStory, read_view, read_view_stories, read_views

__all__ = [
    "CatalogColumn",
    "CatalogEntry",
    "ColumnStatistics",
    "ContractVerdict",
    "Freshness",
    "ModelUse",
    "StepTables",
    "TableStory",
    "ViewColumn",
    "ViewEntry",
    "ViewStory",
    "describe_tables",
    "follow_downstream",
    "list_step_tables",
    "read_catalog",
    "read_story",
    "read_view",
    "read_view_stories",
    "read_views",
]
