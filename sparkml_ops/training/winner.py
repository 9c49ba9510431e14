"""What a search has found best -> fitted models, and how good they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import FeatureEncoder, PackagedModel, Threshold, choose_threshold, predict_matrix
from sparkml_ops.training.baseline import fit_baselines
from sparkml_ops.training.estimators import find_cluster_estimator, find_estimator
from sparkml_ops.training.judge import Judgement, judge_models
from sparkml_ops.training.matrix import Matrix, map_matrix
from sparkml_ops.training.prepare import make_settings
from sparkml_ops.training.segments import GlobalFits, fit_family

TEST = "split = 'test'"


@dataclass(frozen=True)
class Winner:
    """What the search has found best: parameters, and rounds of boosting."""

    params: Mapping[str, Any]
    rounds: int


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
