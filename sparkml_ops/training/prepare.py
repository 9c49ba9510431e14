"""The rows of a training set -> an encoder, and encoded rows in a folder, for every fit of a training."""

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.sql import find_lone_column
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import FeatureEncoder, fit_encoder
from sparkml_ops.training.classes import learn_classes
from sparkml_ops.training.columns import ChosenColumns, choose_columns
from sparkml_ops.training.directions import find_directions
from sparkml_ops.training.estimators import FitSettings, find_cluster_estimator
from sparkml_ops.training.matrix import write_matrix
from sparkml_ops.training.recipe import list_imputes
from sparkml_ops.training.sampled import keep_sample
from sparkml_ops.training.segment_columns import with_segments
from sparkml_ops.training.weights import compile_weight

TRAIN = "split = 'train'"
WEIGHS = "it weighs the rows (model.sample_weight)"


def prepare_rows(
    use_case: UseCase, rows: DataFrame, feature_columns: Sequence[str], *, folder: str
) -> tuple[ChosenColumns, FeatureEncoder]:
    """Learn the encoder from the part `train`, and write the encoded rows of `train` and `valid` into a folder, with their weights.

    Raises:
        ConfigError: Weights cannot be computed.
        TrainingError: No feature says anything, or a weight cannot be used.
        ModelError: A column cannot be learned from, or cannot be filled in the way asked for.
    """
    chosen, encoder = prepare_encoder(use_case, rows, feature_columns)
    dataset, weigh = use_case.dataset, use_case.model.sample_weight
    identity = [column for column in dataset.entity if column != dataset.timestamp]
    personal = list_personal_features(use_case)
    weight = None if weigh is None else compile_weight(rows, weigh, key=dataset.key_columns(), withhold=personal)
    rows = with_segments(rows, use_case.model.segment_by)
    write_matrix(rows, encoder, folder, timestamp=dataset.timestamp, identity=identity, weight=weight)
    if find_cluster_estimator(use_case.model.estimator) is not None:
        keep_sample(rows.sparkSession, folder)
    return chosen, encoder


def prepare_encoder(
    use_case: UseCase, rows: DataFrame, feature_columns: Sequence[str]
) -> tuple[ChosenColumns, FeatureEncoder]:
    """The columns that say something, and how they become numbers: learned from the part `train` and no other.

    A column that is the weight of rows is no feature.

    Args:
        use_case: What is to be trained.
        rows: The rows of the training set, all parts.
        feature_columns: Its feature columns.

    Raises:
        TrainingError: No feature says anything, or there is one class alone.
        ModelError: A column cannot be learned from, or cannot be filled in the way asked for.
    """
    training_rows = rows.where(TRAIN)
    weight = (find_lone_column(use_case.model.sample_weight or "") or "").lower()
    weighing = {name: WEIGHS for name in feature_columns if name.lower() == weight}
    chosen = choose_columns(
        training_rows,
        [name for name in feature_columns if name not in weighing],
        withhold=list_personal_features(use_case),
    )
    chosen = replace(chosen, left_out=weighing | chosen.left_out)
    imputes = list_imputes(use_case)
    encoder = fit_encoder(training_rows, chosen.kept, impute=imputes, levels=use_case.model.levels)
    return chosen, replace(encoder, classes=learn_classes(rows))


def make_settings(use_case: UseCase, encoder: FeatureEncoder) -> FitSettings:
    """What each fit is asked for; `params` has the fixed parameters only.

    Raises:
        ConfigError: A column that is to be monotone is text.
    """
    model = use_case.model
    return FitSettings(
        estimator=model.estimator,
        params=model.params,
        metric=model.metric,
        seed=model.search.seed,
        early_stopping_rounds=model.early_stopping_rounds,
        categorical_positions=encoder.categorical_positions,
        class_weight=model.class_weight,
        directions=find_directions(model.monotone, encoder),
        task=model.task,
        classes=encoder.classes,
    )
