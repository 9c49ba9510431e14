"""How good the candidate is on rows it never saw, beside a trivial and a linear model, and the champion, on the very same rows."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.model import Model
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import (
    CLASSES_SLICED_BY,
    PREDICTED_LABEL,
    PREDICTION,
    SEGMENT,
    Evaluation,
    KpiFigure,
    OperatingPoint,
    PackagedModel,
    Reference,
    SliceFigure,
    Threshold,
    add_kpi_terms,
    derive_threshold,
    evaluate_all,
    find_task,
    fit_reference,
    judge_class_slices,
    judge_error_slices,
    judge_slices,
    list_kpi_terms,
    measure_kpis,
    measure_operating_point,
    name_most_probable,
    predict_rows,
    recorded_threshold,
    summarise_answer,
    tell_answer,
)
from sparkml_ops.models.segments import GLOBAL
from sparkml_ops.training.baseline import Baselines

log = logging.getLogger(__name__)

CANDIDATE, CHAMPION, LINEAR, TRIVIAL = "candidate", "champion", "linear", "trivial"


@dataclass(frozen=True)
class Judgement:
    """What came of judging models on the same rows.

    Attributes:
        evaluations: Figures by model: candidate, linear, trivial, and champion where there is one; where models of segments are
            asked for `global` too, the model of all rows alone.
        operating_point: What the candidate's classes are worth; None where there are none.
        predictions: How its predictions are distributed.
        served: How many of the rows each model of a segment served.
        kpis: Business figures, by name.
        slices: The candidate on slices of the rows.
        sliced_by: The metric that they are judged by.
    """

    evaluations: Mapping[str, Evaluation]
    operating_point: OperatingPoint | None
    predictions: Reference
    served: Mapping[str, int] = field(default_factory=dict)
    kpis: Mapping[str, KpiFigure] = field(default_factory=dict)
    slices: Sequence[SliceFigure] = ()
    sliced_by: str | None = None

    def of_global(self) -> "Judgement":
        """The figures of the model of all rows as the candidate's; the same where there are no models of segments."""
        found = self.evaluations.get(GLOBAL)
        return self if found is None else replace(self, evaluations={**self.evaluations, CANDIDATE: found})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        candidate = self.evaluations[CANDIDATE]
        return {
            "figures": {
                name: {metric: asdict(figure) for metric, figure in evaluation.metrics.items()}
                for name, evaluation in self.evaluations.items()
            },
            "calibration": [asdict(group) for group in candidate.calibration],
            **({} if self.operating_point is None else {"operating_point": asdict(self.operating_point)}),
            "kpis": {
                name: {
                    **kpi.declared.model_dump(mode="json"),
                    "figures": {model: asdict(figure) for model, figure in kpi.figures.items()},
                }
                for name, kpi in self.kpis.items()
            },
            "slices": [{"name": one.name, **asdict(one)} for one in self.slices],
            **({"sliced_by": self.sliced_by} if self.slices else {}),
            "judged_on": {
                **candidate.labels,
                "rows": candidate.rows,
                "days": candidate.blocks,
                "reason": candidate.reason,
            },
            **({"confusion": [asdict(cell) for cell in candidate.confusion]} if candidate.confusion else {}),
            **({"served": dict(self.served)} if self.served else {}),
        }


def judge_models(
    test_rows: DataFrame,
    use_case: UseCase,
    *,
    candidate: PackagedModel,
    baselines: Baselines,
    threshold: Threshold | None,
) -> Judgement:
    """Score the test rows with all models and judge them, with whole days as blocks.

    Args:
        test_rows: Rows that no model was fitted or tuned on, with `label`.
        use_case: What is judged: business figures and slices, if any; its seed fixes the resamples.
        candidate: The model to judge.
        baselines: What it is held against.
        threshold: From which the candidate's class is 1; None where its answers are no classes.
    """
    at, seed, kpis = use_case.dataset.timestamp, use_case.model.search.seed, use_case.model.evaluation.kpi
    scored = _score(test_rows, candidate, baselines)
    thresholds = _find_thresholds(candidate, baselines, threshold)
    models, by = list(thresholds), _list_slicing(use_case, test_rows)
    terms = list_kpi_terms(kpis, models)
    needed = (
        add_kpi_terms(scored, kpis, thresholds=thresholds)
        .select(*(f"`{name}`" for name in dict.fromkeys(["label", at, *models, SEGMENT, *terms, *by])))
        .persist()
    )
    try:
        return Judgement(
            evaluate_all(needed, label="label", predictions=models, block=at, seed=seed, task=candidate.task),
            _measure_classes(needed, threshold, block=at, seed=seed),
            _bin_answers(needed),
            served=dict(sorted(needed.groupBy(SEGMENT).count().collect())) if candidate.family else {},
            kpis=measure_kpis(needed, kpis, models=models, block=at, seed=seed) if kpis else {},
            slices=_judge_slices(needed, use_case, by) if by else (),
            sliced_by=_find_sliced_by(use_case.model),
        )
    finally:
        needed.unpersist()


def _score(rows: DataFrame, candidate: PackagedModel, baselines: Baselines) -> DataFrame:
    scored = predict_rows(rows, candidate, segment=True).withColumnRenamed(PREDICTION, CANDIDATE)
    beside = {GLOBAL: replace(candidate, family=None)} if candidate.family is not None else {}
    beside |= {} if baselines.champion is None else {CHAMPION: baselines.champion}
    for name, model in (beside | {LINEAR: baselines.linear}).items():
        scored = predict_rows(scored, model).withColumnRenamed(PREDICTION, name)
    return scored.withColumn(TRIVIAL, tell_answer(baselines.base_rate))


def _bin_answers(scored: DataFrame) -> Reference:
    """How predictions are distributed; of several classes also which is the most probable one."""
    answers = {PREDICTION: summarise_answer(scored, CANDIDATE)}
    if isinstance(scored.schema[CANDIDATE].dataType, MapType):
        answers[PREDICTED_LABEL] = name_most_probable(F.col(CANDIDATE))
    return fit_reference(scored.select(*(how.alias(name) for name, how in answers.items())), list(answers))


def _measure_classes(scored: DataFrame, threshold: Threshold | None, *, block: str, seed: int) -> OperatingPoint | None:
    if threshold is None:
        return None
    return measure_operating_point(scored, threshold, label="label", prediction=CANDIDATE, block=block, seed=seed)


def _find_thresholds(
    candidate: PackagedModel, baselines: Baselines, threshold: Threshold | None
) -> dict[str, float | None]:
    """By model, None where answers are no classes; both baselines answer with shares of positives, so that the costs alone give theirs."""
    of_global = [] if candidate.family is None else [GLOBAL]
    champion = [] if baselines.champion is None else [CHAMPION]
    if threshold is None:
        return dict.fromkeys([CANDIDATE, *of_global, *champion, LINEAR, TRIVIAL])
    plain = derive_threshold(threshold.costs) if threshold.costs else Threshold().value
    found: dict[str, float | None] = dict.fromkeys([CANDIDATE, *of_global], threshold.value)
    if baselines.champion is not None:
        found[CHAMPION] = recorded_threshold(baselines.champion.metadata)
    return found | {LINEAR: plain, TRIVIAL: plain}


def _list_slicing(use_case: UseCase, rows: DataFrame) -> list[str]:
    """The columns that slice: those of the gate, without personal data, whose values would stand on the card."""
    if use_case.gates.slices is None:
        return []
    by, personal = use_case.gates.slices.by, list_personal_features(use_case)
    withheld = [name for name in by if name in personal]
    if withheld:
        log.warning("no slices by %s, which may hold personal data", ", ".join(withheld))
    return [name for name in by if name in rows.columns and name not in personal]


def _judge_slices(scored: DataFrame, use_case: UseCase, by: list[str]) -> list[SliceFigure]:
    gate, model = use_case.gates.slices, use_case.model
    least = (gate.minimum_rows if gate else 1, model.search.seed)
    asked: dict[str, Any] = {"prediction": CANDIDATE, "block": use_case.dataset.timestamp, "least": least}
    if model.task == "binary":
        return judge_slices(scored, by=by, metric=model.metric, **asked)
    if model.task == "multiclass":
        return judge_class_slices(scored, by=by, metric=_find_sliced_by(model), **asked)
    return judge_error_slices(scored, by=by, **asked)


def _find_sliced_by(model: Model) -> str:
    """The metric that is optimised, where rows of one slice have it."""
    if model.task == "multiclass" and model.metric not in CLASSES_SLICED_BY:
        return CLASSES_SLICED_BY[0]
    return find_task(model.task).SLICED_BY if model.task == "regression" else model.metric
