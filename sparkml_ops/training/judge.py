"""How good the candidate is on rows it never saw, beside a trivial and a linear model on the very same rows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models import (
    PREDICTION,
    Evaluation,
    PackagedModel,
    Reference,
    evaluate_all,
    fit_reference,
    predict_rows,
)

CANDIDATE, LINEAR, TRIVIAL = "candidate", "linear", "trivial"


@dataclass(frozen=True)
class Judgement:
    """Figures by model (candidate, linear, trivial), and the distribution of the candidate's predictions."""

    evaluations: Mapping[str, Evaluation]
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
            "judged_on": {
                "rows": candidate.rows,
                "positives": candidate.positives,
                "days": candidate.blocks,
                "reason": candidate.reason,
            },
        }


def judge_models(
    test_rows: DataFrame,
    *,
    candidate: PackagedModel,
    linear: PackagedModel,
    base_rate: float,
    timestamp: str,
    seed: int,
) -> Judgement:
    """Score the test rows with all three models and judge them, with whole days as blocks.

    Args:
        test_rows: Rows that no model was fitted or tuned on, with `label`.
        candidate: The model to judge.
        linear: The linear baseline.
        base_rate: What the trivial model always answers.
        timestamp: The column with the moment of decision.
        seed: Fixes the resamples.
    """
    scored = predict_rows(test_rows, candidate).withColumnRenamed(PREDICTION, CANDIDATE)
    scored = predict_rows(scored, linear).withColumnRenamed(PREDICTION, LINEAR)
    needed = scored.select("label", timestamp, CANDIDATE, LINEAR, F.lit(base_rate).alias(TRIVIAL)).persist()
    try:
        evaluations = evaluate_all(
            needed, label="label", predictions=[CANDIDATE, LINEAR, TRIVIAL], block=timestamp, seed=seed
        )
        predictions = fit_reference(needed.select(F.col(CANDIDATE).alias(PREDICTION)), [PREDICTION])
    finally:
        needed.unpersist()
    return Judgement(evaluations=evaluations, predictions=predictions)
