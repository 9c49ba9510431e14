"""A training set and a configuration -> a judged, packaged model."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import version as installed_version
from typing import Any

from pyspark.sql import DataFrame

from sparkml_ops.config.features import Impute, feature_name
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.models import FeatureEncoder, PackagedModel, Reference, fit_encoder, fit_reference
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.baseline import find_base_rate, fit_linear
from sparkml_ops.training.columns import ChosenColumns, choose_columns
from sparkml_ops.training.diagnose import run_diagnosis
from sparkml_ops.training.diagnosed_rows import Subject
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.explained import explain_candidate
from sparkml_ops.training.judge import judge_models
from sparkml_ops.training.matrix import map_matrix, write_matrix
from sparkml_ops.training.probes import Probe
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
    chosen, encoder = prepare_encoder(use_case, rows, commission.training_set.feature_columns)
    identity = [column for column in use_case.dataset.entity if column != use_case.dataset.timestamp]
    write_matrix(rows, encoder, folder, timestamp=use_case.dataset.timestamp, identity=identity)
    settings = make_settings(use_case, encoder)
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
    explained = explain_candidate(use_case, rows, candidate, reference=reference)
    probe = Probe(map_matrix(folder), encoder, replace(settings, params=best.params), best.rounds)
    subject = Subject(use_case, commission.training_set, rows, reference, chosen.left_out)
    diagnosed = run_diagnosis(subject, probe, judgement, explained=explained)
    metadata = {
        **_describe_training(commission, chosen, trials),
        **diagnosed,
        **explained,
        **judgement.to_dict(),
        "column_weights": estimator.weigh_columns(fitted, encoder.encoded_columns),
        "reference": reference.to_dict(),
    }
    return replace(candidate, metadata=metadata)


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


def list_imputes(use_case: UseCase) -> dict[str, Impute]:
    """How missing values are filled, by feature column."""
    looked_up = {
        feature_name(view, column): impute
        for view in use_case.dataset.features
        for column, impute in use_case.features[view].impute.items()
    }
    return looked_up | use_case.dataset.impute


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
