"""Declared features -> feature tables; the look-up that training and scoring share; training-set versions."""

from sparkml_ops.features.audit import AuditResult, audit_training_set
from sparkml_ops.features.audit_figures import AuditFigure
from sparkml_ops.features.audit_history import HistoryCheck
from sparkml_ops.features.build import FeaturesResult, backfill_features, build_features, plan_features
from sparkml_ops.features.built import Built, read_built_at
from sparkml_ops.features.compare import KeyChange, TrainingSetDiff, compare_definitions, compare_training_sets
from sparkml_ops.features.create import create_training_set
from sparkml_ops.features.definitions import (
    describe_dataset,
    features_table,
    hash_dataset,
    hash_view,
    order_views,
    with_definition,
)
from sparkml_ops.features.export import ExportResult, export_training_set, recreate_into
from sparkml_ops.features.expressions import expression_type
from sparkml_ops.features.label_events import LabelEvents, open_label_events
from sparkml_ops.features.label_rules import find_label_rules
from sparkml_ops.features.labels import IMMATURE, KNOWN, LABEL, STATE, tell_labels
from sparkml_ops.features.lookup import look_up_features, open_view, take_rows
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.features.recreate import recreate_training_set, stage_recreated
from sparkml_ops.features.rounds import ViewRows
from sparkml_ops.features.row_differences import RowDifference
from sparkml_ops.features.statistics import SCOPE as STATISTICS_SCOPE
from sparkml_ops.features.training_sets import (
    TrainingSet,
    choose_training_set,
    describe_training_set,
    list_training_sets,
    read_training_set,
)
from sparkml_ops.features.view_plans import ViewPlan

__all__ = [
    "IMMATURE",
    "KNOWN",
    "LABEL",
    "STATE",
    "STATISTICS_SCOPE",
    "AuditFigure",
    "AuditResult",
    "Built",
    "ExportResult",
    "FeaturesResult",
    "HistoryCheck",
    "KeyChange",
    "LabelEvents",
    "RowDifference",
    "TrainingSet",
    "TrainingSetDiff",
    "ViewPlan",
    "ViewRows",
    "audit_training_set",
    "backfill_features",
    "build_features",
    "choose_training_set",
    "compare_definitions",
    "compare_training_sets",
    "create_training_set",
    "describe_dataset",
    "describe_training_set",
    "export_training_set",
    "expression_type",
    "features_table",
    "find_label_rules",
    "hash_dataset",
    "hash_view",
    "join_point_in_time",
    "list_training_sets",
    "look_up_features",
    "open_label_events",
    "open_view",
    "order_views",
    "plan_features",
    "read_built_at",
    "read_training_set",
    "recreate_into",
    "recreate_training_set",
    "stage_recreated",
    "take_rows",
    "tell_labels",
    "with_definition",
]
