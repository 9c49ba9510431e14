"""How good the candidate is on rows it never saw, beside a trivial and a linear model on the very same rows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models import (
    PREDICTION,
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
from sparkml_ops.training.baseline import Baselines

CANDIDATE, LINEAR, TRIVIAL = "candidate", "linear", "trivial"


@dataclass(frozen=True)
class Judgement:
    """Figures by model (candidate, linear, trivial), what the candidate's classes are worth (None where there are none), and how its predictions are distributed."""

    evaluations: Mapping[str, Evaluation]
    operating_point: OperatingPoint | None
    predictions: Reference

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
    scored = predict_rows(test_rows, candidate).withColumnRenamed(PREDICTION, CANDIDATE)
    scored = predict_rows(scored, baselines.linear).withColumnRenamed(PREDICTION, LINEAR)
    needed = scored.select("label", timestamp, CANDIDATE, LINEAR, F.lit(baselines.base_rate).alias(TRIVIAL)).persist()
    try:
        evaluations = evaluate_all(
            needed,
            label="label",
            predictions=[CANDIDATE, LINEAR, TRIVIAL],
            block=timestamp,
            seed=seed,
            task=candidate.task,
        )
        point = None
        if threshold is not None:
            point = measure_operating_point(
                needed, threshold, label="label", prediction=CANDIDATE, block=timestamp, seed=seed
            )
        predictions = fit_reference(needed.select(F.col(CANDIDATE).alias(PREDICTION)), [PREDICTION])
    finally:
        needed.unpersist()
    return Judgement(evaluations=evaluations, operating_point=point, predictions=predictions)
