"""How good the candidate is on rows it never saw, beside a trivial and a linear model on the very same rows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models import (
    PREDICTION,
    SEGMENT,
    Evaluation,
    OperatingPoint,
    PackagedModel,
    Reference,
    Threshold,
    evaluate_all,
    fit_reference,
    measure_operating_point,
    predict_rows,
)
from sparkml_ops.models.segments import GLOBAL
from sparkml_ops.training.baseline import Baselines

CANDIDATE, LINEAR, TRIVIAL = "candidate", "linear", "trivial"


@dataclass(frozen=True)
class Judgement:
    """What came of judging models on the same rows.

    Attributes:
        evaluations: Figures by model: candidate, linear, trivial; where models of segments are asked for `global` too, the model of
            all rows alone.
        operating_point: What the candidate's classes are worth; None where there are none.
        predictions: How its predictions are distributed.
        served: How many of the rows each model of a segment served.
    """

    evaluations: Mapping[str, Evaluation]
    operating_point: OperatingPoint | None
    predictions: Reference
    served: Mapping[str, int] = field(default_factory=dict)

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
            "judged_on": {
                **candidate.labels,
                "rows": candidate.rows,
                "days": candidate.blocks,
                "reason": candidate.reason,
            },
            **({"served": dict(self.served)} if self.served else {}),
        }


def judge_models(
    test_rows: DataFrame,
    *,
    candidate: PackagedModel,
    baselines: Baselines,
    threshold: Threshold | None,
    timestamp: str,
    seed: int,
) -> Judgement:
    """Score the test rows with all three models and judge them, with whole days as blocks.

    Args:
        test_rows: Rows that no model was fitted or tuned on, with `label`.
        candidate: The model to judge.
        baselines: What it is held against.
        threshold: From which the candidate's class is 1; None where its answers are no classes.
        timestamp: The column with the moment of decision.
        seed: Fixes the resamples.
    """
    has_family = candidate.family is not None
    scored = predict_rows(test_rows, candidate, segment=True).withColumnRenamed(PREDICTION, CANDIDATE)
    if has_family:
        scored = predict_rows(scored, replace(candidate, family=None)).withColumnRenamed(PREDICTION, GLOBAL)
    scored = predict_rows(scored, baselines.linear).withColumnRenamed(PREDICTION, LINEAR)
    scored = scored.withColumn(TRIVIAL, F.lit(baselines.base_rate))
    names = [CANDIDATE, *([GLOBAL] if has_family else []), LINEAR, TRIVIAL]
    needed = scored.select("label", timestamp, *names, SEGMENT).persist()
    try:
        evaluations = evaluate_all(
            needed, label="label", predictions=names, block=timestamp, seed=seed, task=candidate.task
        )
        served: dict[str, int] = dict(sorted(needed.groupBy(SEGMENT).count().collect())) if has_family else {}
        point = None
        if threshold is not None:
            point = measure_operating_point(
                needed, threshold, label="label", prediction=CANDIDATE, block=timestamp, seed=seed
            )
        predictions = fit_reference(needed.select(F.col(CANDIDATE).alias(PREDICTION)), [PREDICTION])
    finally:
        needed.unpersist()
    return Judgement(evaluations=evaluations, operating_point=point, predictions=predictions, served=served)
