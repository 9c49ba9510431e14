"""The probability from which a row counts as positive, what the classes are worth there, and how they are chosen by their costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.evaluation import Figure, draw_weights, find_interval
from sparkml_ops.models.score_counts import find_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_THRESHOLD = 0.5
OUTCOMES = ("true_positive", "false_positive", "false_negative", "true_negative")


@dataclass(frozen=True)
class Threshold:
    """From which probability on a row counts as positive.

    Attributes:
        value: The probability.
        costs: What a row of each outcome costs, by which it was chosen; empty where none are declared.
    """

    value: float = DEFAULT_THRESHOLD
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class OperatingPoint:
    """What a model's classes are worth on some rows.

    Attributes:
        threshold: Which.
        outcomes: Rows by outcome: true_positive, false_positive, false_negative, true_negative.
        figures: precision, recall, specificity, accuracy, f1, and cost_per_row where costs are declared.
    """

    threshold: Threshold
    outcomes: Mapping[str, int]
    figures: Mapping[str, Figure]


def choose_threshold(
    probabilities: "NDArray[np.float64]", labels: "NDArray[np.float64]", costs: Mapping[str, float]
) -> float:
    """The threshold of least cost on some rows: half way between the last row that is taken and the first that is not.

    Elkan 2001, "The foundations of cost-sensitive learning", has the threshold that follows from the costs alone where probabilities are
    calibrated; found on rows, it holds where they are not. Of several that cost the same, the one nearest to Elkan's is taken.

    Args:
        probabilities: Of rows that the model was not fitted on, shape (rows,); at least one row.
        labels: 0 or 1, shape (rows,).
        costs: What a row of each outcome costs; one that is not named costs nothing, a gain is below zero.

    Returns:
        A probability above 0, and at most 1.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked, label = probabilities[order], labels[order]
    taken = _cost(costs, "true_positive") * label + _cost(costs, "false_positive") * (1 - label)
    left = _cost(costs, "false_negative") * label + _cost(costs, "true_negative") * (1 - label)
    # Cost of taking the first k rows, for k from none to all; a cut between equal probabilities is none.
    total = np.concatenate([[0.0], np.cumsum(taken - left)]) + left.sum()
    edges = np.concatenate([[1.0], ranked, [0.0]])
    cuts = np.flatnonzero(edges[:-1] > edges[1:])
    slack = 1e-12 * float(np.abs(left).sum() + np.abs(taken).sum())  # sums of equal costs differ in their last digits
    cheapest = cuts[total[cuts] <= total[cuts].min() + slack]
    upper, lower = edges[cheapest], edges[cheapest + 1]
    middles = np.where(
        (upper + lower) / 2 > lower, (upper + lower) / 2, upper
    )  # neighbouring floats have none between them
    return float(middles[np.argmin(np.abs(middles - derive_threshold(costs)))])


def recorded_threshold(metadata: Mapping[str, Any]) -> float:
    """The threshold of a version; 0.5 for one of an earlier release, which has none of its own."""
    point = metadata.get("operating_point")
    return DEFAULT_THRESHOLD if point is None else float(point["threshold"]["value"])


def derive_threshold(costs: Mapping[str, float]) -> float:
    """Elkan's threshold for calibrated probabilities: `(c_fp - c_tn) / (c_fp - c_tn + c_fn - c_tp)`.

    Args:
        costs: As for `choose_threshold`; a mistake must cost more than being right.
    """
    alarm = _cost(costs, "false_positive") - _cost(costs, "true_negative")
    miss = _cost(costs, "false_negative") - _cost(costs, "true_positive")
    return alarm / (alarm + miss)


def measure_operating_point(
    scored: DataFrame, threshold: Threshold, *, label: str, prediction: str, block: str | Column, seed: int
) -> OperatingPoint:
    """Count the outcomes of all rows in one pass, and make figures of them, with intervals as `evaluate_all` has them.

    Args:
        scored: Rows with a label of 0 or 1 (rows where it is null are left out) and probabilities.
        threshold: From which the class is 1, and what the outcomes cost.
        label: The label's column.
        prediction: The column of probabilities.
        block: What dependent rows have in common: a date or timestamp means its day.
        seed: Fixes the resamples.
    """
    is_taken, is_positive = F.col(prediction) >= threshold.value, F.col(label).cast("double") == 1
    counted = (
        scored.where(F.col(label).isNotNull())
        .groupBy(find_block(scored, block).alias("block"))
        .agg(
            *(
                F.count_if(taken & positive).cast("double").alias(name)
                for name, taken, positive in zip(
                    OUTCOMES,
                    (is_taken, is_taken, ~is_taken, ~is_taken),
                    (is_positive, ~is_positive, is_positive, ~is_positive),
                    strict=True,
                )
            )
        )
        .orderBy("block")
        .toPandas()
    )
    by_block = counted[list(OUTCOMES)].to_numpy(dtype=np.float64)
    points = _compute_figures(by_block.sum(axis=0)[None], threshold.costs)
    samples = _compute_figures(draw_weights(len(by_block), seed=seed) @ by_block, threshold.costs)
    figures = {
        name: Figure(float(value[0]) if np.isfinite(value[0]) else None, *find_interval(samples[name]))
        for name, value in points.items()
    }
    outcomes = dict(zip(OUTCOMES, map(int, by_block.sum(axis=0)), strict=True))
    return OperatingPoint(threshold, outcomes, figures)


def _compute_figures(counts: "NDArray[np.float64]", costs: Mapping[str, float]) -> dict[str, "NDArray[np.float64]"]:
    """Figures of shape (resamples,) from counts of shape (resamples, outcomes); NaN where one is not defined."""
    hit, alarm, miss, calm = counts.T
    rows = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {
            "precision": hit / (hit + alarm),
            "recall": hit / (hit + miss),
            "specificity": calm / (calm + alarm),
            "accuracy": (hit + calm) / rows,
            "f1": 2 * hit / (2 * hit + alarm + miss),
        }
        if costs:
            figures["cost_per_row"] = counts @ np.array([_cost(costs, name) for name in OUTCOMES]) / rows
    return figures


def _cost(costs: Mapping[str, float], outcome: str) -> float:
    return costs.get(outcome, 0.0)
