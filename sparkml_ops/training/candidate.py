"""A training set and a configuration -> a judged, packaged model."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from pyspark.sql import DataFrame

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.models import (
    PackagedModel,
    Reference,
    find_environment,
    fit_reference,
    measure_scoring,
)
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.diagnose import run_diagnosis
from sparkml_ops.training.diagnosed_rows import Subject
from sparkml_ops.training.estimators import find_estimator
from sparkml_ops.training.explained import explain_candidate
from sparkml_ops.training.facts import describe_training, measure_period
from sparkml_ops.training.kpis import check_kpis
from sparkml_ops.training.matrix import map_matrix
from sparkml_ops.training.opponent import Opponent
from sparkml_ops.training.prepare import TRAIN, make_settings, prepare_rows
from sparkml_ops.training.probes import Probe
from sparkml_ops.training.recipe import write_recipe
from sparkml_ops.training.search import run_search
from sparkml_ops.training.trials import Trial, find_best
from sparkml_ops.training.winner import TEST, Winner, fit_winner, judge_candidate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Commission:
    """What is to be trained.

    Attributes:
        use_case: The use case.
        training_set: The version of the training set.
        origin: Tags by which the model is found again: training_set_version, config_hash, code_version, write_id.
        champion: The model that serves at present, to be judged on the same rows; None where there is none.
    """

    use_case: UseCase
    training_set: TrainingSet
    origin: dict[str, str]
    champion: Opponent | None = None


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
    use_case, model, champion = commission.use_case, commission.use_case.model, commission.champion
    check_kpis(use_case, rows)
    chosen, encoder = prepare_rows(use_case, rows, commission.training_set.feature_columns, folder=folder)
    settings = make_settings(use_case, encoder)
    task = TrialTask(folder, settings, model.search.trial_memory_gb)
    trials = run_search(task, model.search, rows.sparkSession, before=before, on_finished=on_finished)
    best = find_best(trials)
    log.info("best of %d trials: number %d, %s %s", len(trials), best.number, model.metric, best.metrics[model.metric])
    found = Winner(best.params, best.rounds)
    candidate, threshold, segments = fit_winner(use_case, rows, encoder, found, folder=folder)
    beside = None if champion is None else champion.model
    judgement = judge_candidate(use_case, rows, candidate, folder=folder, threshold=threshold, champion=beside)
    reference = Reference(fit_reference(rows.where(TRAIN), chosen.kept).columns + judgement.predictions.columns)
    explained = explain_candidate(
        use_case, rows, candidate, reference=reference, known=commission.training_set.rows.get("test", 0)
    )
    probe = Probe(map_matrix(folder), encoder, replace(settings, params=best.params), best.rounds)
    subject = Subject(use_case, commission.training_set, rows, reference, chosen.left_out)
    diagnosed = run_diagnosis(subject, probe, judgement.of_global(), explained=explained)
    metadata = {
        **describe_training(commission, chosen, trials, classes=encoder.classes),
        "period": measure_period(rows, use_case.dataset.timestamp),
        "recipe": write_recipe(use_case, rows.sparkSession),
        "environment": find_environment().summarize(),
        **diagnosed,
        **explained,
        **segments,
        **judgement.to_dict(),
        **({} if champion is None else {"champion": champion.to_dict()}),
        "column_weights": find_estimator(model.estimator).weigh_columns(candidate.estimator, encoder.encoded_columns),
        "reference": reference.to_dict(),
    }
    scoring = measure_scoring(rows.where(TEST), replace(candidate, metadata=metadata))
    return replace(candidate, metadata=metadata | {"scoring": asdict(scoring)})
