"""Declared features -> feature tables; the look-up that training and scoring share; training-set versions."""

from sparkml_ops.features.build import FeaturesResult, build_features
from sparkml_ops.features.create import create_training_set, recreate_training_set
from sparkml_ops.features.definitions import hash_dataset, hash_view
from sparkml_ops.features.lookup import features_table, look_up_features
from sparkml_ops.features.point_in_time import ViewRows, join_point_in_time
from sparkml_ops.features.training_sets import TrainingSet, describe_training_set, list_training_sets, read_training_set

__all__ = [
    "FeaturesResult",
    "TrainingSet",
    "ViewRows",
    "build_features",
    "create_training_set",
    "describe_training_set",
    "features_table",
    "hash_dataset",
    "hash_view",
    "join_point_in_time",
    "list_training_sets",
    "look_up_features",
    "read_training_set",
    "recreate_training_set",
]
