"""A training set and a configuration -> a judged, packaged model."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pyspark.sql import DataFrame

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.sql import find_lone_column
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features import TrainingSet
from sparkml_ops.models import (
    FeatureEncoder,
    PackagedModel,
    Reference,
    Threshold,
    choose_threshold,
    find_environment,
    fit_encoder,
    fit_reference,
    measure_scoring,
    predict_matrix,
)
from sparkml_ops.training.attempts import TrialTask
from sparkml_ops.training.baseline import fit_baselines
from sparkml_ops.training.columns import ChosenColumns, choose_columns
from sparkml_ops.training.diagnose import run_diagnosis
from sparkml_ops.training.diagnosed_rows import Subject
from sparkml_ops.training.directions import find_directions
from sparkml_ops.training.estimators import FitSettings, find_cluster_estimator, find_estimator
from sparkml_ops.training.explained import explain_candidate
from sparkml_ops.training.facts import describe_training, measure_period
from sparkml_ops.training.judge import Judgement, judge_models
from sparkml_ops.training.kpis import check_kpis
from sparkml_ops.training.matrix import Matrix, map_matrix, write_matrix
from sparkml_ops.training.opponent import Opponent
from sparkml_ops.training.probes import Probe
from sparkml_ops.training.recipe import list_imputes, write_recipe
from sparkml_ops.training.sampled import keep_sample
from sparkml_ops.training.search import run_search
from sparkml_ops.training.segment_columns import with_segments
from sparkml_ops.training.segments import GlobalFits, fit_family
from sparkml_ops.training.trials import Trial, find_best
from sparkml_ops.training.weights import compile_weight

log = logging.getLogger(__name__)

TRAIN, TEST = "split = 'train'", "split = 'test'"
WEIGHS = "it weighs the rows (model.sample_weight)"


@dataclass(frozen=True)
class Winner:
    """What the search has found best: parameters, and rounds of boosting."""

    params: Mapping[str, Any]
    rounds: int


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
        **describe_training(commission, chosen, trials),
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


def fit_winner(
    use_case: UseCase, rows: DataFrame, encoder: FeatureEncoder, winner: Winner, *, folder: str
) -> tuple[PackagedModel, Threshold | None, dict[str, Any]]:
    """Fit on `train` and `valid` together, with parameters and rounds that are known, on rows that are prepared.

    Returns:
        The model, with those of segments where such are asked for; its threshold, None where answers are no classes; and
        `segments` of the metadata.
    """
    model = _fit_rows(use_case, encoder, winner, folder=folder)
    if use_case.model.costs is None and use_case.model.segment_by is None:
        return model, Threshold() if use_case.model.task == "binary" else None, {}
    on_train = _fit_rows(use_case, encoder, winner, folder=folder, with_valid=False)
    fits = GlobalFits(model, on_train, winner.rounds, with_train=use_case.model.costs is not None)
    settings = replace(make_settings(use_case, encoder), params=winner.params)
    family = fit_family(use_case, rows, fits, settings, folder=folder)
    return family.model, _pick_threshold(use_case, family.on_train, map_matrix(folder)), dict(family.facts)


def _pick_threshold(use_case: UseCase, on_train: PackagedModel, matrix: Matrix) -> Threshold | None:
    """None where answers are no classes. Where costs are declared, the threshold of least cost on `valid`, of what was fitted on `train` alone; else 0.5."""
    if use_case.model.task != "binary":
        return None
    if use_case.model.costs is None:
        return Threshold()
    costs, served = use_case.model.costs.model_dump(), None
    if on_train.family is not None and matrix.segments is not None:
        served = on_train.family.find_members(matrix.segments.groups())[matrix.fitted :]
    answers = predict_matrix(on_train, matrix.valid.features, served)
    return Threshold(choose_threshold(answers, matrix.valid.labels, costs), costs)


def _fit_rows(
    use_case: UseCase, encoder: FeatureEncoder, winner: Winner, *, folder: str, with_valid: bool = True
) -> PackagedModel:
    estimator = find_estimator(use_case.model.estimator)
    of_cluster = find_cluster_estimator(use_case.model.estimator)
    settings = replace(make_settings(use_case, encoder), params=winner.params)
    if of_cluster is None:
        matrix = map_matrix(folder)
        fitted = estimator.fit_final(matrix.rows if with_valid else matrix.train, settings, winner.rounds)
    else:
        fitted = of_cluster.fit_stored(folder, settings, winner.rounds, with_valid=with_valid)
    return PackagedModel(use_case.name, use_case.model.task, estimator.KIND, encoder, fitted)


def judge_candidate(
    use_case: UseCase,
    rows: DataFrame,
    candidate: PackagedModel,
    *,
    folder: str,
    threshold: Threshold | None,
    champion: PackagedModel | None = None,
) -> Judgement:
    """Judge it on the part `test`, beside baselines that are fitted on the same prepared rows, and the champion if it is given."""
    both, seed = map_matrix(folder).rows, use_case.model.search.seed
    baselines = fit_baselines(both, candidate.encoder, name=use_case.name, seed=seed, task=candidate.task)
    return judge_models(
        rows.where(TEST),
        use_case,
        candidate=candidate,
        baselines=replace(baselines, champion=champion),
        threshold=threshold,
    )


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
    )
