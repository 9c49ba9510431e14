"""A training set and a configuration -> a judged, packaged model."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.features import Impute, feature_name
from sparkml_ops.config.sql import find_lone_column
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.models import FeatureEncoder, PackagedModel, Reference, fit_encoder, fit_reference
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.baseline import find_base_rate, fit_linear
from sparkml_ops.training.columns import ChosenColumns, choose_columns
from sparkml_ops.training.directions import find_directions
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.facts import describe_training, measure_period
from sparkml_ops.training.judge import judge_models
from sparkml_ops.training.matrix import map_matrix, write_matrix
from sparkml_ops.training.search import run_search
from sparkml_ops.training.trials import Trial, find_best
from sparkml_ops.training.weights import compile_weight

log = logging.getLogger(__name__)

TRAIN = "split = 'train'"
WEIGHS = "it weighs the rows (model.sample_weight)"


@dataclass(frozen=True)
class Commission:
    """What is to be trained.

    Attributes:
        use_case: The use case.
        training_set: The version of the training set.
        origin: Tags by which the model is found again: training_set_version, config_hash, code_version, write_id.
    """

    use_case: UseCase
    training_set: TrainingSet
    origin: dict[str, str]


def make_candidate(
    commission: Commission,
    rows: DataFrame,
    *,
    folder: str,
    before: Sequence[Trial],
    on_finished: Callable[[Trial], object],
) -> PackagedModel:
    """Search for parameters, fit the best, judge it, and package it with all that is known about it.

    * Levels of text columns and values for missing ones are learned from the part `train` only.
    * Trials fit on `train` and are judged on `valid`; so is the number of boosting rounds.
    * The winner is fitted again on `train` and `valid` together, with its parameters and rounds; so are the baselines.
    * `test` judges, and nothing else.

    Args:
        commission: What is to be trained.
        rows: The rows of the training set.
        folder: Where the encoded rows may lie for the time being.
        before: Trials of the same search that was killed before.
        on_finished: Called with each trial as it has ended.

    Raises:
        ConfigError: Directions are asked of text, or weights cannot be computed.
        TrainingError: No feature says anything, a weight cannot be used, or the search found no model.
    """
    use_case, model = commission.use_case, commission.use_case.model
    chosen, encoder = prepare_encoder(use_case, rows, commission.training_set.feature_columns)
    identity = [column for column in use_case.dataset.entity if column != use_case.dataset.timestamp]
    settings = make_settings(use_case, encoder)
    weight = (
        None
        if model.sample_weight is None
        else compile_weight(
            rows,
            model.sample_weight,
            key=use_case.dataset.key_columns(),
            withhold=list_personal_features(use_case),
        )
    )
    write_matrix(rows, encoder, folder, timestamp=use_case.dataset.timestamp, identity=identity, weight=weight)
    task = TrialTask(folder, settings, model.search.trial_memory_gb)
    trials = run_search(task, model.search, rows.sparkSession, before=before, on_finished=on_finished)
    best = find_best(trials)
    log.info("best of %d trials: number %d, %s %s", len(trials), best.number, model.metric, best.metrics[model.metric])
    both = map_matrix(folder).rows
    estimator = find_estimator(model.estimator)
    fitted = estimator.fit_final(both, replace(settings, params=best.params), best.rounds)
    candidate = PackagedModel(use_case.name, model.task, estimator.KIND, encoder, fitted)
    judgement = judge_models(
        rows.where("split = 'test'"),
        candidate=candidate,
        linear=fit_linear(both, encoder, name=use_case.name, seed=model.search.seed),
        base_rate=find_base_rate(both.labels),
        timestamp=use_case.dataset.timestamp,
        seed=model.search.seed,
    )
    reference = Reference(fit_reference(rows.where(TRAIN), chosen.kept).columns + judgement.predictions.columns)
    metadata = {
        **describe_training(commission, chosen, trials),
        "period": measure_period(rows, use_case.dataset.timestamp),
        **judgement.to_dict(),
        "column_weights": estimator.weigh_columns(fitted, encoder.encoded_columns),
        "reference": reference.to_dict(),
    }
    return replace(candidate, metadata=metadata)


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
        TrainingError: No feature says anything.
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
    return chosen, fit_encoder(training_rows, chosen.kept, impute=imputes, levels=use_case.model.levels)


def list_imputes(use_case: UseCase) -> dict[str, Impute]:
    """How missing values are filled, by feature column."""
    looked_up = {
        feature_name(view, column): impute
        for view in use_case.dataset.features
        for column, impute in use_case.features[view].impute.items()
    }
    return looked_up | use_case.dataset.impute


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
    )
