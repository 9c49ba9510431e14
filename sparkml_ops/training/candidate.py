"""A training set and a configuration -> a judged, packaged model."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import version as installed_version
from typing import Any

from pyspark.sql import DataFrame

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.models import FeatureEncoder, PackagedModel, Reference, find_environment, fit_encoder, fit_reference
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.baseline import find_base_rate, fit_linear
from sparkml_ops.training.columns import ChosenColumns, choose_columns
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.judge import Judgement, judge_models
from sparkml_ops.training.matrix import map_matrix, write_matrix
from sparkml_ops.training.recipe import list_imputes, write_recipe
from sparkml_ops.training.search import run_search
from sparkml_ops.training.trials import Trial, find_best

log = logging.getLogger(__name__)

TRAIN = "split = 'train'"
LIBRARIES = ("lightgbm", "scikit-learn", "hyperopt", "numpy", "pyspark")


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
        TrainingError: No feature says anything, or the search found no model.
    """
    use_case, model = commission.use_case, commission.use_case.model
    chosen, encoder = prepare_rows(use_case, rows, commission.training_set.feature_columns, folder=folder)
    task = TrialTask(folder, make_settings(use_case, encoder), model.search.trial_memory_gb)
    trials = run_search(task, model.search, rows.sparkSession, before=before, on_finished=on_finished)
    best = find_best(trials)
    log.info("best of %d trials: number %d, %s %s", len(trials), best.number, model.metric, best.metrics[model.metric])
    candidate = fit_model(use_case, encoder, folder=folder, params=best.params, rounds=best.rounds)
    judgement = judge_candidate(use_case, rows, candidate, folder=folder)
    reference = Reference(fit_reference(rows.where(TRAIN), chosen.kept).columns + judgement.predictions.columns)
    metadata = {
        **_describe_training(commission, chosen, trials),
        "recipe": write_recipe(use_case, rows.sparkSession),
        "environment": find_environment().summarize(),
        **judgement.to_dict(),
        "column_weights": find_estimator(model.estimator).weigh_columns(candidate.estimator, encoder.encoded_columns),
        "reference": reference.to_dict(),
    }
    return replace(candidate, metadata=metadata)


def prepare_rows(
    use_case: UseCase, rows: DataFrame, feature_columns: Sequence[str], *, folder: str
) -> tuple[ChosenColumns, FeatureEncoder]:
    """Learn the encoder from the part `train`, and write the encoded rows of `train` and `valid` into a folder.

    Raises:
        TrainingError: No feature says anything.
        ModelError: A column cannot be learned from, or cannot be filled in the way asked for.
    """
    chosen, encoder = prepare_encoder(use_case, rows, feature_columns)
    timestamp = use_case.dataset.timestamp
    identity = [column for column in use_case.dataset.entity if column != timestamp]
    write_matrix(rows, encoder, folder, timestamp=timestamp, identity=identity)
    return chosen, encoder


def fit_model(
    use_case: UseCase, encoder: FeatureEncoder, *, folder: str, params: Mapping[str, Any], rounds: int
) -> PackagedModel:
    """Fit on `train` and `valid` together, with parameters and rounds that are known, on rows that are prepared."""
    estimator = find_estimator(use_case.model.estimator)
    settings = replace(make_settings(use_case, encoder), params=params)
    fitted = estimator.fit_final(map_matrix(folder).rows, settings, rounds)
    return PackagedModel(use_case.name, use_case.model.task, estimator.KIND, encoder, fitted)


def judge_candidate(use_case: UseCase, rows: DataFrame, candidate: PackagedModel, *, folder: str) -> Judgement:
    """Judge it on the part `test`, beside baselines that are fitted on the same prepared rows."""
    both, seed = map_matrix(folder).rows, use_case.model.search.seed
    return judge_models(
        rows.where("split = 'test'"),
        candidate=candidate,
        linear=fit_linear(both, candidate.encoder, name=use_case.name, seed=seed),
        base_rate=find_base_rate(both.labels),
        timestamp=use_case.dataset.timestamp,
        seed=seed,
    )


def prepare_encoder(
    use_case: UseCase, rows: DataFrame, feature_columns: Sequence[str]
) -> tuple[ChosenColumns, FeatureEncoder]:
    """The columns that say something, and how they become numbers: learned from the part `train` and no other.

    Args:
        use_case: What is to be trained.
        rows: The rows of the training set, all parts.
        feature_columns: Its feature columns.

    Raises:
        TrainingError: No feature says anything.
        ModelError: A column cannot be learned from, or cannot be filled in the way asked for.
    """
    training_rows = rows.where(TRAIN)
    chosen = choose_columns(training_rows, feature_columns)
    imputes = list_imputes(use_case)
    return chosen, fit_encoder(training_rows, chosen.kept, impute=imputes, levels=use_case.model.levels)


def make_settings(use_case: UseCase, encoder: FeatureEncoder) -> FitSettings:
    """What each fit is asked for; `params` has the fixed parameters only."""
    model = use_case.model
    return FitSettings(
        estimator=model.estimator,
        params=model.params,
        metric=model.metric,
        seed=model.search.seed,
        early_stopping_rounds=model.early_stopping_rounds,
        categorical_positions=encoder.categorical_positions,
    )


def _describe_training(commission: Commission, chosen: ChosenColumns, trials: list[Trial]) -> dict[str, Any]:
    best, training_set, model = find_best(trials), commission.training_set, commission.use_case.model
    spent = sum((trial.ended_at - trial.started_at for trial in trials), timedelta())
    return {
        **commission.origin,
        "training_set": {
            "table": training_set.table,
            "table_version": training_set.table_version,
            "rows": training_set.rows,
            "positives": training_set.positives,
            "content_hash": training_set.content_hash,
            "definition_hash": training_set.definition_hash,
        },
        "estimator": model.estimator,
        "params": best.params,
        "rounds": best.rounds,
        "metric": model.metric,
        "seed": model.search.seed,
        "fitted_on": {"encoder": ["train"], "trials": ["train"], "model": ["train", "valid"]},
        "search": {
            "trials": len(trials),
            "failed": sum(trial.status == "failed" for trial in trials),
            "seconds": round(spent.total_seconds(), 3),
            "best_trial": best.number,
            "best_loss": best.loss,
        },
        "left_out": chosen.left_out,
        "libraries": {library: installed_version(library) for library in LIBRARIES},
    }
